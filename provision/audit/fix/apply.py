"""Apply the changes of a fix plan, and undo them.

Before anything is written, the content of every file is encrypted into one backup that only the chosen recipients can open.
Next to it is a record without secrets: the files, their modes, and digests of their new content. Each file is replaced
atomically. A run that is killed leaves some files changed, and `undo_fix` restores exactly those.
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
from provision.audit.fix.mask import LARGEST_BYTES, mask_database
from provision.audit.fix.replace import LateWriters, replace_unchanged
from provision.containers.sqlite_rewriter import BUSY_MS
from provision.endpoint.privileges import as_owner
from provision.errors import NothingMatchedError, ProvisionError
from provision.files import read_bounded, read_optional, sweep_once, write_atomic
from provision.formats.tar_errors import TAR_ERRORS
from provision.keys.age import seal, unseal
from provision.signing.signed_json import DocumentForm
from provision.windows_acl import set_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from provision.detect.detector import Detector
    from provision.keys.identities import Identity

FIXES_FOLDER = "fixes"
SCHEMA = "provision/fix/v1"
_MAX_BACKUP_BYTES = 2 << 30
_PATHS = "paths"
_CHANGED_SINCE = "it was changed after the fix: restore it by hand from the backup (`age -d`)"
_TOGETHER = "another file of this home cannot be fixed, and they change together (run the command again)"


class BackupError(ProvisionError):
    """A backup or its record cannot be written or read."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    """The path, masked where it holds a secret itself; the real path is in the encrypted backup."""
    kind: Literal["content", "database", "mode", "new"]
    mode: int = Field(ge=0, le=0o7777)
    """The mode before the fix."""
    after: str | None = None
    """SHA-256 of the content after the fix; empty for a file that was not changed; None as long as that is not known."""


class FixRecord(BaseModel):
    """What one --fix changed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    schema_: Literal["provision/fix/v1"] = Field(alias="schema", default="provision/fix/v1")
    at: str
    recipients: tuple[str, ...]
    files: list[_File]


_FORM = DocumentForm(
    model=FixRecord,
    schema=SCHEMA,
    name="the record of the fix",
    limit_bytes=64 << 20,
    error=BackupError,
    sound=lambda _: None,
    other_version="undo it with the release of provision that made it",
)


@dataclass(frozen=True, slots=True)
class FixResult:
    """The result of a fix or an undo: the files changed, the files not changed and why, the path of the backup."""

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
    """Write an encrypted backup, then make every change. Raises BackupError and BadRecipientError before anything is changed.

    A file that cannot be backed up (in use, changed in the meantime) is not changed, and the others are. `clean` masks secrets
    in names.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = f"{now:%Y%m%dT%H%M%S}{now.microsecond:06}Z"
    record = FixRecord(at=now.isoformat(timespec="seconds"), recipients=tuple(recipients), files=[])
    packed, kept, left = _packed(changes, record, clean)
    if not kept:
        return FixResult((), tuple(left))
    sealed = seal(packed, recipients, armored=False)
    backup, beside = folder / f"{stamp}.age", folder / f"{stamp}.json"
    write_atomic(backup, sealed)
    _write_record(beside, record)
    done: dict[Path, str] = {}
    failed: set[Path] = set()
    with LateWriters() as late:
        for change, file in zip(kept, record.files, strict=True):
            if change.home in failed:
                file.after = ""
                left.append(NotFixed(file.name, _TOGETHER))
                continue
            try:
                if change.data is not None:  # before the change: an undo after a crash must know what is from the fix
                    file.after = hashlib.sha256(change.data).hexdigest()
                    _write_record(beside, record)
                with as_owner(change.path):
                    _make_change(change, detector, late)
                    if file.kind == "database":
                        file.after = _digest(change.path)
                done[change.path] = file.name
            except Exception as e:  # one file must not stop the rest of a plan
                file.after = file.after if _is_written(change) else ""
                left.append(NotFixed(file.name, clean(_reason(e))))
                failed |= {change.home} if change.home else set()
            _write_record(beside, record)
            late.make_room()
        for path, error in late.finish():
            left.append(NotFixed(done.pop(path), clean(_reason(error))))
    return FixResult(tuple(done.values()), tuple(left), backup)


def _is_written(change: FixChange) -> bool:
    """Whether the new content is in place although the change failed: then an undo has to put the old one back."""
    if change.data is None:
        return False
    try:
        with as_owner(change.path):
            now = read_optional(change.path, LARGEST_BYTES)
    except (ProvisionError, OSError):
        return False
    return now is not None and now != change.was and now.startswith(change.data)


def _write_record(path: Path, record: FixRecord) -> None:
    write_atomic(path, (record.model_dump_json(by_alias=True, indent=1) + "\n").encode())


def _make_change(change: FixChange, detector: Detector, late: LateWriters) -> None:
    if change.database:
        mask_database(change.path, detector)
        if change.mode is not None:
            set_mode(change.path, change.mode)
    elif change.data is not None:
        replace_unchanged(change.path, change.was, change.data, change.mode if change.mode is not None else 0o600, late)
    elif change.mode is not None:
        set_mode(change.path, change.mode)


def _packed(
    changes: Sequence[FixChange], record: FixRecord, clean: Callable[[str], str]
) -> tuple[bytes, list[FixChange], list[NotFixed]]:
    """Return paths and contents of all files as a tar in memory (it is never on disk in clear), and the changes that it covers.

    Files that cannot be read as they were planned are returned as not fixed.
    """
    out = io.BytesIO()
    kept: list[FixChange] = []
    left: list[NotFixed] = []
    unfit = _unfit_homes(changes)
    with tarfile.open(fileobj=out, mode="w") as tar:
        for change in changes:
            name = clean(str(change.path))
            if change.home in unfit and unfit[change.home] != change.path:
                left.append(NotFixed(name, _TOGETHER))
                continue
            try:
                kind, data, mode = _before(change)
            except Exception as e:  # as above
                left.append(NotFixed(name, clean(_reason(e))))
                continue
            record.files.append(_File(name=name, kind=kind, mode=mode))
            _add(tar, str(len(kept)), data)
            kept.append(change)
            if out.tell() > _MAX_BACKUP_BYTES:
                raise BackupError("the backup would be too large", hint="fix fewer files at a time: pass their paths")
        _add(tar, _PATHS, json.dumps([os.fsencode(change.path).hex() for change in kept]).encode())
    return out.getvalue(), kept, left


def _unfit_homes(changes: Sequence[FixChange]) -> dict[Path | None, Path]:
    """Return the homes of which a file cannot be changed, with that file."""
    unfit: dict[Path | None, Path] = {}
    for change in changes:
        if change.home is not None:
            try:
                _before(change)
            except Exception:  # as above; it is reported where it is packed
                unfit.setdefault(change.home, change.path)
    return unfit


def _reason(error: Exception) -> str:
    """Return why a file is not fixed; texts of other libraries may repeat its content."""
    if isinstance(error, ProvisionError):
        return f"{error} ({error.hint})" if error.hint else str(error)
    return str(error) if isinstance(error, OSError) else f"it cannot be fixed ({type(error).__name__})"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _before(change: FixChange) -> tuple[Literal["content", "database", "mode", "new"], bytes, int]:
    if not os.path.lexists(change.path) and change.was is None:
        return "new", b"", 0o600
    try:
        mode = stat.S_IMODE(change.path.lstat().st_mode)
    except FileNotFoundError as e:
        raise BackupError(f"{change.path.name} no longer exists", hint="run the command again") from e
    if change.database:
        with (  # with the owner's rights: to open a database can already change it
            as_owner(change.path),
            closing(sqlite3.connect(change.path, timeout=BUSY_MS / 1000, isolation_level=None)) as db,
        ):
            return "database", _snapshot(db, change.path.name), mode
    if change.data is None:
        return "mode", b"", mode
    data = read_bounded(change.path, LARGEST_BYTES, follow=False)
    if data != change.was:
        raise BackupError(f"{change.path.name} was changed in the meantime", hint="run the command again")
    return "content", data, mode


def _snapshot(db: sqlite3.Connection, name: str) -> bytes:
    """Return a consistent copy, with what is still in the write-ahead log."""
    try:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # raises when locked; `backup` would wait for ever
        with closing(sqlite3.connect(":memory:")) as copy:
            db.backup(copy)
            return copy.serialize()
    except sqlite3.Error as e:
        why = "it is in use" if "locked" in str(e) else type(e).__name__
        hint = "stop Hermes, then run the command again"
        raise BackupError(f"{name} cannot be backed up ({why})", hint=hint) from e


def _digest(path: Path) -> str:
    return hashlib.sha256(read_bounded(path, _MAX_BACKUP_BYTES)).hexdigest()


def last_record(folder: Path) -> Path:
    """Return the path of the last fix's record. Raises NothingMatchedError."""
    found = sorted(folder.glob("*.json"))
    if not found:
        raise NothingMatchedError(f"no fix to undo in {folder}")
    return found[-1]


def undo_fix(record_path: Path, identities: Callable[[], Sequence[Identity]]) -> FixResult:
    """Restore the old content of every file that was not changed since; then delete the backup.

    Raises BackupError, NoIdentityError. The backup is kept when a file was not restored.
    """
    record = _FORM.parse(read_bounded(record_path, 64 << 20))
    backup = record_path.with_suffix(".age")
    sealed = read_optional(backup, _MAX_BACKUP_BYTES)
    if sealed is None:
        raise BackupError(f"backup {backup} not found", hint="move it back next to its record")
    contents = _unpacked(unseal(sealed, identities()), len(record.files))
    done, left = dict[Path, str](), []
    with LateWriters() as late:
        for file, (path, data) in zip(record.files, contents, strict=True):
            try:
                with as_owner(path):
                    why = _restore(path, file, data, late)
            except (ProvisionError, OSError) as e:
                why = str(e).replace(str(path), file.name)
            if why:
                left.append(NotFixed(file.name, why))
            else:
                done[path] = file.name
            late.make_room()
        left += [NotFixed(done.pop(path), _reason(error)) for path, error in late.finish()]
    if not left:
        backup.unlink()
        record_path.unlink()
    return FixResult(tuple(done.values()), tuple(left), backup if left else None)


def _unpacked(data: bytes, count: int) -> list[tuple[Path, bytes]]:
    """Return path and content of every file, in the order of the record."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            held = {info.name: file.read() for info in tar if (file := tar.extractfile(info)) is not None}
        paths = [Path(os.fsdecode(bytes.fromhex(text))) for text in json.loads(held[_PATHS])]
        return [(paths[number], held[str(number)]) for number in range(count)]
    except (*TAR_ERRORS, LookupError, TypeError) as e:
        raise BackupError("the backup does not match its record") from e


def _restore(path: Path, file: _File, data: bytes, late: LateWriters) -> str:
    """Restore one file; returns why it was not restored, or an empty string."""
    if file.after == "":
        return ""
    sweep_once(path.parent)  # a kill between the exchange and the end leaves the other content
    if path.is_symlink():
        return "it is a symbolic link now"
    if file.kind == "mode":
        path.chmod(file.mode)
        return ""
    now = read_optional(path, _MAX_BACKUP_BYTES)
    digest = None if now is None else hashlib.sha256(now).hexdigest()
    if file.kind == "new":
        if digest == file.after:
            path.unlink()
        return _CHANGED_SINCE if digest not in {None, file.after} else ""
    if digest == hashlib.sha256(data).hexdigest():
        return ""
    if digest is not None and file.after is not None and digest != file.after:
        return _CHANGED_SINCE
    replace_unchanged(path, now, data, file.mode, late)
    for suffix in ("-wal", "-shm"):
        if file.kind == "database":
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    return ""
