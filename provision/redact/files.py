"""Redact a file to another file or in place. Writes are atomic: a result is complete, or it is not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.containers.container_format import container_format, format_of
from provision.containers.steps import spooled_file
from provision.endpoint.privileges import in_held_folder, is_root
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
def open_regular_file(path: Path, *, at: Path | None = None) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Raises FileProblemError if it is missing, a folder, a device or not readable.

    `at` is the path in a held folder; then no link is followed. As root the file then has no name: others may exchange it.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(at or path, flags | (getattr(os, "O_NOFOLLOW", 0) if at else 0))
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        hint = "name its files, or pack it and redact the archive" if stat.S_ISDIR(mode) else ""
        raise FileProblemError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}", hint=hint)
    nameless = at is not None and is_root()
    with open(descriptor if nameless else path, "rb", opener=lambda *_: descriptor) as file:
        yield file


def kind_of_file(source: BinaryIO, name: str | None = None) -> FileKind:
    """Return the kind of an open file. The file is at its beginning before and after. `name` is that of a nameless file."""
    head = source.read(HEAD_BYTES)
    name = name or str(getattr(source, "name", ""))
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
    with session.notes.if_written(), open_regular_file(path) as source, _staged(target, target) as (file, staged):
        redact_open(source, file, str(path), session, kind)
        note_attributes(source.fileno(), str(path), session)
        _finish(file, staged, target, target, mode=stat.S_IMODE(os.fstat(source.fileno()).st_mode))


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
    with session.notes.if_written(), _held(path) as (own, at), open_regular_file(own, at=at) as source:
        return _redact_held(source, own, at, session, kind)


def _redact_held(source: BinaryIO, path: Path, at: Path, session: Session, kind: FileKind | None) -> bool:
    """Replace the file at `at` by way of descriptors: in a folder of theirs, users can put a link in the place of any name."""
    with _staged(path, at) as (file, staged):
        status = os.fstat(source.fileno())
        redact_open(source, file, str(path), session, kind or kind_of_file(source, str(path)))
        file.flush()
        if same_bytes(source, file):
            return _attributes(source.fileno(), path, session)
        if status.st_nlink > 1:
            cure = f"find / -xdev -inum {status.st_ino}"
            session.notes.unsure.append(
                Remark(str(path), "", "other hard links to this file still hold the original", cure)
            )
        _keep(source, file, at, staged)
        _attributes(file.fileno(), path, session)
        source.close()
        times_ns = (status.st_atime_ns, status.st_mtime_ns)
        _finish(file, staged, path, at, mode=stat.S_IMODE(status.st_mode), times_ns=times_ns)
    return True


@contextlib.contextmanager
def _held(path: Path) -> Iterator[tuple[Path, Path]]:
    """The file's own path, and one that leads through its held folder."""
    with contextlib.ExitStack() as held:
        try:
            at = held.enter_context(in_held_folder(path))
        except OSError as e:
            raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
        yield path.resolve(), at


def _attributes(descriptor: int, file: Path, session: Session) -> bool:
    try:
        return mask_attributes(descriptor, str(file), session)
    except OSError as e:
        hint = f"getfattr -d {shell_path(file)}"
        raise FileProblemError(f"cannot mask the extended attributes of {file}: {e.strerror or e}", hint=hint) from e


@contextlib.contextmanager
def _staged(target: Path, at: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside `at`, which is `target`, perhaps by way of its held folder."""
    staged = at.with_name(staged_path(target).name)
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


def _finish(
    file: BinaryIO, staged: Path, target: Path, at: Path, *, mode: int, times_ns: tuple[int, int] | None = None
) -> None:
    by_descriptor = os.utime in os.supports_fd  # not on Windows
    try:
        file.flush()
        if os.name != "nt":
            os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
        if times_ns and by_descriptor:
            os.utime(file.fileno(), ns=times_ns)
        file.close()  # Windows renames no open file
        if times_ns and not by_descriptor:
            os.utime(staged, ns=times_ns)
        replace_file(staged, at)
    except OSError as e:
        raise FileProblemError(f"cannot write {target}: {e.strerror or e}") from e
    sync_directory(at.parent)


def _keep(source: BinaryIO, file: BinaryIO, at: Path, staged: Path) -> None:
    """Copy owner and extended attributes from the file that is replaced, as far as this process may set them."""
    if os.name == "nt":
        return
    status = os.fstat(source.fileno())
    with contextlib.suppress(OSError):
        os.fchown(file.fileno(), status.st_uid, status.st_gid)
    if not hasattr(os, "listxattr"):  # macOS
        with contextlib.suppress(OSError):
            shutil.copystat(at, staged)
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(source.fileno()):
            with contextlib.suppress(OSError):
                os.setxattr(file.fileno(), name, os.getxattr(source.fileno(), name))


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
