from datetime import UTC, date, datetime, timedelta, timezone

import keysmith
import pytest
from keysmith import NOW, identity, key, reopened, vault

from provision.detect.secret import Secret
from provision.keys.age import NoIdentityError
from provision.keys.key_source import DemoKeyExpiredError, KeySource
from provision.keys.vault.ledger import Stage
from provision.keys.vault.merge import VaultMergeError, merge_vaults
from provision.keys.vault.text import VaultConflictError, VaultFormatError, parse_vault
from provision.keys.vault.vault import (
    KeyLengthError,
    KnownKeyError,
    LabelError,
    OperatorError,
    StageError,
    VaultAlteredError,
    new_vault,
    open_sealed,
)


def _rows(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def test_what_goes_in_comes_out() -> None:
    made = vault(ada="one", bob="two")
    again = reopened(made)
    assert (again.key("ada"), again.key("bob"), again.key("eve")) == (Secret("one"), Secret("two"), None)
    assert [(v.user, v.version, v.stage, v.created) for v in again] == [
        ("ada", 1, Stage.CURRENT, NOW),
        ("bob", 1, Stage.CURRENT, NOW),
    ]
    assert again.generation == made.generation + 1
    assert (again.salt, again.workspace_id, again.digest_key()) == (made.salt, made.workspace_id, made.digest_key())


def test_a_new_key_makes_the_old_one_previous_and_drops_nothing() -> None:
    made = vault(ada="one")
    made.add("ada", Secret("two"), now=NOW)
    made.add("ada", Secret("three"), now=NOW, stage=Stage.PENDING)
    again = reopened(made)
    assert [(v.version, v.stage) for v in again.versions("ada")] == [(1, "previous"), (2, "current"), (3, "pending")]
    assert [again.value("ada", n).reveal() for n in (1, 2, 3)] == ["one", "two", "three"]
    again.set_stage("ada", 3, Stage.CURRENT)
    again.set_stage("ada", 1, Stage.RETIRED)
    assert [v.stage for v in reopened(again).versions("ada")] == ["retired", "previous", "current"]
    assert reopened(again).key("ada") == Secret("three")


def test_a_stage_changes_without_sealing_the_key_again() -> None:
    made = vault(ada="one")
    before = next(row for row in _rows(made.serialised()) if row.startswith(b"key ")).split(b" ")
    made.set_stage("ada", 1, Stage.RETIRED)
    after = next(row for row in _rows(made.serialised()) if row.startswith(b"key ")).split(b" ")
    assert [n for n in range(len(before)) if before[n] != after[n]] == [3]


def test_wrong_moves_are_refused_by_name() -> None:
    made = vault(ada="one", bob="two")
    made.add("ada", Secret("x"), now=NOW, stage=Stage.PENDING)
    with pytest.raises(StageError, match="ada already has a pending key"):
        made.add("ada", Secret("y"), now=NOW, stage=Stage.PENDING)
    with pytest.raises(StageError, match="ada already has a pending key"):
        made.set_stage("ada", 1, Stage.PENDING)
    with pytest.raises(StageError, match="ada has no key version 9"):
        made.set_stage("ada", 9, Stage.CURRENT)
    with pytest.raises(KnownKeyError, match="bob already has this key"):
        made.add("bob", Secret("two"), now=NOW)
    with pytest.raises(KnownKeyError, match=r"this key of eve is the key of bob \(version 1, current\)"):
        made.add("eve", Secret("two"), now=NOW)
    with pytest.raises(LabelError):
        made.add("eve", Secret("z"), now=NOW, label="two\nlines")
    with pytest.raises(KeyLengthError, match="too long"):
        made.add("eve", Secret("z" * 9000), now=NOW)
    made.add("eve", Secret("two"), now=NOW, allow_shared=True)
    assert [v.user for v in reopened(made).find(made.fingerprint(Secret("two")))] == ["bob", "eve"]


def test_a_strangers_identity_does_not_open_it() -> None:
    with pytest.raises(NoIdentityError, match="none of your identities can open the vault"):
        reopened(vault(ada="one"), 1)


def test_operators_come_and_go() -> None:
    made = vault(ada="one")
    with pytest.raises(OperatorError, match="last operator"):
        made.remove_operator(identity(0)[1])
    made.add_operator(f"{identity(1)[1]} bob's laptop")
    assert made.operators[1].endswith(" bob's laptop")
    with pytest.raises(OperatorError, match="already"):
        made.add_operator(identity(1)[1])
    old = made.digest_key()
    assert reopened(made, 1).key("ada") == Secret("one")
    made.remove_operator(identity(0)[1])
    with pytest.raises(OperatorError, match="not an operator"):
        made.remove_operator(identity(0)[1])
    with pytest.raises(NoIdentityError):
        reopened(made, 0)
    again = reopened(made, 1)
    assert again.key("ada") == Secret("one")
    assert again.digest_key() != old


def test_no_key_is_in_the_text_or_any_repr() -> None:
    made = vault(ada="CANARY-one")
    for shown in (made.serialised().decode(), repr(made), repr(list(made)), repr(made.key("ada")), repr(made._lines)):
        assert "CANARY" not in shown


def test_the_order_of_additions_leaves_no_trace() -> None:
    made = new_vault([identity()[1]])
    for user in ("zoe", "ada", "mia"):
        made.add(user, key(), now=NOW)
    users = [row.split(b" ")[1] for row in _rows(made.serialised()) if row.startswith(b"key ")]
    assert users == [b"ada", b"mia", b"zoe"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: [r for r in rows if not r.startswith(b"key bob")], "its header, a stage, a label or the list"),
        (lambda rows: [r.replace(b" previous ", b" retired ") for r in rows], "its header, a stage"),
        (lambda rows: [r.replace(b"generation 1", b"generation 2") for r in rows], "its header"),
        (lambda rows: [r.replace(b"2026-01-02", b"2025-01-02") for r in rows], "the line of ada"),
        (lambda rows: [r.replace(b"key bob 1", b"key eve 1") for r in rows], "the line of eve"),
    ],
)
def test_an_edit_of_the_text_is_named(change: object, says: str) -> None:
    made = vault(ada="one", bob="two")
    made.add("ada", Secret("three"), now=NOW)
    rows = change(_rows(made.serialised()))  # type: ignore[operator]
    with pytest.raises(VaultAlteredError, match=says) as e:
        open_sealed(parse_vault(b"\n".join(rows), "keys.vault"), identity()[0])
    assert "git log" in e.value.hint


def test_swapped_ciphertexts_do_not_open() -> None:
    rows = _rows(vault(ada="one", bob="two").serialised())
    a, b = (next(n for n, r in enumerate(rows) if r.startswith(b"key " + u)) for u in (b"ada", b"bob"))
    first, second = rows[a].split(b" "), rows[b].split(b" ")
    first[7], second[7] = second[7], first[7]
    rows[a], rows[b] = b" ".join(first), b" ".join(second)
    with pytest.raises(VaultAlteredError, match="ada"):
        open_sealed(parse_vault(b"\n".join(rows), "keys.vault"), identity()[0])


def test_an_added_operator_is_not_believed() -> None:
    data = vault(ada="one").serialised()
    evil = data.replace(b"\ndatakey", b"\noperator " + identity(1)[1].encode() + b"\ndatakey")
    with pytest.raises(VaultAlteredError, match="its header"):
        open_sealed(parse_vault(evil, "keys.vault"), identity()[0])


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (lambda d: b"", 1, "not a vault"),
        (lambda d: d.replace(b"vault/v1", b"vault/v2"), 1, "newer provision"),
        (lambda d: d.replace(b"\n", b"\r\n"), 1, "Windows line ends"),
        (lambda d: d[:-1], 10, "incomplete"),
        (lambda d: b"\n".join(d.split(b"\n")[:-2]) + b"\n", 9, "not the seal"),
        (lambda d: d.replace(b"\nsalt ", b"\nsalty "), 4, "unknown field"),
        (lambda d: d.replace(b"\nsalt ", b"\nsalt x"), 4, "`salt` is damaged"),
        (lambda d: d.replace(b"\ngeneration 1", b""), 6, "no `generation`"),
        (lambda d: d.replace(b" current ", b" active "), 8, "invalid line"),
        (lambda d: d.replace(b"2026-01-02", b"2026-13-02"), 8, "invalid date"),
        (lambda d: d.replace(b"key bob", b"key ada"), 9, r"duplicate key version \(ada 1\)"),
        (lambda d: d.replace(b"key bob 1", b"key ada 2"), 9, "a second current key of ada"),
        (lambda d: d.replace(b"key ada", b"key cat"), 9, "out of order"),
        (lambda d: d.replace(b"key bob", b"key b\xff"), 9, "UTF-8"),
        (lambda d: d.replace(b"key bob", b"key b\x1b[31mob"), 9, "unprintable"),
    ],
)
def test_a_damaged_file_is_named_by_line(change: object, line: int, says: str) -> None:
    data = change(vault(ada="one", bob="two").serialised())  # type: ignore[operator]
    with pytest.raises(VaultFormatError, match=says) as e:
        parse_vault(data, "keys.vault")
    assert e.value.place is not None
    assert (e.value.place.line, bool(e.value.hint)) == (line, True)


def test_marks_of_a_merge_conflict_have_an_error_of_their_own() -> None:
    data = vault(ada="one").serialised()
    head, tail = data.split(b"\nkey ")
    broken = head + b"\n<<<<<<< HEAD\nkey " + tail + b"=======\n>>>>>>> theirs\n"
    with pytest.raises(VaultConflictError, match=r"keys.vault:8: git left a merge conflict") as e:
        parse_vault(broken, "keys.vault")
    assert "provision keys merge" in e.value.hint


def test_times_are_kept_as_utc_seconds() -> None:
    made = new_vault([identity()[1]])
    local = datetime(2026, 1, 2, 1, 0, 0, 999, tzinfo=timezone(timedelta(hours=3)))
    assert made.add("ada", key(), now=local).created == datetime(2026, 1, 1, 22, 0, tzinfo=UTC)


def test_an_expired_demo_key_is_refused() -> None:
    made = vault(ada="one")
    made.set_demo("ada", 1, date(2026, 1, 31))
    again = reopened(made)
    assert KeySource(again, today=date(2026, 1, 31)).key_for("ada") == Secret("one")
    with pytest.raises(DemoKeyExpiredError, match="expired on 2026-01-31"):
        KeySource(again, today=date(2026, 2, 1)).key_for("ada")
    again.set_demo("ada", 1, None)
    assert KeySource(again, today=date(2026, 2, 1)).key_for("ada") == Secret("one")
    assert KeySource(again).key_for("eve") is None


def test_two_branches_become_one() -> None:
    base = vault(ada="one", bob="two")
    ours, theirs = reopened(base), reopened(base)
    ours.add("cat", Secret("three"), now=NOW)
    theirs.add("ada", Secret("four"), now=NOW)
    theirs.add("dan", Secret("five"), now=NOW)
    theirs.set_stage("bob", 1, Stage.RETIRED)
    notes = merge_vaults(ours, reopened(theirs))
    again = reopened(ours)
    assert [again.key(u) for u in ("ada", "cat", "dan")] == [Secret("four"), Secret("three"), Secret("five")]
    assert again.key("bob") is None
    assert notes == (
        "ada version 1: current -> previous",
        "ada version 2: new: current",
        "bob version 1: current -> retired",
        "dan version 1: new: current",
    )
    assert merge_vaults(again, reopened(theirs)) == ()


def test_a_merge_that_needs_a_person_changes_nothing() -> None:
    base = vault(ada="one")
    ours, theirs = reopened(base), reopened(base)
    ours.add("ada", Secret("two"), now=NOW)
    theirs.add("ada", Secret("three"), now=NOW)
    theirs.add("bob", Secret("four"), now=NOW)
    before = ours.serialised()
    with pytest.raises(VaultMergeError, match="ada"):
        merge_vaults(ours, reopened(theirs))
    assert ours.serialised() == before
    with pytest.raises(VaultMergeError, match="different vaults"):
        merge_vaults(ours, vault(ada="one"))


def test_marks_labels_and_times_survive_a_merge_in_both_directions() -> None:
    base = vault(ada="one", bob="two", cat="three")
    ours, theirs = reopened(base), reopened(base)
    theirs.set_demo("ada", 1, date(2026, 3, 1))
    ours.set_demo("bob", 1, date(2026, 5, 1))
    theirs.set_demo("bob", 1, date(2026, 4, 1))
    theirs.set_label("cat", 1, "laptop")
    ours.add("dan", Secret("four"), now=NOW)
    theirs.add("dan", Secret("four"), now=NOW - timedelta(days=3))
    for one, other in ((ours, theirs), (theirs, ours)):
        merged = reopened(one)
        merge_vaults(merged, reopened(other))
        found = {known.user: known for known in reopened(merged)}
        assert (found["ada"].demo_until, found["bob"].demo_until) == (date(2026, 3, 1), date(2026, 4, 1))
        assert found["cat"].label == "laptop"
        assert found["dan"].created == NOW - timedelta(days=3)
        assert reopened(merged).key("dan") == Secret("four")
    kept = reopened(ours)
    assert "ada version 1: demo until None -> 2026-03-01" in merge_vaults(kept, reopened(theirs))


@pytest.mark.parametrize("turned", [False, True])
def test_a_merge_that_would_leave_no_current_key_is_refused_with_both_sides_named(turned: bool) -> None:
    """After a rollback on one branch every version would be previous somewhere, so none would be current."""
    base = vault(ada="one")
    base.add("ada", Secret("two"), now=NOW)
    ours, theirs = reopened(base), reopened(base)
    theirs.set_stage("ada", 1, Stage.CURRENT)
    first, second = (theirs, ours) if turned else (ours, theirs)
    before = first.serialised()
    with pytest.raises(
        VaultMergeError, match=r"ada .*this side version \d is current.*other side version \d"
    ) as caught:
        merge_vaults(first, reopened(second))
    assert "git checkout" in caught.value.hint
    assert first.serialised() == before


@pytest.mark.parametrize("turned", [False, True])
def test_a_merge_that_would_give_a_key_to_two_users_is_refused(turned: bool) -> None:
    """Ada got a new id on one branch, or two operators imported one key for two users."""
    base = vault(ada="one")
    ours, theirs = reopened(base), reopened(base)
    theirs.rename_user("ada", "ada.king")
    ours.add("bob", Secret("two"), now=NOW)
    theirs.add("cat", Secret("two"), now=NOW)
    first, second = (theirs, ours) if turned else (ours, theirs)
    before = first.serialised()
    with pytest.raises(
        VaultMergeError, match=r"fp_\w+ is the key of \w.* on this side, and of \w.* on the other"
    ) as caught:
        merge_vaults(first, reopened(second))
    assert all(user in caught.value.message for user in ("ada.king", "bob", "cat"))
    assert first.serialised() == before


def test_a_replaced_recovery_key_does_not_come_back_by_a_merge() -> None:
    base = vault(ada="one")
    base.set_recovery([identity(1)[1]])
    ours, theirs = reopened(base), reopened(base)
    theirs.set_recovery([identity(2)[1]])
    theirs.rekey()
    with pytest.raises(VaultMergeError, match="recovery keys that the other side does not have"):
        merge_vaults(ours, reopened(theirs))
    with pytest.raises(VaultMergeError, match="recovery keys that the other side does not have"):
        merge_vaults(theirs, reopened(ours))
    ours.set_recovery([])
    assert merge_vaults(ours, reopened(theirs))[0].startswith("recovery key only on the other side, not added: age1")


def test_a_removed_operator_does_not_come_back_by_a_merge() -> None:
    base = vault(ada="one")
    base.add_operator(identity(1)[1])
    ours, theirs = reopened(base), reopened(base)
    theirs.remove_operator(identity(1)[1])
    theirs.add("bob", Secret("two"), now=NOW)
    with pytest.raises(VaultMergeError, match="may have been removed") as e:
        merge_vaults(ours, reopened(theirs))
    assert "other direction" in e.value.hint
    ours.add("cat", Secret("three"), now=NOW)
    merge_vaults(theirs, reopened(ours))
    assert theirs.operators == (identity(0)[1],)
    assert reopened(theirs).key("cat") == Secret("three")


def test_the_helpers_make_whole_keys() -> None:
    assert len(keysmith.key("x").reveal()) == 51
