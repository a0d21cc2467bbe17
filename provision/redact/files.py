"""Files redacted beside themselves or in place: the result appears whole or not at all, and never half masked."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.files import STAGED_SUFFIX, FileProblemError, sync_directory
from provision.redact.archives.members import spooled_file
from provision.redact.file_kinds import HEAD_BYTES, FileKind, kind_of, redactor_for
from provision.redact.notes import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.redact.session import Session

STREAMABLE = frozenset({FileKind.TEXT, FileKind.CAST, FileKind.TYPESCRIPT})
"""Kinds whose redacted form makes sense on a terminal or in a pipe."""


@contextlib.contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """A regular file to read. Raises FileProblemError for what is missing, a folder, a device or not readable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        hint = "name the files in it, or pack it and redact the archive" if stat.S_ISDIR(mode) else ""
        raise FileProblemError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}", hint=hint)
    os.close(descriptor)
    with path.open("rb") as file:
        yield file


def kind_of_file(source: BinaryIO) -> FileKind:
    """The kind of an open file, which is at its beginning before and after."""
    head = source.read(HEAD_BYTES)
    source.seek(0)
    return kind_of(head)


def redact_open(source: BinaryIO, target: BinaryIO, file: str, session: Session, kind: FileKind | None = None) -> None:
    """Redact an open file according to its content, or as the `kind` it is said to be. Raises CannotExamineError."""
    redactor_for(kind or kind_of_file(source))(source, target, file, session)


def redact_to(path: Path, target: Path, session: Session, kind: FileKind | None = None) -> None:
    """Write the redacted form of `path` to `target`, with the mode of `path`.

    A target that is there and is no file, such as /dev/null or a named pipe, is written into: it must not be replaced.
    """
    if target.exists() and not target.is_file():
        _pour_into(path, target, session, kind)
        return
    with open_regular_file(path) as source, _staged(target) as (file, staged):
        redact_open(source, file, str(path), session, kind)
        _finish(file, staged, target, stat.S_IMODE(os.fstat(source.fileno()).st_mode))


def _pour_into(path: Path, target: Path, session: Session, kind: FileKind | None) -> None:
    """Nothing is written before the whole result is there."""
    with open_regular_file(path) as source, spooled_file() as result:
        redact_open(source, result, str(path), session, kind)
        result.seek(0)
        try:
            with target.open("wb") as out:
                shutil.copyfileobj(result, out, 1 << 20)
        except OSError as e:
            raise FileProblemError(f"cannot write {target}: {e.strerror or e}") from e


def redact_in_place(path: Path, session: Session, kind: FileKind | None = None) -> bool:
    """Replace `path` by its redacted form in one step, keeping its mode, times and owner; returns whether it changed.

    A symbolic link stays one: what it leads to is replaced. Other names of the file (hard links) keep the old content,
    which is remarked.
    """
    path = path.resolve()
    with open_regular_file(path) as source, _staged(path) as (file, staged):
        status = os.fstat(source.fileno())
        redact_open(source, file, str(path), session, kind)
        file.flush()
        if _same(source, file):
            return False
        if status.st_nlink > 1:
            cure = f"find them with: find / -xdev -inum {status.st_ino}"
            session.notes.unsure.append(
                Remark(str(path), "", "it has other names, which still hold the original", cure)
            )
        _keep(path, staged, status)
        _finish(file, staged, path, stat.S_IMODE(status.st_mode))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    staged = target.with_name(f".{target.name}.{secrets.token_hex(6)}{STAGED_SUFFIX}")
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(staged, flags, 0o600)
    except OSError as e:
        raise FileProblemError(f"cannot write {target}: {e.strerror or e}") from e
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield cast("BinaryIO", file), staged
    finally:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)


def _finish(file: BinaryIO, staged: Path, target: Path, mode: int) -> None:
    try:
        file.flush()
        if os.name != "nt":
            os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
        staged.replace(target)
    except OSError as e:
        raise FileProblemError(f"cannot write {target}: {e.strerror or e}") from e
    sync_directory(target.parent)


def _keep(path: Path, staged: Path, status: os.stat_result) -> None:
    """Owner and extended attributes of the file that is replaced, as far as this process may set them."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        os.chown(staged, status.st_uid, status.st_gid)
    with contextlib.suppress(OSError):
        shutil.copystat(path, staged)


def _same(source: BinaryIO, result: BinaryIO) -> bool:
    if os.fstat(source.fileno()).st_size != os.fstat(result.fileno()).st_size:
        return False
    source.seek(0)
    result.seek(0)
    while chunk := source.read(1 << 20):
        if chunk != result.read(len(chunk)):
            return False
    return True
