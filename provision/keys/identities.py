"""Identities: private keys that open age files. Read from age identity files and unencrypted OpenSSH keys.

On POSIX systems a file that other users can read is refused: they could open every bundle sealed to it. Messages never quote the
content of a file.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyrage

from provision.detect.secret import Secret
from provision.errors import Place, ProvisionError
from provision.files import read_bounded
from provision.formats.shell_output import shell_bytes
from provision.shell import shell_path
from provision.windows_acl import on_windows, other_accounts, private_command

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT_BYTES = 1 << 20
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


class IdentityFileError(ProvisionError):
    """An identity file is missing, readable by others, encrypted or invalid."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One private key. `recipient` is its public half."""

    place: Place
    recipient: str
    native: Any = field(repr=False)


def generate_identity() -> tuple[Secret, str]:
    """Generate an X25519 identity (the line of an identity file) and its recipient."""
    identity = pyrage.x25519.Identity.generate()
    return Secret(str(identity)), str(identity.to_public())


def identity_file(identity: Secret, recipient: str, created: str) -> bytes:
    """The content of an identity file, as `age-keygen` writes it. It holds the secret: write it with mode 0600."""
    return f"# created: {created}\n# public key: {recipient}\n{identity.reveal()}\n".encode()


def load_identities(path: Path) -> tuple[Identity, ...]:
    """Load all identities of a file: an age identity file, or one OpenSSH Ed25519 or RSA key.

    Raises IdentityFileError with file and line, also if the mode is wider than 0600 on a POSIX system.
    """
    try:
        data = shell_bytes(read_bounded(path, _LIMIT_BYTES))
    except FileNotFoundError:
        raise IdentityFileError(
            f"no identity file {path}", hint="create one: provision init (operator) or provision enroll (endpoint)"
        ) from None
    check_private(path)
    if data.lstrip().startswith(b"-----BEGIN ") and b"PRIVATE KEY-----" in data[:100]:
        return (_ssh(path, data),)
    if data.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        raise IdentityFileError(
            f"{path} is encrypted with a passphrase",
            hint=_decrypting(path),
        )
    return _lines(path, data)


def _decrypting(path: Path) -> str:
    """The commands that put a decrypted copy beside the file; the copy is private from its first byte."""
    copy = path.with_name(f"{path.stem.removesuffix('.txt')}-decrypted.txt")
    said = f"decrypt it to another file: (umask 077 && age -d -o {shell_path(copy)} {shell_path(path)})"
    if os.name == "nt":
        said = f"decrypt it to another file: age -d -o {shell_path(copy)} {shell_path(path)}"
    return f"{said}, then name that file: PROVISION_IDENTITY, --identity, or `identity` in provision.toml"


def check_private(path: Path) -> None:
    """Raise IdentityFileError if group or others can access a private file. A Windows list that cannot be read proves nothing."""
    if on_windows():
        others = other_accounts(path)
        if others is not None and others.readers:
            raise IdentityFileError(
                f"{path} is readable by other accounts: {', '.join(others.readers)}", hint=private_command(path)
            )
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise IdentityFileError(
            f"{path} is readable by other users (mode {mode:04o})",
            hint=f"run `chmod 600 {shell_path(path)}`; replace the key if others may have read it",
        )


def _lines(path: Path, data: bytes) -> tuple[Identity, ...]:
    found = []
    for number, raw in enumerate(data.splitlines(), 1):
        line, place = raw.strip(), Place(str(path), number)
        if not line or line.startswith(b"#"):
            continue
        if line.startswith(b"AGE-PLUGIN-"):
            raise IdentityFileError(
                "identities of age plugins are not supported", place=place, hint="create one with age-keygen"
            )
        if line.startswith((b"age1", b"ssh-")):
            raise IdentityFileError(
                "expected an identity, found a public key", place=place, hint="use the private half"
            )
        try:
            native = pyrage.x25519.Identity.from_str(line.decode("ascii"))
        except (pyrage.IdentityError, UnicodeDecodeError):
            raise IdentityFileError(
                "invalid age identity", place=place, hint="each line is AGE-SECRET-KEY-1…, a comment or empty"
            ) from None
        found.append(Identity(place, str(native.to_public()), native))
    if not found:
        hint = "move the file away, then run `provision enroll`, or make one with age-keygen"
        raise IdentityFileError(f"{path} has no identity", hint=hint)
    return tuple(found)


def _ssh(path: Path, data: bytes) -> Identity:
    encrypted = IdentityFileError(
        f"{path} is protected by a passphrase, and provision never prompts for one",
        hint="use a separate key (from provision enroll or init), or remove it from a copy: ssh-keygen -p -N '' -f COPY",
    )
    if b"ENCRYPTED" in data or _openssh_cipher(data) not in (b"none", b""):
        raise encrypted
    try:
        native = pyrage.ssh.Identity.from_buffer(data)
    except pyrage.IdentityError as e:
        if "decrypted" in str(e):
            raise encrypted from None
        raise IdentityFileError(
            f"{path} is not an SSH key that age supports", hint="use an unencrypted ssh-ed25519 or ssh-rsa key"
        ) from None
    return Identity(Place(str(path)), _ssh_recipient(data), native)


def _ssh_recipient(data: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  identities of age do without
        Encoding,
        PublicFormat,
        load_pem_private_key,
        load_ssh_private_key,
    )

    load = load_ssh_private_key if _OPENSSH in data else load_pem_private_key
    public = load(data, password=None).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def _openssh_cipher(data: bytes) -> bytes:
    """The cipher of an OpenSSH key file (`none` if unencrypted). Empty for other formats."""
    head, _, rest = data.partition(_OPENSSH)
    if head.strip() or not rest:
        return b""
    try:
        blob = base64.b64decode(b"".join(rest.partition(b"-----END")[0].split())[:64])
    except (binascii.Error, ValueError):
        return b""
    magic, size = blob[:15], int.from_bytes(blob[15:19], "big")
    return blob[19 : 19 + size] if magic == b"openssh-key-v1\0" and size < 40 else b""
