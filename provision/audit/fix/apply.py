"""Making the changes of a plan, and taking them back.

Before anything is written, what every file holds is sealed into one backup that only the chosen recipients can open. Beside it
lies a record without secrets: which files, with which modes, and what they hold now. Each file is replaced in one step; a
run that is killed leaves some files changed, and `undo_fix` takes exactly those back.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.audit.fix.change import FixChange, NotFixed
from provision.containers.mask_content import LARGEST_BYTES, mask_text
from provision.containers.mask_sqlite import BUSY_MS, mask_database
from provision.endpoint.privileges import as_owner
from provision.errors import NothingMatchedError, ProvisionError
from provision.files import FileProblemError, read_bounded, read_optional, write_atomic
from provision.keys.age import seal, unseal
from provision.signing.signed_json import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from provision.detect.detector import Detector
    from provision.keys.age import Identity

FIXES_FOLDER = "fixes"
SCHEMA = "provision/fix/v1"
_MAX_BACKUP_BYTES = 2 << 30
_PATHS = "paths"


class BackupError(ProvisionError):
    """A backup or its record cannot be made or read."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    """The path, masked where it holds a secret itself; as it really is, it stands in the sealed backup."""
    kind: Literal["content", "database", "mode", "new"]
    mode: int = Field(ge=0, le=0o7777)
    """What the file had."""
    after: str | None = None
    """SHA-256 of what it holds after the fix; None until that is written."""


class FixRecord(BaseModel):
    """What one --fix did."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    schema_: Literal["provision/fix/v1"] = Field(alias="schema", default="provision/fix/v1")
    at: str
    recipients: tuple[str, ...]
    files: list[_File]


_FORM = Form(
    model=FixRecord,
    schema=SCHEMA,
    name="the record of a fix",
    limit_bytes=64 << 20,
    error=BackupError,
    sound=lambda _: None,
    other_version="take it back with the release of provision that made it",
)


@dataclass(frozen=True, slots=True)
class FixResult:
    """How a fix or an undo ended: files changed, files left as they are and why, where the backup is."""

    changed: tuple[str, ...]
    left: tuple[NotFixed, ...]
    backup: Path | None = None


def apply_fix(
    changes: Sequence[FixChange],
    detector: Detector,
    folder: Path,
    recipients: Sequence[str],
    now: datetime,
    *,
    clean: Callable[[str], str],
) -> FixResult:
    """Seal a backup, then make every change. Raises BackupError and BadRecipientError before anything is changed.

    `clean` masks secrets in names.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = f"{now:%Y%m%dT%H%M%S}{now.microsecond:06}Z"
    record = FixRecord(at=now.isoformat(timespec="seconds"), recipients=tuple(recipients), files=[])
    sealed = seal(_packed(changes, record, clean), recipients, armored=False)
    backup, beside = folder / f"{stamp}.age", folder / f"{stamp}.json"
    write_atomic(backup, sealed)
    _note(beside, record)
    done, left = [], []
    for change, file in zip(changes, record.files, strict=True):
        try:
            with as_owner(change.path):
                _make(change, detector)
            if file.kind != "mode":
                file.after = _digest(change.path)
            done.append(file.name)
        except (ProvisionError, OSError) as e:
            left.append(NotFixed(file.name, clean(str(e))))
        _note(beside, record)
    return FixResult(tuple(done), tuple(left), backup)


def _note(path: Path, record: FixRecord) -> None:
    write_atomic(path, (record.model_dump_json(by_alias=True, indent=1) + "\n").encode())


def _make(change: FixChange, detector: Detector) -> None:
    if change.database:
        mask_database(change.path, lambda cell: mask_text(cell, detector))
        if change.mode is not None:
            change.path.chmod(change.mode)
    elif change.data is not None:
        write_atomic(change.path, change.data, mode=change.mode if change.mode is not None else 0o600)
    elif change.mode is not None:
        change.path.chmod(change.mode)


def _packed(changes: Sequence[FixChange], record: FixRecord, clean: Callable[[str], str]) -> bytes:
    """Where the files are and what they hold now, as a tar in memory: in clear it is never on disk."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        paths = json.dumps([os.fsencode(change.path).hex() for change in changes]).encode()
        info = tarfile.TarInfo(_PATHS)
        info.size = len(paths)
        tar.addfile(info, io.BytesIO(paths))
        for number, change in enumerate(changes):
            kind, data, mode = _before(change)
            record.files.append(_File(name=clean(str(change.path)), kind=kind, mode=mode))
            info = tarfile.TarInfo(str(number))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            if out.tell() > _MAX_BACKUP_BYTES:
                raise BackupError("the backup would be too large", hint="mend fewer files at a time: name them")
    return out.getvalue()


def _before(change: FixChange) -> tuple[Literal["content", "database", "mode", "new"], bytes, int]:
    if not os.path.lexists(change.path) and change.was is None:
        return "new", b"", 0o600
    try:
        mode = stat.S_IMODE(change.path.lstat().st_mode)
    except FileNotFoundError as e:
        raise BackupError(f"{change.path.name} is gone; nothing was changed", hint="run it again") from e
    if change.database:
        with closing(sqlite3.connect(change.path, timeout=BUSY_MS / 1000, isolation_level=None)) as db:
            return "database", _snapshot(db, change.path.name), mode
    if change.data is None:
        return "mode", b"", mode
    data = read_bounded(change.path, LARGEST_BYTES, follow=False)
    if data != change.was:
        raise BackupError(f"{change.path.name} was written meanwhile; nothing was changed", hint="run it again")
    return "content", data, mode


def _snapshot(db: sqlite3.Connection, name: str) -> bytes:
    """A consistent copy, also of what is still in the write-ahead log."""
    try:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # raises when locked; `backup` would wait for ever
        with closing(sqlite3.connect(":memory:")) as copy:
            db.backup(copy)
            return copy.serialize()
    except sqlite3.Error as e:
        why = "it is in use" if "locked" in str(e) else type(e).__name__
        hint = "end Hermes, then run it again"
        raise BackupError(f"{name} cannot be backed up ({why}); nothing was changed", hint=hint) from e


def _digest(path: Path) -> str:
    return hashlib.sha256(read_bounded(path, _MAX_BACKUP_BYTES)).hexdigest()


def last_record(folder: Path) -> Path:
    """The record of the last fix. Raises NothingMatchedError."""
    found = sorted(folder.glob("*.json"))
    if not found:
        raise NothingMatchedError(f"there is no fix to take back in {folder}")
    return found[-1]


def undo_fix(record_path: Path, identities: Callable[[], Sequence[Identity]]) -> FixResult:
    """Put back what the files held before, except where somebody has changed them since. Then the backup goes.

    Raises BackupError, NoIdentityError. A file that is left keeps the backup.
    """
    record = _FORM.parse(read_bounded(record_path, 64 << 20))
    backup = record_path.with_suffix(".age")
    sealed = read_optional(backup, _MAX_BACKUP_BYTES)
    if sealed is None:
        raise BackupError(f"there is no backup {backup}", hint="it was moved away; put it back beside its record")
    contents = _unpacked(unseal(sealed, identities()), len(record.files))
    done, left = [], []
    for file, (path, data) in zip(record.files, contents, strict=True):
        try:
            with as_owner(path):
                why = _put_back(path, file, data)
        except (ProvisionError, OSError) as e:
            why = str(e).replace(str(path), file.name)
        if why:
            left.append(NotFixed(file.name, why))
        else:
            done.append(file.name)
    if not left:
        backup.unlink()
        record_path.unlink()
    return FixResult(tuple(done), tuple(left), backup if left else None)


def _unpacked(data: bytes, count: int) -> list[tuple[Path, bytes]]:
    """Path and content of every file, in the order of the record."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            held = {info.name: file.read() for info in tar if (file := tar.extractfile(info)) is not None}
        paths = [Path(os.fsdecode(bytes.fromhex(text))) for text in json.loads(held[_PATHS])]
        return [(paths[number], held[str(number)]) for number in range(count)]
    except (tarfile.TarError, KeyError, IndexError, ValueError, TypeError) as e:
        raise BackupError("the backup does not hold what its record says") from e


def _put_back(path: Path, file: _File, data: bytes) -> str:
    """Restore one file; returns why not."""
    if path.is_symlink():
        return "it is a symbolic link now"
    if file.kind == "mode":
        path.chmod(file.mode)
        return ""
    try:
        now = _digest(path)
    except FileNotFoundError:
        now = ""
    except FileProblemError as e:
        return e.message
    if file.after is not None and now != file.after and now:
        return "it was changed after the fix: put it back by hand from the backup (`age -d`)"
    if file.kind == "new":
        if file.after is not None:
            path.unlink(missing_ok=True)
        return ""
    if file.after is None and now == hashlib.sha256(data).hexdigest():
        return ""
    write_atomic(path, data, mode=file.mode)
    for suffix in ("-wal", "-shm"):
        if file.kind == "database":
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    return ""
