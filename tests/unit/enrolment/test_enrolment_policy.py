"""Candidates compared with the inventory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.enrolment.policy import (
    BadEnrolmentError,
    Candidate,
    EnrolmentChange,
    InventoryKeys,
    has_expected_fingerprints,
    key_fingerprint,
    parse_candidate,
    parse_fingerprints,
    review_candidate,
)
from provision.keys.identities import generate_identity
from provision.signing.sshsig import public_line

AGE = generate_identity()[1]
OTHER = generate_identity()[1]
SSH = public_line(Ed25519PrivateKey.generate().public_key()).split()
KEY = f"{SSH[0]} {SSH[1]} ada-laptop"


def candidate(*recipients: str, key: str | None = None, user: str = "ada") -> Candidate:
    return Candidate(user, recipients, key, "file")


def inventory(*recipients: str, key: str | None = None, from_file: bool = False) -> dict[str, InventoryKeys]:
    return {"ada": InventoryKeys(frozenset(recipients), key, from_file, ("SHA256:old",))}


@pytest.mark.parametrize(
    ("new", "known", "change"),
    [
        (candidate(AGE, user="bob"), inventory(AGE), EnrolmentChange.NEW_USER),
        (candidate(AGE), inventory(AGE, OTHER), EnrolmentChange.UNCHANGED),
        (candidate(AGE, key=KEY), inventory(AGE, key=" ".join(SSH[:2])), EnrolmentChange.UNCHANGED),
        (candidate(AGE, key=KEY), inventory(AGE), EnrolmentChange.ENDPOINT_KEY),
        (candidate(AGE, key=KEY), inventory(), EnrolmentChange.FIRST),
        (candidate(AGE), inventory(OTHER), EnrolmentChange.DIFFERENT),
        (candidate(AGE, key=KEY), inventory(AGE, key="ssh-ed25519 other"), EnrolmentChange.DIFFERENT),
        (candidate(AGE, key=KEY), inventory(key="ssh-ed25519 other"), EnrolmentChange.DIFFERENT),
        (candidate(AGE), inventory(OTHER, from_file=True), EnrolmentChange.REFUSED),
        (candidate(AGE), inventory(from_file=True), EnrolmentChange.REFUSED),
    ],
)
def test_what_accepting_would_change(new: Candidate, known: dict[str, InventoryKeys], change: EnrolmentChange) -> None:
    review = review_candidate(new, known)
    assert review.change is change
    assert review.before == (() if change is EnrolmentChange.NEW_USER else ("SHA256:old",))


def test_fingerprints_of_ssh_keys_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(KEY + "\n")
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert key_fingerprint(KEY) == shown.stdout.split()[1]
    assert key_fingerprint(AGE) != key_fingerprint(OTHER)


def test_every_key_must_be_expected() -> None:
    both = candidate(AGE, key=KEY)
    listed = {"ada": {key_fingerprint(AGE)}, "bob": {key_fingerprint(KEY)}}
    assert not has_expected_fingerprints(both, listed)
    assert has_expected_fingerprints(candidate(AGE), listed)
    listed["ada"].add(key_fingerprint(KEY))
    assert has_expected_fingerprints(both, listed)
    assert not has_expected_fingerprints(candidate(AGE, user="eve"), listed)


def test_a_list_of_fingerprints() -> None:
    one, two = key_fingerprint(AGE), key_fingerprint(OTHER)
    text = f"# from the phone\nada {one}\n\nada,{two}   # second\nbob\t{one}\n"
    assert parse_fingerprints(text, "f") == {"ada": {one, two}, "bob": {one}}
    with pytest.raises(BadEnrolmentError, match="expected a user and a fingerprint") as caught:
        parse_fingerprints(f"ada {one}\nada SHA256:short\n", "f")
    assert caught.value.place is not None
    assert caught.value.place.line == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"user": "../ada"}, "invalid user id '../ada'"),
        ({"host": "a b"}, "ada: invalid host name"),
        ({"host": "[-oProxyCommand=x]"}, "ada: invalid host name"),
        ({"host": "[-oProxyCommand]:22"}, "ada: invalid host name"),
        ({"host": "ada@[-F.]:22"}, "ada: invalid host name"),
        ({"endpoint_key": "ssh-rsa AAAA"}, "ada: endpoint_key is not an ssh-ed25519 public key"),
        ({"recipients": []}, "ada: no key that a bundle can be encrypted to"),
        ({"recipients": ["age1x"]}, "ada: "),
    ],
)
def test_invalid_candidates(fields: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"user": "ada", "recipients": [AGE], "endpoint_key": None, "source": "s", **fields}
    with pytest.raises(BadEnrolmentError) as caught:
        parse_candidate(**arguments)  # type: ignore[arg-type]
    assert caught.value.message.startswith(message)


def test_lenient_lists_skip_what_cannot_be_encrypted_to() -> None:
    found = parse_candidate("ada", ["ecdsa-sha2-nistp256 AAAA", AGE, AGE], None, "s", lenient=True)
    assert found.recipients == (AGE,)
    assert len(found.skipped) == 1
    assert found.fingerprints == (key_fingerprint(AGE),)
    with pytest.raises(BadEnrolmentError, match=r"no key .* \("):
        parse_candidate("ada", ["ecdsa-sha2-nistp256 AAAA"], None, "s", lenient=True)


def test_words_stand_for_all_keys_together() -> None:
    from provision.enrolment.policy import has_expected_fingerprints, key_words, parse_fingerprints

    one, two = "age1" + "q" * 58, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhL5cUERm2OM0IyoVYWNb/u654hguiIfvPlFJSqOXFN"
    words = key_words((one, two))
    assert words == key_words((two + " a comment", one))
    assert words != key_words((one,))
    assert [len(word) for word in words.split("-")] == [5] * 5
    candidate = Candidate("ada", (one,), two, "s")
    assert has_expected_fingerprints(candidate, parse_fingerprints(f"ada {words}\n", "f"))
    assert not has_expected_fingerprints(candidate, parse_fingerprints(f"bob {words}\n", "f"))
    assert not has_expected_fingerprints(candidate, parse_fingerprints(f"ada {key_words((one,))}\n", "f"))
    with pytest.raises(BadEnrolmentError):
        parse_fingerprints("ada lusab-babad\n", "f")


def test_a_word_is_a_proquint() -> None:
    from provision.enrolment.policy import _proquint

    assert "-".join((_proquint(0x7F00), _proquint(0x0001))) == "lusab-babad", "the example of the proposal: 127.0.0.1"
