"""Our signatures and the real ssh-keygen's agree, both ways."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer, parse_allowed_signers
from provision.signing.sshsig import (
    NAMESPACE,
    BadSignatureError,
    BadSigningKeyError,
    blob_fingerprint,
    load_signing_key,
    new_signing_key,
    public_line,
    sign_bytes,
    verify_signature,
)

pytestmark = pytest.mark.programs("ssh-keygen")

KEYGEN = shutil.which("ssh-keygen") or "ssh-keygen"
DATA = b'{"user": "ada"}\n\x00\xff'


def keygen(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([KEYGEN, *arguments], input=data, capture_output=True, check=False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    assert keygen("-q", "-t", "ed25519", "-N", "", "-C", "ada@laptop", "-f", str(path)).returncode == 0
    return path


def stock_verifies(
    folder: Path, allowed: str, signature: bytes, data: bytes = DATA, namespace: str = NAMESPACE
) -> bool:
    (folder / "allowed").write_text(allowed)
    (folder / "signature").write_bytes(signature)
    who = ["-f", str(folder / "allowed"), "-I", "operator", "-n", namespace, "-s", str(folder / "signature")]
    done = keygen("-Y", "verify", *who, data=data)
    return done.returncode == 0


def test_ssh_keygen_verifies_what_we_sign(tmp_path: Path, key_file: Path) -> None:
    key = load_signing_key(key_file)
    allowed = f'operator namespaces="{NAMESPACE}" {public_line(key.public_key())}\n'
    assert stock_verifies(tmp_path, allowed, sign_bytes(DATA, key))
    assert not stock_verifies(tmp_path, allowed, sign_bytes(DATA, key), data=DATA + b"x")
    assert not stock_verifies(tmp_path, allowed, sign_bytes(DATA, key, "git"), namespace="git")


def test_we_verify_what_ssh_keygen_signs(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    assert keygen("-Y", "sign", "-f", str(key_file), "-n", NAMESPACE, str(tmp_path / "data")).returncode == 0
    signature = (tmp_path / "data.sig").read_bytes()
    blob = verify_signature(DATA, signature)
    public = (tmp_path / "key.pub").read_text()
    signer = find_trusted_signer(parse_allowed_signers(f"operator {public}"), blob, datetime.now(UTC))
    assert isinstance(signer, AllowedSigner)
    assert signer.comment == "ada@laptop"
    assert blob_fingerprint(blob).encode() in keygen("-l", "-f", str(key_file)).stdout
    assert signature == sign_bytes(DATA, load_signing_key(key_file))
    with pytest.raises(BadSignatureError):
        verify_signature(DATA + b"x", signature)


def test_ssh_keygen_reads_a_key_we_made(tmp_path: Path) -> None:
    key, private = new_signing_key()
    path = tmp_path / "ours"
    path.write_bytes(private)
    path.chmod(0o600)
    assert keygen("-y", "-f", str(path)).stdout.decode().split()[:2] == public_line(key.public_key()).split()


OPTIONS = [
    "",
    f'namespaces="{NAMESPACE}"',
    'namespaces="hermes-*"',
    'namespaces="git"',
    f'namespaces="*,!{NAMESPACE}"',
    f'namespaces="git,{NAMESPACE}",valid-after="20200101"',
    'valid-after="20200101Z",valid-before="20200102Z"',
    'valid-after="20990101"',
    'valid-before="209901011200"',
    'valid-before="20200101120000Z"',
    "cert-authority",
    'Namespaces="hermes-provision"',
]


@pytest.mark.parametrize("options", OPTIONS)
def test_trust_agrees_with_ssh_keygen(tmp_path: Path, key_file: Path, options: str) -> None:
    key = load_signing_key(key_file)
    line = f"# list\n\noperator {options} {public_line(key.public_key())} a comment\n"
    signature = sign_bytes(DATA, key)
    ours = find_trusted_signer(parse_allowed_signers(line), verify_signature(DATA, signature), datetime.now(UTC))
    assert isinstance(ours, AllowedSigner) == stock_verifies(tmp_path, line, signature)


@pytest.mark.parametrize("kind", [["rsa", "-b", "2048"], ["ecdsa"]])
def test_other_key_types_are_refused(tmp_path: Path, kind: list[str]) -> None:
    path = tmp_path / "other"
    keygen("-q", "-t", *kind, "-N", "", "-f", str(path))
    with pytest.raises(BadSigningKeyError, match="Ed25519"):
        load_signing_key(path)
    (tmp_path / "data").write_bytes(DATA)
    keygen("-Y", "sign", "-f", str(path), "-n", NAMESPACE, str(tmp_path / "data"))
    with pytest.raises(BadSignatureError):
        verify_signature(DATA, (tmp_path / "data.sig").read_bytes())
    assert parse_allowed_signers("operator " + path.with_suffix(".pub").read_text())


def test_private_key_must_be_private_and_open(tmp_path: Path, key_file: Path) -> None:
    key_file.chmod(0o644)
    with pytest.raises(BadSigningKeyError, match="readable by other users"):
        load_signing_key(key_file)
    locked = tmp_path / "locked"
    keygen("-q", "-t", "ed25519", "-N", "passphrase", "-f", str(locked))
    with pytest.raises(BadSigningKeyError, match="passphrase"):
        load_signing_key(locked)
    with pytest.raises(BadSigningKeyError, match="no signing key"):
        load_signing_key(tmp_path / "absent")
