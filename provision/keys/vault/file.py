"""The vault on disk: read, open and change it. A crash at any time leaves the old or the new file.

Changes are made under a lock. If another program (such as `git pull`) changed the file in the meantime, it is not
overwritten. The changes to keys are recorded in the event log beside the vault, before the vault is saved.
"""

from __future__ import annotations

import contextlib
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import STAGED_SUFFIX, locked, read_bounded, write_atomic
from provision.keys.events.changes import vault_changes
from provision.keys.events.log import append, log_mismatches, log_path, operator, vault_created_event
from provision.keys.vault.known_key import data_key_digest, keep_known_vault, require_known_vault
from provision.keys.vault.text import WORKSPACE_LINES_BYTES, SealedVault, parse_vault, parse_workspace_id
from provision.keys.vault.together import finish_above
from provision.keys.vault.vault import Vault, new_vault, open_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.keys.age import Identity

LIMIT_BYTES = 256 << 20
_MODE = 0o644  # encrypted, and meant for git


class NoVaultError(ProvisionError):
    """The vault is missing, or it exists although a new one should be created."""


class VaultChangedError(ProvisionError):
    """Another program changed the file during an edit. Nothing was overwritten."""


class OlderVaultError(ProvisionError):
    """The vault is older than its event log: an old copy was put back."""


def read_newest_vault(path: Path) -> tuple[SealedVault, list[str]]:
    """Read the vault, and what looks wrong with its log. Raises OlderVaultError if no crash explains an older vault."""
    sealed, remarks = read_vault(path), []
    for found in log_mismatches(log_path(path), sealed.generation, sealed.header.log_head):
        if found.rule == "older-vault" and not found.maybe_crash:
            raise OlderVaultError(
                found.message, hint="restore the newest one from git: git log -p keys.vault events.jsonl"
            )
        remarks.append(f"warning: {found.message}; check with `provision keys log --verify`")
    return sealed, remarks


def create_vault(path: Path, operators: Sequence[str]) -> SealedVault:
    """Create an empty vault, durably. Raises NoVaultError if the file exists, BadRecipientError for an invalid operator."""
    with _locked(path, "creating the vault", 10.0):
        if path.exists():
            raise NoVaultError(
                f"{path} already exists", hint="it was not changed: it may hold keys; move it away to create a new one"
            )
        vault = new_vault(operators)
        recorded = append(log_path(path), [vault_created_event(vault.workspace_id, datetime.now(UTC))])
        write_atomic(path, vault.serialised(recorded.head), mode=_MODE)
    return read_vault(path)


def read_vault(path: Path) -> SealedVault:
    """Read the vault without decrypting it. Raises NoVaultError, VaultFormatError."""
    return parse_vault(_bytes(path), str(path))


def read_workspace_id(path: Path) -> str:
    """Read only the workspace\'s id, from the beginning of the file. Raises NoVaultError, VaultFormatError."""
    try:
        with path.open("rb") as file:
            return parse_workspace_id(file.read(WORKSPACE_LINES_BYTES), str(path))
    except FileNotFoundError:
        raise _no_vault(path) from None


def open_vault(path: Path, identities: Sequence[Identity]) -> Vault:
    """Open the vault and verify its seal. Keys are decrypted on use. For changes use `editing`."""
    return open_sealed(read_vault(path), identities)


@contextlib.contextmanager
def editing(
    path: Path, identities: Sequence[Identity], doing: str, *, wait_s: float = 10.0, remember: bool = True
) -> Iterator[Vault]:
    """Change a vault. It is saved if the block ends normally and changed it; after an exception nothing changes.

    `doing` is the command's name, shown to processes that wait for the lock and recorded in the event log. `remember`: keep
    which data key this vault has; False for a copy that is removed afterwards. Raises
    LockedError, VaultChangedError, OtherVaultError, EventLogError, and what opening raises.
    """
    path = path.resolve()  # a link to the vault stays a link
    with _locked(path, doing, wait_s):
        finish_above(path)
        _sweep(path)
        before = _bytes(path)
        digest = hashlib.sha256(before).digest()
        vault = open_sealed(parse_vault(before, str(path)), identities)
        del before
        known = require_known_vault(path, vault)
        lines, operators = vault.lines, vault.operators
        yield vault
        if not vault.changed:
            return
        if hashlib.sha256(_bytes(path)).digest() != digest:
            raise VaultChangedError(
                f"another program, perhaps git, changed {path} in the meantime; it was not overwritten",
                hint="run the same command again",
            )
        if remember:
            keep_known_vault(path, known, data_key_digest(vault))
        events = vault_changes(lines, operators, vault, at=datetime.now(UTC), who=operator(), command=doing)
        recorded = append(log_path(path), events, generation=vault.generation)
        write_atomic(path, vault.serialised(recorded.head), mode=_MODE)
        if remember:
            keep_known_vault(path, data_key_digest(vault))


def _bytes(path: Path) -> bytes:
    try:
        return read_bounded(path, LIMIT_BYTES)
    except FileNotFoundError:
        raise _no_vault(path) from None


def _no_vault(path: Path) -> NoVaultError:
    return NoVaultError(f"no vault at {path}", hint="create one with `provision init`, or get it from git")


def _locked(path: Path, doing: str, wait_s: float) -> contextlib.AbstractContextManager[None]:
    return locked(path.with_name(f".{path.name}.lock"), doing, wait_s=wait_s)


def _sweep(path: Path) -> None:
    """Remove staged files of a killed process. The caller holds the lock, so no other process is writing."""
    for stray in path.parent.glob(f".{path.name}.*{STAGED_SUFFIX}"):
        with contextlib.suppress(OSError):
            stray.unlink()
