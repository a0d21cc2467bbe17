"""SSH signatures (SSHSIG) with Ed25519, as `ssh-keygen -Y sign` makes and `-Y verify` verifies them.

Only Ed25519 and SHA-512 are accepted. The armor is accepted only in the form that OpenSSH and provision write, so a
signature file with any altered byte is refused, even where base64 would ignore it. Format: OpenSSH `PROTOCOL.sshsig`.
`allowed_signers` decides which signers are trusted.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import stat
import struct
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provision.errors import ProvisionError
from provision.files import read_bounded
from provision.shell import shell_path
from provision.windows_acl import on_windows, other_accounts, private_command

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = "hermes-provision"
KEY_TYPE = "ssh-ed25519"
MAX_SIGNATURE_BYTES = 4096
_MAGIC = b"SSHSIG"
_HASH = b"sha512"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_COLUMNS = 70  # where OpenSSH wraps


class BadSignatureError(ProvisionError):
    """The signature is damaged, is not over these bytes, or is of another namespace."""


class BadSigningKeyError(ProvisionError):
    """The private key is unusable: unreadable, readable by others, encrypted, or of another type."""


def sign_bytes(data: bytes, key: Ed25519PrivateKey, namespace: str = NAMESPACE) -> bytes:
    """An armored SSHSIG over `data`; Ed25519 is deterministic, so equal bytes give an equal signature."""
    signature = key.sign(_signed_bytes(data, namespace.encode()))
    return _armor(_own_head(key, namespace) + _string(_string(KEY_TYPE.encode()) + _string(signature)))


def verify_signature(data: bytes, armored: bytes, namespace: str = NAMESPACE) -> bytes:
    """The public key (as an SSH wire blob) that signed `data`. Trust is not checked. Raises BadSignatureError."""
    blob = _unarmor(armored)
    try:
        public, found_namespace, signature = _parse(blob)
        key = Ed25519PublicKey.from_public_bytes(_raw_public(public))
    except (ValueError, struct.error) as e:
        raise BadSignatureError(f"the signature is damaged: {e}", hint="fetch the bundle again") from e
    if found_namespace != namespace.encode():
        shown = found_namespace.decode("ascii", "replace")[:40]
        raise BadSignatureError(
            f"the signature is of namespace {shown!r}, expected {namespace!r}",
            hint="ask IT to sign it with `provision render`",
        )
    try:
        key.verify(signature, _signed_bytes(data, found_namespace))
    except InvalidSignature as e:
        raise BadSignatureError(
            "the signature does not match the content: one of the two was altered", hint="fetch it again"
        ) from e
    return public


def signature_key(armored: bytes) -> bytes:
    """The public key blob in a signature, unverified. Raises BadSignatureError."""
    try:
        return _parse(_unarmor(armored))[0]
    except (ValueError, struct.error) as e:
        raise BadSignatureError(f"the signature is damaged: {e}") from e


@functools.lru_cache(maxsize=8)
def _own_head(key: Ed25519PrivateKey, namespace: str) -> bytes:
    """The fields before the signature, cached: a render signs thousands of times with the same key."""
    fields = (public_blob(key.public_key()), namespace.encode(), b"", _HASH)
    return _MAGIC + struct.pack(">I", 1) + b"".join(map(_string, fields))


def public_blob(key: Ed25519PublicKey) -> bytes:
    """The key in the wire form that an OpenSSH public key line holds in base64."""
    return _string(KEY_TYPE.encode()) + _string(key.public_bytes_raw())


def public_line(key: Ed25519PublicKey, comment: str = "") -> str:
    """An OpenSSH public key line: `ssh-ed25519 AAAA… comment`."""
    return " ".join(part for part in (KEY_TYPE, base64.b64encode(public_blob(key)).decode(), comment) if part)


def blob_fingerprint(blob: bytes) -> str:
    """`SHA256:…` of a public key blob, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in an unencrypted OpenSSH private key file of mode 0600. Raises BadSigningKeyError."""
    try:
        data = read_bounded(path, 64 * 1024)
    except FileNotFoundError as e:
        raise BadSigningKeyError(
            f"no signing key at {path}",
            hint=f"ssh-keygen -t ed25519 -N '' -f {shell_path(path)}",
        ) from e
    others = other_accounts(path) if on_windows() else None
    if others is not None and others.readers:
        raise BadSigningKeyError(
            f"{path} is readable by other accounts: {', '.join(others.readers)}", hint=private_command(path)
        )
    if not on_windows() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadSigningKeyError(f"{path} is readable by other users", hint=f"chmod 600 {shell_path(path)}")
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key  # noqa: PLC0415  who only verifies does without

    try:
        key = load_ssh_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        encrypted = b"bcrypt" in data or "encrypted" in str(e).lower() or "password" in str(e).lower()
        why = "is protected by a passphrase" if encrypted else "is not an OpenSSH private key"
        raise BadSigningKeyError(f"{path} {why}", hint="use an unencrypted Ed25519 key of mode 0600") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSigningKeyError(f"{path} is not an Ed25519 key", hint="ssh-keygen -t ed25519")
    return key


def new_signing_key() -> tuple[Ed25519PrivateKey, bytes]:
    """Generate a key; returns it with its OpenSSH private key file."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def _signed_bytes(data: bytes, namespace: bytes) -> bytes:
    return _MAGIC + _string(namespace) + _string(b"") + _string(_HASH) + _string(hashlib.sha512(data).digest())


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _armor(blob: bytes) -> bytes:
    text = base64.b64encode(blob).decode()
    lines = [text[i : i + _COLUMNS] for i in range(0, len(text), _COLUMNS)]
    return ("\n".join([_BEGIN, *lines, _END]) + "\n").encode()


def _unarmor(armored: bytes) -> bytes:
    try:
        if len(armored) > MAX_SIGNATURE_BYTES:
            raise ValueError("it is too large")
        lines = armored.decode("ascii").split("\n")
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
        if _armor(blob) != armored:
            raise ValueError("its armor differs from the one that ssh-keygen writes")
    except (ValueError, binascii.Error) as e:
        raise BadSignatureError(f"the signature is damaged: {e}", hint="fetch the bundle again") from e
    return blob


def _parse(blob: bytes) -> tuple[bytes, bytes, bytes]:
    """Public key blob, namespace, raw signature; ValueError for anything but SSHSIG version 1, Ed25519, SHA-512."""
    if blob[:6] != _MAGIC or struct.unpack(">I", blob[6:10])[0] != 1:
        raise ValueError("not an SSH signature of version 1")
    (public, namespace, _reserved, hash_name, signature), rest = _strings(blob[10:], 5)
    if rest or hash_name != _HASH:
        raise ValueError("not a signature over SHA-512")
    (kind, raw), rest = _strings(signature, 2)
    if rest or kind != KEY_TYPE.encode() or len(raw) != 64:
        raise ValueError("not an Ed25519 signature")
    return public, namespace, raw


def _raw_public(blob: bytes) -> bytes:
    (kind, raw), rest = _strings(blob, 2)
    if rest or kind != KEY_TYPE.encode() or len(raw) != 32:
        raise ValueError("not an Ed25519 key")
    return raw


def _strings(data: bytes, count: int) -> tuple[list[bytes], bytes]:
    found = []
    for _ in range(count):
        (length,) = struct.unpack(">I", data[:4])
        if length > len(data) - 4:
            raise ValueError("it is truncated")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found, data
