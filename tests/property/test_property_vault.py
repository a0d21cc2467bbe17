"""Whatever is put into a vault comes out again, and whatever is done to its text is noticed."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keysmith import identity

from provision.detect.secret import Secret
from provision.errors import ProvisionError
from provision.keys.vault.ledger import Stage
from provision.keys.vault.text import is_valid_label, parse_vault, serialise
from provision.keys.vault.vault import KnownKeyError, StageError, Vault, new_vault, open_sealed

QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck))
USERS = st.text("abz09._-", min_size=1, max_size=5)
LABELS = st.text(max_size=30).map(lambda text: " ".join(text.split())).filter(is_valid_label)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
DEMO = st.none() | st.dates(date(2020, 1, 1), date(2099, 1, 1))
ENTRIES = st.lists(st.tuples(USERS, KEYS, LABELS, MOMENTS, DEMO, st.sampled_from(Stage)), max_size=12)


def _filled(
    entries: list[tuple[str, str, str, datetime, date | None, Stage]],
) -> tuple[Vault, dict[tuple[str, int], str]]:
    vault, expected = new_vault([identity()[1]]), {}
    for user, key, label, now, demo, stage in entries:
        try:
            known = vault.add(user, Secret(key), now=now, label=label, stage=stage, demo_until=demo, allow_shared=True)
        except (KnownKeyError, StageError):
            continue
        expected[user, known.version] = key
    return vault, expected


@QUICK
@given(ENTRIES)
def test_parse_and_serialise_are_inverse_and_keys_come_back(
    entries: list[tuple[str, str, str, datetime, date | None, Stage]],
) -> None:
    vault, expected = _filled(entries)
    data = vault.serialised()
    sealed = parse_vault(data, "keys.vault")
    assert serialise(sealed.header, sealed.lines) + f"seal {sealed.seal}\n".encode() == data
    opened = open_sealed(sealed, identity()[0])
    assert list(opened) == list(vault) == list(sealed)
    assert {(k.user, k.version): opened.value(k.user, k.version).reveal() for k in opened} == expected
    for user in opened.users:
        stages = [known.stage for known in opened.versions(user)]
        assert stages.count(Stage.CURRENT) <= 1
        assert stages.count(Stage.PENDING) <= 1


_DATA = _filled([(u, f"key-{u}", "label", datetime(2026, 1, 1, tzinfo=UTC), None, Stage.CURRENT) for u in "abc"])[
    0
].serialised()


@settings(QUICK, max_examples=300)
@given(st.integers(0, len(_DATA) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_noticed(at: int, bit: int) -> None:
    changed = bytearray(_DATA)
    changed[at] ^= 1 << bit
    with pytest.raises(ProvisionError):
        open_sealed(parse_vault(bytes(changed), "keys.vault"), identity()[0])


@settings(QUICK, max_examples=150)
@given(st.data())
def test_any_removed_repeated_or_moved_line_is_noticed(data: st.DataObject) -> None:
    rows = _DATA.split(b"\n")[:-1]
    at = data.draw(st.integers(0, len(rows) - 1))
    kind = data.draw(st.sampled_from(["remove", "repeat", "move"]))
    row = rows.pop(at)
    if kind != "remove":
        rows.insert(data.draw(st.integers(0, len(rows))), row)
    if kind == "repeat":
        rows.insert(at, row)
    changed = b"\n".join(rows) + b"\n"
    if changed == _DATA:
        return
    with pytest.raises(ProvisionError):
        open_sealed(parse_vault(changed, "keys.vault"), identity()[0])


@QUICK
@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_crashes(data: bytes) -> None:
    for text in (data, b"provision-vault/v1\n" + data):
        with pytest.raises(ProvisionError):
            parse_vault(text, "keys.vault")
