"""An endpoint's own folder: its age identity, the key that signs its receipts, and whom it trusts.

Private halves are made here, have mode 0600 and never leave; `enroll` only ever adds what is missing and prints the
public halves. The folder is the platform's configuration folder, or `PROVISION_CONFIG_DIR`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import FileProblemError, locked, read_bounded, read_optional, write_atomic
from provision.keys.age import check_private, generate_identity, identity_file, load_identities
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer, parse_allowed_signers, signer_line
from provision.signing.sshsig import blob_fingerprint, load_signing_key, new_signing_key, public_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from provision.fleet.desired import Platform
    from provision.keys.age import Identity

_MAX_LIST_BYTES = 1 << 20


class NotEnrolledError(ProvisionError):
    """This machine has no identity, or trusts nobody yet."""


class BadSignerError(ProvisionError):
    """What was given as a signer is no public key and no file of public keys."""


@dataclass(frozen=True, slots=True)
class EndpointFolder:
    """The files in an endpoint's configuration folder."""

    root: Path

    @property
    def identity(self) -> Path:
        return self.root / "identity.txt"

    @property
    def endpoint_key(self) -> Path:
        return self.root / "endpoint_key"

    @property
    def allowed_signers(self) -> Path:
        return self.root / "allowed_signers"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The public side of an endpoint; `made` names the files this run created, `trusts` whose bundles it accepts."""

    recipient: str
    endpoint_key: str
    made: tuple[str, ...]
    signers_added: tuple[str, ...]
    trusts: tuple[str, ...]


def enroll(folder: EndpointFolder, signers: Iterable[str], *, comment: str, now: datetime) -> Enrolled:
    """Make what is missing, add `signers` (lines, already resolved) to those trusted; what exists is kept as it is.

    Raises BadSignerError before anything is written.
    """
    wanted = parse_signers(signers)
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder.root / ".lock", "enroll"):
        made = []
        if _absent(folder.identity):
            secret, recipient = generate_identity()
            write_atomic(folder.identity, identity_file(secret, recipient, now.isoformat(timespec="seconds")))
            made.append(folder.identity.name)
        if _absent(folder.endpoint_key):
            write_atomic(folder.endpoint_key, new_signing_key()[1])
            made.append(folder.endpoint_key.name)
        added = _add_signers(folder.allowed_signers, wanted, now)
    recipients = [identity.recipient for identity in load_identities(folder.identity) if identity.recipient]
    if not recipients:
        raise NotEnrolledError(f"{folder.identity} holds no age identity", hint="move it away and enroll again")
    key = load_signing_key(folder.endpoint_key).public_key()
    return Enrolled(
        recipient=recipients[0],
        endpoint_key=public_line(key, comment),
        made=tuple(made),
        signers_added=added,
        trusts=tuple(f"{s.principals} {blob_fingerprint(s.blob)}" for s in load_signers(folder.allowed_signers)),
    )


def _absent(path: Path) -> bool:
    """Whether nothing at all is there: a dangling link or an unreadable file is somebody's, and not replaced."""
    return not os.path.lexists(path)


def signer_text(argument: str, path: Path) -> str:
    """What `--signer` was given: a public key line, an allowed_signers line, or a file of either at `path`."""
    words = argument.split()
    if any(word.startswith("ssh-") for word in words[:3]):
        return argument
    try:
        return read_bounded(path, _MAX_LIST_BYTES).decode()
    except (FileNotFoundError, FileProblemError, UnicodeDecodeError) as e:
        raise BadSignerError(
            f"{argument!r} is neither an SSH public key nor a file that holds one",
            hint='--signer "ssh-ed25519 AAAA… operator", or a .pub or allowed_signers file',
        ) from e


def parse_signers(texts: Iterable[str]) -> tuple[tuple[str, AllowedSigner], ...]:
    """Lines for allowed_signers with what they mean; bare public keys are limited to our namespace. Raises BadSignerError."""
    found = []
    for text in texts:
        for line in text.splitlines():
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            full = signer_line("operator", stripped) if stripped.startswith("ssh-") else stripped + "\n"
            try:
                (signer,) = parse_allowed_signers(full, "--signer")
            except (ProvisionError, ValueError) as e:
                raise BadSignerError(f"not a signer: {e}", hint='give "ssh-ed25519 AAAA… operator"') from e
            if signer.key_type != "ssh-ed25519" or signer.authority:
                raise BadSignerError(
                    "only plain Ed25519 keys sign bundles", hint="ask IT for the .pub of their signing key"
                )
            found.append((full, signer))
    return tuple(found)


def _add_signers(path: Path, wanted: tuple[tuple[str, AllowedSigner], ...], now: datetime) -> tuple[str, ...]:
    present = read_optional(path, _MAX_LIST_BYTES)
    text = (present or b"").decode()
    signers = parse_allowed_signers(text, str(path))
    new = {line: signer for line, signer in wanted if isinstance(find_trusted_signer(signers, signer.blob, now), str)}
    if new:
        joined = text if not text or text.endswith("\n") else text + "\n"
        write_atomic(path, (joined + "".join(new)).encode(), mode=0o644)
    return tuple(blob_fingerprint(signer.blob) for signer in new.values())


def load_signers(path: Path) -> tuple[AllowedSigner, ...]:
    """The trust anchors at `path`; no file is the same as an empty one: nobody. Others must not be able to write it."""
    data = read_optional(path, _MAX_LIST_BYTES)
    if data is None:
        return ()
    if os.name != "nt" and path.stat().st_mode & 0o022:
        raise NotEnrolledError(
            f"{path} can be written by others, so it says nothing about trust", hint=f"chmod 644 {path}"
        )
    try:
        return parse_allowed_signers(data.decode(), str(path))
    except UnicodeDecodeError as e:
        raise NotEnrolledError(f"{path} is not text", hint="enroll again after moving it away") from e


def load_own_identities(path: Path) -> tuple[Identity, ...]:
    """The identities that open this endpoint's bundles. Raises NotEnrolledError when there are none yet."""
    if _absent(path):
        raise NotEnrolledError(
            f"this machine has no identity ({path})",
            hint="run `provision enroll` and send its output to IT, or name a key with --identity",
        )
    check_private(path)
    return load_identities(path)


def inventory_snippet(user: str | None, platform: Platform, host: str, enrolled: Enrolled) -> str:
    """YAML for the operator's inventory: what only this machine knows. JSON strings are YAML, so nothing can break out."""
    return (
        "users:\n"
        f"  - id: {json.dumps(user) if user else 'YOUR-ID'}\n"
        "    profile: TEAM-PROFILE  # filled in by IT\n"
        f"    platform: {platform.value}\n"
        f"    recipients: [{json.dumps(enrolled.recipient)}]\n"
        f"    endpoint_key: {json.dumps(enrolled.endpoint_key)}\n"
        f"    # made on {json.dumps(host)}\n"
    )
