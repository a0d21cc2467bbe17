"""Enrolling: keys are made once and private, signers are added once, and broken lists trust no signer."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.endpoint.identity import (
    BadSignerError,
    EndpointFolder,
    NotEnrolledError,
    enroll,
    inventory_snippet,
    load_own_identities,
    load_signers,
    parse_signers,
    signer_text,
)
from provision.fleet.desired import Platform
from provision.signing.sshsig import public_line

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEY = public_line(Ed25519PrivateKey.from_private_bytes(b"1" * 32).public_key(), "it")
OTHER = public_line(Ed25519PrivateKey.from_private_bytes(b"2" * 32).public_key())


def test_enrolling_again_keeps_every_byte(tmp_path: Path) -> None:
    folder = EndpointFolder(tmp_path / "config")
    first = enroll(folder, [KEY], comment="ada", now=NOW)
    before = {path.name: path.read_bytes() for path in folder.root.iterdir()}
    again = enroll(folder, [KEY], comment="ada", now=NOW)
    assert {path.name: path.read_bytes() for path in folder.root.iterdir()} == before
    assert (first.made, again.made) == (("identity.txt", "endpoint_key"), ())
    assert (len(first.signers_added), again.signers_added) == (1, ())
    assert (again.recipient, again.endpoint_key, again.trusts) == (first.recipient, first.endpoint_key, first.trusts)
    for path in (folder.identity, folder.endpoint_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_own_identities(folder.identity)[0].recipient == first.recipient


def test_a_bad_signer_writes_nothing(tmp_path: Path) -> None:
    folder = EndpointFolder(tmp_path / "config")
    with pytest.raises(BadSignerError):
        enroll(folder, [KEY, "ssh-rsa AAAA it"], comment="", now=NOW)
    assert not folder.root.exists()


def test_a_bare_key_is_trusted_for_bundles_and_may_prove_a_trust_list() -> None:
    ((line, signer),) = parse_signers([f"# comment\n\n{KEY}\n"])
    assert line == f'operator namespaces="hermes-provision,hermes-provision-trust" {KEY}\n'
    assert signer.refusal("hermes-provision", NOW) is None
    assert signer.refusal("git", NOW) is not None


@pytest.mark.parametrize("text", ["ssh-ed25519 !!", "operator cert-authority " + KEY, "ssh-rsa AAAAB3NzaC1yc2E= it"])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(BadSignerError):
        parse_signers([text])


def test_a_signer_is_a_line_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "it.pub"
    file.write_text(KEY)
    assert signer_text(KEY, tmp_path / KEY) == KEY
    assert signer_text("it.pub", file) == KEY
    with pytest.raises(BadSignerError, match=r"absent\.pub"):
        signer_text("absent.pub", tmp_path / "absent.pub")


def test_a_list_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "allowed_signers"
    assert load_signers(path) == ()
    path.write_text(f"operator {OTHER}\n")
    path.chmod(0o644)
    assert len(load_signers(path)) == 1
    path.chmod(0o664)
    with pytest.raises(NotEnrolledError, match="writable by other users"):
        load_signers(path)
    path.chmod(0o644)
    path.write_bytes(b"\xff\xfeodd")
    with pytest.raises(NotEnrolledError, match="UTF-8"):
        load_signers(path)


def test_without_an_identity_the_way_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotEnrolledError) as caught:
        load_own_identities(tmp_path / "identity.txt")
    assert "enroll" in caught.value.hint


@pytest.mark.parametrize("host", ["ada-mbp", 'x"\n  evil: 1', "# [", "\u2028"])
def test_nothing_breaks_out_of_the_snippet(tmp_path: Path, host: str) -> None:
    enrolled = enroll(EndpointFolder(tmp_path), [], comment=host, now=NOW)
    import yaml

    (user,) = yaml.safe_load(inventory_snippet("ada", Platform.MACOS, host, enrolled))["users"]
    assert set(user) == {"id", "profile", "platform", "recipients", "endpoint_key"}
    assert user["recipients"] == [enrolled.recipient]
