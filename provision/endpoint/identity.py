"""An endpoint's configuration folder: its age identity, the key that signs its receipts, and the signers it trusts.

Private keys are made here, have mode 0600 and never leave the machine. `enroll` only adds what is missing and prints the
public keys. The folder is the platform's configuration folder, or `PROVISION_CONFIG_DIR`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import FileProblemError, locked, read_bounded, read_optional, write_atomic
from provision.formats.shell_output import shell_bytes
from provision.keys.age import check_private, generate_identity, identity_file, load_identities
from provision.shell import shell_path
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer, parse_allowed_signers, signer_line
from provision.signing.sshsig import NAMESPACE, blob_fingerprint, load_signing_key, new_signing_key, public_line
from provision.trust.trust_list import DERIVED, MAX_LIST_BYTES, TRUST_NAMESPACE, BadTrustListError, parse_list
from provision.windows_acl import on_windows, other_accounts, private_command

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from provision.fleet.desired import Platform
    from provision.keys.age import Identity

_MAX_LIST_BYTES = 1 << 20
FOUNDER_NAMESPACES = f"{NAMESPACE},{TRUST_NAMESPACE}"


class NotEnrolledError(ProvisionError):
    """This machine has no identity, or trusts no signer yet."""


class BadSignerError(ProvisionError):
    """The value of `--signer` is neither a public key nor a file of public keys."""


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

    @property
    def it_contact(self) -> Path:
        """Where IT is reached, as the last installed bundle said."""
        return self.root / "it-contact"

    @property
    def trust_list(self) -> Path:
        return self.root / "trust_list.json"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The public keys of an endpoint. `made` names the files that this run created, `trusts` the signers it accepts."""

    recipient: str
    endpoint_key: str
    made: tuple[str, ...]
    signers_added: tuple[str, ...]
    trusts: tuple[str, ...]


def enroll(folder: EndpointFolder, signers: Iterable[str], *, comment: str, now: datetime) -> Enrolled:
    """Make missing keys and add `signers` (lines, already resolved) to the trusted ones; existing files stay.

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
        added = _trust(folder, wanted, now)
    recipients = [identity.recipient for identity in load_identities(folder.identity) if identity.recipient]
    if not recipients:
        raise NotEnrolledError(
            f"no age identity in {folder.identity}", hint="move the file away, then run `provision enroll` again"
        )
    key = load_signing_key(folder.endpoint_key).public_key()
    return Enrolled(
        recipient=recipients[0],
        endpoint_key=public_line(key, comment),
        made=tuple(made),
        signers_added=added,
        trusts=_trusted(folder),
    )


def _trust(folder: EndpointFolder, wanted: tuple[tuple[str, AllowedSigner], ...], now: datetime) -> tuple[str, ...]:
    """Add signers on a machine without a trust list. A list that is in order decides alone; one that is missing or damaged is
    given up for the signers: this is the way back."""
    data = read_optional(folder.trust_list, MAX_LIST_BYTES)
    derived = (read_optional(folder.allowed_signers, _MAX_LIST_BYTES) or b"").startswith(DERIVED.encode())
    if _is_sound(data):
        return ()
    if wanted and (data is not None or derived):
        folder.trust_list.unlink(missing_ok=True)
        write_atomic(folder.allowed_signers, "".join(line for line, _ in wanted).encode(), mode=0o644)
        return tuple(blob_fingerprint(signer.blob) for _, signer in wanted)
    return () if derived else _add_signers(folder.allowed_signers, wanted, now)


def _trusted(folder: EndpointFolder) -> tuple[str, ...]:
    """The signers in force, as text; none while a trust list is missing or damaged."""
    data = read_optional(folder.trust_list, MAX_LIST_BYTES)
    derived = (read_optional(folder.allowed_signers, _MAX_LIST_BYTES) or b"").startswith(DERIVED.encode())
    if (data is not None or derived) and not _is_sound(data):
        return ()
    return tuple(f"{s.principals} {blob_fingerprint(s.blob)}" for s in load_signers(folder.allowed_signers))


def _is_sound(data: bytes | None) -> bool:
    try:
        return data is not None and bool(parse_list(data))
    except BadTrustListError:
        return False


def _absent(path: Path) -> bool:
    """Whether nothing exists at the path. A dangling link or an unreadable file exists, and is not replaced."""
    return not os.path.lexists(path)


def signer_text(argument: str, path: Path) -> str:
    """The text of a `--signer`: a public key line, an allowed_signers line, or the file at `path` with either."""
    words = argument.split()
    if any(word.startswith("ssh-") for word in words[:3]):
        return argument
    try:
        return shell_bytes(read_bounded(path, _MAX_LIST_BYTES)).decode()
    except (FileNotFoundError, FileProblemError, UnicodeDecodeError) as e:
        raise BadSignerError(
            f"invalid signer {argument!r}: expected an SSH public key or a file with one",
            hint='--signer "ssh-ed25519 AAAA… operator", or a .pub or allowed_signers file',
        ) from e


def parse_signers(texts: Iterable[str]) -> tuple[tuple[str, AllowedSigner], ...]:
    """Parse signers to allowed_signers lines. A bare public key is allowed bundles, and may prove a chain of trust lists.

    Raises BadSignerError.
    """
    found = []
    for text in texts:
        for line in text.splitlines():
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            full = (
                signer_line("operator", stripped, FOUNDER_NAMESPACES)
                if stripped.startswith("ssh-")
                else stripped + "\n"
            )
            try:
                (signer,) = parse_allowed_signers(full, "--signer")
            except (ProvisionError, ValueError) as e:
                raise BadSignerError(f"invalid signer: {e}", hint='--signer "ssh-ed25519 AAAA… operator"') from e
            if signer.key_type != "ssh-ed25519" or signer.authority:
                raise BadSignerError(
                    "a signer must be a plain Ed25519 key", hint="ask IT for the .pub file of their signing key"
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
    """The trusted signers in the file at `path`; none when it is missing. The file must not be writable by others."""
    data = read_optional(path, _MAX_LIST_BYTES)
    if data is None:
        return ()
    others = other_accounts(path) if on_windows() else None
    if others is not None and others.writers:
        raise NotEnrolledError(
            f"{path} is writable by other accounts ({', '.join(others.writers)}), so it is not trusted",
            hint=private_command(path),
        )
    if not on_windows() and path.stat().st_mode & 0o022:
        raise NotEnrolledError(
            f"{path} is writable by other users, so it is not trusted", hint=f"chmod 644 {shell_path(path)}"
        )
    try:
        return parse_allowed_signers(shell_bytes(data).decode(), str(path))
    except UnicodeDecodeError as e:
        raise NotEnrolledError(
            f"{path} is not UTF-8 text", hint="move it away, then run `provision enroll` again"
        ) from e


def load_own_identities(path: Path) -> tuple[Identity, ...]:
    """The identities that open this endpoint's bundles. Raises NotEnrolledError when there is none yet."""
    if _absent(path):
        raise NotEnrolledError(
            f"this machine has no identity ({path})",
            hint="run `provision enroll` and send its output to IT, or use --identity FILE",
        )
    check_private(path)
    return load_identities(path)


def inventory_snippet(
    user: str | None, platform: Platform, host: str, enrolled: Enrolled, machine: str | None = None
) -> str:
    """YAML for the operator's inventory. Values are JSON strings, which are valid YAML and cannot break out."""
    return (
        "users:\n"
        f"  - id: {json.dumps(user) if user else 'YOUR-ID'}\n"
        "    profile: TEAM-PROFILE  # filled in by IT\n"
        + (f"    machine: {machine}\n" if machine else "")
        + f"    platform: {platform.value}\n"
        f"    recipients: [{json.dumps(enrolled.recipient)}]\n"
        f"    endpoint_key: {json.dumps(enrolled.endpoint_key)}\n"
        f"    # made on {json.dumps(host)}\n"
    )
