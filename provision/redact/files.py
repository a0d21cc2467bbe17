"""Redact a file to another file or in place. Writes are atomic: a result is complete, or it is not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.containers.container_format import container_format, format_of
from provision.containers.steps import spooled_file
from provision.files import FileProblemError, replace_file, staged_path, sync_directory
from provision.redact.archives.containers import holds_containers
from provision.redact.attributes import mask_attributes, note_attributes
from provision.redact.file_kinds import HEAD_BYTES, FileKind, kind_of, kind_of_container, redact_as
from provision.redact.notes import Remark
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.redact.session import Session

STREAMABLE = frozenset({FileKind.TEXT, FileKind.CAST, FileKind.TYPESCRIPT})
"""Kinds whose redacted form can be printed on a terminal or passed on in a pipe."""


@contextlib.contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Raises FileProblemError if it is missing, a folder, a device or not readable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        hint = "name its files, or pack it and redact the archive" if stat.S_ISDIR(mode) else ""
        raise FileProblemError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}", hint=hint)
    os.close(descriptor)
    with path.open("rb") as file:
        yield file


def kind_of_file(source: BinaryIO) -> FileKind:
    """Return the kind of an open file. The file is at its beginning before and after."""
    head = source.read(HEAD_BYTES)
    name = str(getattr(source, "name", ""))
    kind = kind_of(head, name)
    if kind is FileKind.TEXT and (found := format_of(source, name)) and container_format(head, name) is None:
        kind = kind_of_container(found)  # its signature is not at its beginning
    source.seek(0)
    return kind


def redact_open(source: BinaryIO, target: BinaryIO, file: str, session: Session, kind: FileKind | None = None) -> None:
    """Redact an open file as `kind`, or as the kind its content shows. Raises CannotExamineError."""
    found = kind or kind_of_file(source)
    if found is FileKind.TEXT and holds_containers(source, file):
        found = FileKind.CONTAINER
    redact_as(found, source, target, file, session)


def redact_to(path: Path, target: Path, session: Session, kind: FileKind | None = None) -> None:
    """Write the redacted form of `path` to `target`, with the mode of `path`.

    An existing target that is not a regular file, such as /dev/null or a named pipe, is written to and never replaced.
    """
    if target.exists() and not target.is_file():
        _write_into(path, target, session, kind)
        return
    with session.notes.if_written(), open_regular_file(path) as source, _staged(target) as (file, staged):
        redact_open(source, file, str(path), session, kind)
        note_attributes(source.fileno(), str(path), session)
        _finish(file, staged, target, stat.S_IMODE(os.fstat(source.fileno()).st_mode))


def _write_into(path: Path, target: Path, session: Session, kind: FileKind | None) -> None:
    """Write the result only once it is complete."""
    with session.notes.if_written(), open_regular_file(path) as source, spooled_file() as result:
        redact_open(source, result, str(path), session, kind)
        note_attributes(source.fileno(), str(path), session)
        result.seek(0)
        try:
            with target.open("wb") as out:
                shutil.copyfileobj(result, out, 1 << 20)
        except OSError as e:
            raise FileProblemError(f"cannot write {target}: {e.strerror or e}") from e


def redact_in_place(path: Path, session: Session, kind: FileKind | None = None) -> bool:
    """Replace `path` by its redacted form, atomically; keep mode, times and owner. Returns whether it changed.

    A symbolic link stays a link: its target is replaced. Hard links keep the old content; a remark says so.
    """
    path = path.resolve()
    with session.notes.if_written(), open_regular_file(path) as source, _staged(path) as (file, staged):
        status = os.fstat(source.fileno())
        redact_open(source, file, str(path), session, kind)
        file.flush()
        if same_bytes(source, file):
            return _attributes(path, path, session)
        if status.st_nlink > 1:
            cure = f"find / -xdev -inum {status.st_ino}"
            session.notes.unsure.append(
                Remark(str(path), "", "other hard links to this file still hold the original", cure)
            )
        _keep(path, staged, status)
        _attributes(staged, path, session)
        source.close()
        _finish(file, staged, path, stat.S_IMODE(status.st_mode))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True


def _attributes(path: Path, file: Path, session: Session) -> bool:
    try:
        return mask_attributes(path, str(file), session)
    except OSError as e:
        hint = f"getfattr -d {shell_path(file)}"
        raise FileProblemError(f"cannot mask the extended attributes of {file}: {e.strerror or e}", hint=hint) from e


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    staged = staged_path(target)
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
        file.close()  # Windows renames no open file
        replace_file(staged, target)
    except OSError as e:
        raise FileProblemError(f"cannot write {target}: {e.strerror or e}") from e
    sync_directory(target.parent)


def _keep(path: Path, staged: Path, status: os.stat_result) -> None:
    """Copy owner and extended attributes from the file that is replaced, as far as this process may set them."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        os.chown(staged, status.st_uid, status.st_gid)
    with contextlib.suppress(OSError):
        shutil.copystat(path, staged)


def same_bytes(source: BinaryIO, result: BinaryIO) -> bool:
    """Return whether two open files have the same content."""
    if source.seek(0, os.SEEK_END) != result.seek(0, os.SEEK_END):
        return False
    source.seek(0)
    result.seek(0)
    while chunk := source.read(1 << 20):
        if chunk != result.read(len(chunk)):
            return False
    return True
