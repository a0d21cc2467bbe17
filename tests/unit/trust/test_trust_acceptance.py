"""Which trust list may follow which one: every attack that the design names is a row here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from trustcraft import NOW, fields, following, key, made, public, signed, signer

from provision.errors import ProvisionError
from provision.signing.sshsig import sign_bytes
from provision.trust.acceptance import (
    ExpiredListError,
    ForbiddenChangeError,
    OtherWorkspaceListError,
    SignedList,
    TooFewSignaturesError,
    TrustJumpError,
    TrustRefusedError,
    TrustRollbackError,
    accept_list,
    found_chain,
    require_current,
)
from provision.trust.trust_list import MAX_LIST_BYTES, BadTrustListError, list_bytes, parse_list

REVOKED_EVE = [{"key": public("eve"), "reason": "laptop stolen"}]


def first(*names: str, **changes: Any) -> SignedList:
    data = made(fields(1, 1, **changes))
    return found_chain(data, signed(data, *(names or ("ada",))))


TWO: dict[str, Any] = {"signers": [signer("ada"), signer("bob")]}
TWO_OF_TWO = {**TWO, "threshold": {"trust": 2}}


def test_a_next_version_may_add_remove_and_raise_the_threshold() -> None:
    one = first()
    two = accept_list(one, data := following(one, 1, 2, **TWO), signed(data, "ada"))
    three = accept_list(two, data := following(two, 1, 3, **TWO_OF_TWO), signed(data, "ada", "bob"))
    four = accept_list(
        three,
        data := following(three, 1, 4, signers=[signer("bob"), signer("cleo")], threshold={"trust": 2}),
        signed(data, "ada", "bob", "cleo"),
    )
    assert four.trust.number == "1-4"
    assert four.signed_by == {public("ada"), public("bob"), public("cleo")}


def test_the_canonical_form_is_the_only_one() -> None:
    data = made(fields())
    assert list_bytes(parse_list(data)) == data
    with pytest.raises(BadTrustListError, match="canonical"):
        parse_list(data.replace(b'  "epoch"', b'   "epoch"'))


VERSIONS: dict[str, tuple[int, int, dict[str, Any], type[ProvisionError]]] = {
    "rollback to an older list": (1, 1, {}, TrustRollbackError),
    "a version jump": (1, 4, {}, TrustJumpError),
    "an epoch jump": (3, 1, {}, TrustJumpError),
    "a new epoch that does not begin with 1": (2, 2, {}, TrustJumpError),
    "a new epoch by operators": (2, 1, {}, TooFewSignaturesError),
    "another workspace's list": (1, 3, {"workspace": "cd" * 16}, OtherWorkspaceListError),
    "a change of the recovery key": (1, 3, {"recovery": [{"name": "x", "key": public("x")}]}, ForbiddenChangeError),
    "a removal of the recovery key": (1, 3, {"recovery": []}, ForbiddenChangeError),
    "a revocation taken back": (1, 3, {"revoked": []}, ForbiddenChangeError),
    "a changed reason of a revocation": (
        1,
        3,
        {"revoked": [{"key": public("eve"), "reason": "other"}]},
        ForbiddenChangeError,
    ),
    "a lower threshold": (1, 3, {"threshold": {"trust": 1}}, ForbiddenChangeError),
}


def second() -> SignedList:
    one = first(**TWO, revoked=REVOKED_EVE)
    data = following(one, 1, 2, **TWO_OF_TWO, revoked=REVOKED_EVE)
    return accept_list(one, data, signed(data, "ada", "bob"))


@pytest.mark.parametrize("attack", VERSIONS)
def test_a_list_that_may_not_follow_is_refused_by_name(attack: str) -> None:
    epoch, version, changes, error = VERSIONS[attack]
    two = second()
    content = {**TWO_OF_TWO, "revoked": REVOKED_EVE, **changes}
    data = made(fields(1, 1)) if version == 1 and epoch == 1 else following(two, epoch, version, **content)
    with pytest.raises(error):
        accept_list(two, data, signed(data, "ada", "bob", "cleo"))


def test_operators_do_not_revoke_a_trust_key() -> None:
    one = first(**TWO)
    data = following(one, 1, 2, revoked=[{"key": public("bob"), "reason": "I say so"}])
    with pytest.raises(ForbiddenChangeError, match="revokes a key with the role trust"):
        accept_list(one, data, signed(data, "ada"))


def test_the_same_number_with_other_content_is_refused() -> None:
    two = second()
    data = made(fields(1, 2, previous="0" * 64, days=3, **TWO_OF_TWO))
    with pytest.raises(TrustRollbackError, match="two different trust lists"):
        accept_list(two, data, signed(data, "ada", "bob"))


def test_two_operators_making_the_next_list_in_two_clones() -> None:
    one = first()
    ours = accept_list(one, data := following(one, 1, 2, **TWO), signed(data, "ada"))
    theirs = following(one, 1, 2, signers=[signer("ada"), signer("cleo")])
    after_theirs = following(theirs, 1, 3, signers=[signer("ada"), signer("cleo")])
    with pytest.raises(TrustRollbackError, match="1-2"):
        accept_list(ours, theirs, signed(theirs, "ada"))
    with pytest.raises(TrustJumpError, match="follows another list 1-2") as caught:
        accept_list(ours, after_theirs, signed(after_theirs, "ada"))
    assert "two operators" in caught.value.hint


SIGNERS = {
    "met by one key twice": ("ada", "ada"),
    "met by new signers only": ("bob", "cleo"),
    "met by one of the old only": ("ada",),
    "met by a revoked key": ("ada", "eve"),
    "met by a stranger": ("ada", "mallory"),
    "met by nobody": (),
}


@pytest.mark.parametrize("attack", SIGNERS)
def test_a_threshold_of_two_is_not(attack: str) -> None:
    two = second()
    data = following(two, 1, 3, signers=[signer("ada"), signer("cleo")], threshold={"trust": 2}, revoked=REVOKED_EVE)
    with pytest.raises(TooFewSignaturesError):
        accept_list(two, data, signed(data, *SIGNERS[attack]))


def test_a_threshold_is_not_met_by_old_signers_only() -> None:
    two = second()
    new = [signer("cleo"), signer("dan")]
    data = following(two, 1, 3, signers=new, threshold={"trust": 2}, revoked=REVOKED_EVE)
    with pytest.raises(TooFewSignaturesError, match="its own trust keys"):
        accept_list(two, data, signed(data, "ada", "bob"))


def test_a_key_without_the_role_trust_signs_no_list() -> None:
    one = first(signers=[signer("ada"), signer("job", "feed"), signer("bo", "bundle", "feed", "order")])
    data = following(one, 1, 2, **TWO)
    for name in ("job", "bo"):
        with pytest.raises(TooFewSignaturesError):
            accept_list(one, data, signed(data, name))


def test_a_removed_signer_signs_no_list() -> None:
    one = first(**TWO)
    two = accept_list(one, data := following(one, 1, 2, signers=[signer("ada")]), signed(data, "ada"))
    data = following(two, 1, 3, signers=[signer("bob")])
    with pytest.raises(TooFewSignaturesError):
        accept_list(two, data, signed(data, "bob"))


def test_signatures_of_another_list_do_not_count() -> None:
    one = first()
    data, other = following(one, 1, 2, **TWO), following(one, 1, 2, days=90)
    with pytest.raises(TrustRefusedError, match="signature"):
        accept_list(one, data, signed(other, "ada"))
    with pytest.raises(TrustRefusedError, match="namespace"):
        accept_list(one, data, [sign_bytes(data, key("ada"), "hermes-provision")])


def test_recovery_overrules_operators_and_may_change_everything() -> None:
    one = first(**TWO)
    thief = accept_list(one, data := following(one, 1, 2, signers=[signer("ada")]), signed(data, "ada"))
    data = following(
        one,
        2,
        1,
        signers=[signer("cleo")],
        revoked=[{"key": public("ada"), "reason": "stolen"}],
        recovery=[{"name": "paper-2", "key": public("paper-2")}],
    )
    for current in (one, thief):
        assert accept_list(current, data, signed(data, "paper", "paper-2")).trust.number == "2-1"
        for too_few in (("paper",), ("paper-2",), ("ada", "paper-2")):
            with pytest.raises(TooFewSignaturesError):
                accept_list(current, data, signed(data, *too_few))


def test_recovery_may_be_set_once_by_operators() -> None:
    one = first(recovery=[])
    two = accept_list(one, data := following(one, 1, 2), signed(data, "ada"))
    data = following(two, 1, 3, recovery=[{"name": "x", "key": public("x")}])
    with pytest.raises(ForbiddenChangeError, match="recovery"):
        accept_list(two, data, signed(data, "ada"))


def test_only_an_unexpired_last_list_counts() -> None:
    one = first()
    require_current(one.trust, NOW + timedelta(days=179))
    require_current(one.trust, NOW - timedelta(days=365))  # a clock that is behind cannot see expiry
    for late in (180, 545):
        with pytest.raises(ExpiredListError, match="expired"):
            require_current(one.trust, NOW + timedelta(days=late))


def test_64_kib_and_one_byte() -> None:
    data = made(fields())
    with pytest.raises(BadTrustListError, match="larger than 65536"):
        parse_list(data + b" " * (MAX_LIST_BYTES + 1 - len(data)))


def test_more_signatures_than_a_list_may_have() -> None:
    data = made(fields())
    with pytest.raises(TrustRefusedError, match="more than 32"):
        found_chain(data, signed(data, *(["ada"] * 33)))


WRONG: dict[str, dict[str, Any]] = {
    "an unknown field": {"more": 1},
    "a missing field": {"revoked": None},
    "a threshold above its keys": {"threshold": {"trust": 2}},
    "a threshold of none": {"threshold": {"trust": 0}},
    "a threshold that a key without the role counts for": {
        "signers": [signer("ada"), signer("job", "feed")],
        "threshold": {"trust": 2},
    },
    "one key under two names": {"signers": [signer("ada"), {**signer("ada"), "name": "bob"}]},
    "two keys under one name": {"signers": [signer("ada"), {**signer("bob"), "name": "ADA"}]},
    "a recovery key that is an operator's": {"recovery": [{"name": "p", "key": public("ada")}]},
    "a revoked signer": {"revoked": [{"key": public("ada"), "reason": "x"}]},
    "an unknown role": {"signers": [signer("ada", "trust", "root")]},
    "roles out of order": {"signers": [signer("ada", "trust", "bundle")]},
    "a doubled role": {"signers": [signer("ada", "trust", "trust")]},
    "another kind of key": {"signers": [{**signer("ada"), "key": "ssh-rsa " + "A" * 68}]},
    "a damaged key": {"signers": [{**signer("ada"), "key": public("ada")[:-4] + "AAA="}]},
    "a list before the first": {"previous": "0" * 64},
    "no list before a later one": {"version": 2},
    "an expiry before its creation": {"expires": "2020-01-01T00:00:00Z"},
    "no signer": {"signers": []},
    "a version as text": {"version": "1"},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_contradictory_list_is_refused(what: str) -> None:
    changes = {name: value for name, value in WRONG[what].items() if value is not None}
    plain = {**fields(), **changes}
    for name, value in WRONG[what].items():
        if value is None:
            del plain[name]
    with pytest.raises(BadTrustListError):
        parse_list(made(plain))


def test_a_doubled_field_is_refused() -> None:
    data = made(fields()).replace(b'"epoch": 1,', b'"epoch": 1,\n  "epoch": 2,')
    with pytest.raises(BadTrustListError, match="twice"):
        parse_list(data)
