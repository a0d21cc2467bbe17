"""Change the vault together with other files of the workspace and its event log: all of them or none.

The files are staged and committed by one journal (`transaction.Transaction`). A crash after the commit is finished by the next
command: `finish_interrupted` runs before any other change of the vault.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import locked, read_bounded, write_atomic
from provision.keys.events.changes import vault_changes
from provision.keys.events.log import append, log_path, operator
from provision.keys.vault.known_key import data_key_digest, keep_known_vault, require_known_vault
from provision.keys.vault.text import parse_vault
from provision.keys.vault.vault import Vault, open_sealed
from provision.scratch import Scratch, scratch_folder
from provision.transaction import Transaction, recover

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.keys.age import Identity
    from provision.keys.events.text import Event

JOURNAL = ".provision/change.json"
STAGED_IN = ("trust", "orders")
_LIMIT_BYTES = 256 << 20
_MODE = 0o644


class OutsideVaultError(ProvisionError):
    """The vault is outside of the workspace, so it cannot be changed together with the workspace's files."""


@dataclass(slots=True)
class VaultAct:
    """An opened vault, and what changes together with it: other files by their path in the workspace, and events."""

    vault: Vault
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    events: list[Event] = field(default_factory=list)


@contextlib.contextmanager
def acting(
    path: Path, root: Path, identities: Sequence[Identity], doing: str, *, dry_run: bool = False
) -> Iterator[VaultAct]:
    """Change the vault at `path` and files below `root` in one act. Nothing changes after an exception, or with `dry_run`.

    Raises OutsideVaultError, LockedError, OtherVaultError, and what opening the vault raises.
    """
    path, root = path.resolve(), root.resolve()
    if not path.is_relative_to(root):
        raise OutsideVaultError(
            f"the vault {path} is outside of the workspace {root}", hint="move it into the workspace"
        )
    with locked(path.with_name(f".{path.name}.lock"), doing):
        finish_interrupted(root)
        before = read_bounded(path, _LIMIT_BYTES)
        vault = open_sealed(parse_vault(before, str(path)), identities)
        known = require_known_vault(path, vault)
        act = VaultAct(vault)
        lines, operators = vault.lines, vault.operators
        yield act
        if dry_run or not (vault.changed or act.files):
            return
        vault.changed = True  # the vault records the log's head, so it is saved with every act
        events = [*vault_changes(lines, operators, vault, at=datetime.now(UTC), who=operator(), command=doing)]
        keep_known_vault(path, known, data_key_digest(vault))
        _commit(act, path, root, [*events, *act.events], hashlib.sha256(before).digest())
        keep_known_vault(path, data_key_digest(vault))


def _commit(act: VaultAct, path: Path, root: Path, events: list[Event], before: bytes) -> None:
    log = log_path(path)
    with locked(log.with_name(f".{log.name}.lock"), "recording events"):
        data, head = _extended(log, events, act.vault.generation)
        if hashlib.sha256(read_bounded(path, _LIMIT_BYTES)).digest() != before:
            raise ProvisionError(
                f"another program, perhaps git, changed {path} in the meantime; it was not overwritten",
                hint="run the same command again",
            )
        vault = {path.relative_to(root).as_posix(): act.vault.serialised(head)}
        _write_all(root, {log.relative_to(root).as_posix(): data, **vault, **act.files})


def write_recorded(path: Path, root: Path, files: Mapping[str, bytes], events: Sequence[Event], doing: str) -> None:
    """Write files below `root` and record events in the log in one act; the vault at `path` stays. Raises as `acting`."""
    path, root = path.resolve(), root.resolve()
    log = log_path(path)
    if not log.is_relative_to(root):
        raise OutsideVaultError(
            f"the event log {log} is outside of the workspace {root}", hint="move it into the workspace"
        )
    with locked(path.with_name(f".{path.name}.lock"), doing):
        finish_interrupted(root)
        with locked(log.with_name(f".{log.name}.lock"), "recording events"):
            data, _ = _extended(log, events, None)
            _write_all(root, {log.relative_to(root).as_posix(): data, **files})


def _write_all(root: Path, files: Mapping[str, bytes]) -> None:
    prepare_folder(root)
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    with Transaction(root, journal=JOURNAL) as change:
        for name, content in files.items():
            change.write(name, content, mode=_MODE)


def _extended(log: Path, events: Sequence[Event], generation: int | None) -> tuple[bytes, tuple[int, str] | None]:
    """The log with these events at its end, and its new head; the log itself stays. It holds no secrets."""
    with scratch_folder(Scratch.LOG) as folder:
        copy = folder / log.name
        if log.exists():
            shutil.copyfile(log, copy)
        done = append(copy, events, generation=generation)
        return read_bounded(copy, _LIMIT_BYTES), done.head


def prepare_folder(root: Path) -> None:
    """Make the workspace's folder for journals, which git ignores."""
    folder = root / Path(JOURNAL).parent
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / ".gitignore").exists():
        write_atomic(folder / ".gitignore", b"*\n", mode=0o644, durable=False)


def finish_interrupted(root: Path) -> bool:
    """Finish an act that a crash interrupted after its commit, and remove what one before its commit left.

    The caller holds the vault's lock. Returns whether something was finished.
    """
    if not (root / JOURNAL).parent.is_dir():
        return False
    return recover(root, journal=JOURNAL, folders=STAGED_IN)


def finish_locked(path: Path, root: Path) -> None:
    """Finish an interrupted act under the lock of the vault at `path`."""
    path = path.resolve()
    with locked(path.with_name(f".{path.name}.lock"), "finishing an interrupted change"):
        finish_interrupted(root.resolve())


def finish_above(path: Path) -> None:
    """Finish an interrupted act of the workspace that this vault belongs to, if there is one. The caller holds the lock."""
    for folder in path.resolve().parents:
        if (folder / JOURNAL).exists():
            finish_interrupted(folder)
            return
