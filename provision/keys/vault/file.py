"""The vault on disk: read it, open it, and change it so that a crash at any instant leaves the old or the new file.

Changes happen under a lock, and a file that something else wrote meanwhile (a `git pull`) is never overwritten. What a change
does to which key is recorded in the event log beside the vault, before the vault is saved.
"""

from __future__ import annotations

import contextlib
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import STAGED_SUFFIX, locked, read_bounded, write_atomic
from provision.keys.events.changes import vault_changes
from provision.keys.events.log import append, log_path, operator, vault_created_event
from provision.keys.vault.text import WORKSPACE_LINES_BYTES, SealedVault, parse_vault, parse_workspace_id
from provision.keys.vault.vault import Vault, new_vault, open_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.keys.age import Identity

LIMIT_BYTES = 256 << 20
_MODE = 0o644  # sealed, and meant for git


class NoVaultError(ProvisionError):
    """There is no vault, or there is one where a new one was to be made."""


class VaultChangedError(ProvisionError):
    """The file was written by something else while it was being changed; nothing was overwritten."""


def create_vault(path: Path, operators: Sequence[str]) -> SealedVault:
    """Make an empty vault, durably. Raises NoVaultError when there is a file, BadRecipientError for an operator."""
    with _locked(path, "making the vault", 10.0):
        if path.exists():
            raise NoVaultError(f"{path} exists already", hint="nothing was changed; it may hold keys")
        vault = new_vault(operators)
        append(log_path(path), [vault_created_event(vault.workspace_id, datetime.now(UTC))])
        write_atomic(path, vault.serialised(), mode=_MODE)
    return read_vault(path)


def read_vault(path: Path) -> SealedVault:
    """What can be known without an identity. Raises NoVaultError, VaultFormatError."""
    return parse_vault(_bytes(path), str(path))


def read_workspace_id(path: Path) -> str:
    """The workspace's id, from the beginning of the file alone. Raises NoVaultError, VaultFormatError."""
    try:
        with path.open("rb") as file:
            return parse_workspace_id(file.read(WORKSPACE_LINES_BYTES), str(path))
    except FileNotFoundError:
        raise _no_vault(path) from None


def open_vault(path: Path, identities: Sequence[Identity]) -> Vault:
    """The opened vault, its seal verified; no line is decrypted yet. Not for changes: see `editing`."""
    return open_sealed(read_vault(path), identities)


@contextlib.contextmanager
def editing(path: Path, identities: Sequence[Identity], doing: str, *, wait_s: float = 10.0) -> Iterator[Vault]:
    """Change a vault: leaving the block normally saves it if it changed, leaving by an exception changes nothing.

    `doing` is shown to whoever waits for the lock, and is the event log's name for the change. Raises LockedError,
    VaultChangedError, EventLogError and whatever opening raises.
    """
    path = path.resolve()  # a link to the vault stays a link
    with _locked(path, doing, wait_s):
        _sweep(path)
        before = _bytes(path)
        digest = hashlib.sha256(before).digest()
        vault = open_sealed(parse_vault(before, str(path)), identities)
        del before
        lines, operators = vault.lines, vault.operators
        yield vault
        if not vault.changed:
            return
        data = vault.serialised()
        if hashlib.sha256(_bytes(path)).digest() != digest:
            raise VaultChangedError(
                f"{path} was changed by something else meanwhile (git?); it was left as it is",
                hint="run the same command again",
            )
        events = vault_changes(lines, operators, vault, at=datetime.now(UTC), who=operator(), command=doing)
        append(log_path(path), events, generation=vault.generation)
        write_atomic(path, data, mode=_MODE)


def _bytes(path: Path) -> bytes:
    try:
        return read_bounded(path, LIMIT_BYTES)
    except FileNotFoundError:
        raise _no_vault(path) from None


def _no_vault(path: Path) -> NoVaultError:
    return NoVaultError(f"there is no vault at {path}", hint="make one: provision init, or fetch it from git")


def _locked(path: Path, doing: str, wait_s: float) -> contextlib.AbstractContextManager[None]:
    return locked(path.with_name(f".{path.name}.lock"), doing, wait_s=wait_s)


def _sweep(path: Path) -> None:
    """Remove what a killed process staged and never renamed; under the lock nobody else is writing."""
    for stray in path.parent.glob(f".{path.name}.*{STAGED_SUFFIX}"):
        with contextlib.suppress(OSError):
            stray.unlink()
