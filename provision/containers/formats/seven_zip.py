"""Read and rewrite 7z archives with py7zr (extra `archives`), in memory.

A new archive has the files and folders of the old one, with their times and attributes (on Unix: modes and links).
"""

from __future__ import annotations

import io
import stat
from contextlib import ExitStack
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

from provision.containers.blob import PartKind
from provision.containers.steps import FormatInput, Label, Member, NotRead
from provision.shell import install_command

if TYPE_CHECKING:
    from provision.containers.steps import Steps


def seven_zip_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield names and members."""
    if find_spec("py7zr") is None:
        yield NotRead(f"7z is not read: {install_command('archives')}")
        return
    import py7zr  # noqa: PLC0415  an extra, and slow to load
    from py7zr.helpers import ArchiveTimestamp  # noqa: PLC0415

    file = source.seekable()
    if file is None:
        yield NotRead("a 7z archive too large to open inside an archive: not read")
        return
    file.seek(0)
    try:
        with py7zr.SevenZipFile(file, "r") as archive:
            if archive.needs_password():
                yield NotRead("an encrypted 7z archive")
                return
            infos = archive.list()
            attributes = [each._get_property("attributes") for each in archive.files]  # noqa: SLF001  no public name
    except Exception as e:  # the library raises many kinds for damaged and hostile archives
        yield NotRead(f"damaged 7z: {type(e).__name__}")
        return
    names = [
        Label("the name of a member", info.filename.encode("utf-8", "surrogateescape"), PartKind.NAME) for info in infos
    ]
    yield from names
    total = sum(info.uncompressed for info in infos if not info.is_directory)
    if total > source.memory_bytes:
        yield NotRead(f"a 7z archive that unpacks to more than {source.memory_bytes >> 20} MiB: not read")
        return
    kept = _Kept(source.memory_bytes)
    try:
        file.seek(0)
        with py7zr.SevenZipFile(file, "r") as archive:
            archive.extractall(factory=kept)
    except Exception as e:
        yield NotRead(f"damaged 7z: {type(e).__name__}; not read to its end")
    if sum(not info.is_directory for info in infos) != len(kept.files):
        yield NotRead("damaged 7z: not all of its files were unpacked")
    contents = iter(kept.files)
    with ExitStack() as stack:
        new = stack.enter_context(py7zr.SevenZipFile(out, "w")) if out is not None else None
        for info, label, attribute in zip(infos, names, attributes, strict=True):
            content = None if info.is_directory else next(contents, None)
            member = None if content is None else _member(info.filename, content)
            if member:
                yield member
            if new is None or (member.dropped if member else not info.is_directory):
                continue
            written = _written(new, label.now.decode("utf-8", "surrogateescape"), member)
            time = info.creationtime and ArchiveTimestamp.from_datetime(info.creationtime.timestamp())
            kept_of_it = {"attributes": attribute, "lastwritetime": time}
            written.update({key: value for key, value in kept_of_it.items() if value is not None})


def _member(name: str, content: _File) -> Member:
    content.seek(0)
    return Member(name, iter(lambda: content.read(1 << 20), b""))


def _written(archive: Any, name: str, member: Member | None) -> dict[str, Any]:
    """Add a file, or without a member a folder, to an archive; returns what is written about it."""
    if member is None:
        return _folder(archive, name)
    member.result.seek(0)
    archive.writestr(member.result.read(), name)
    found: dict[str, Any] = archive.header.files_info.files[-1]
    return found


def _folder(archive: Any, name: str) -> dict[str, Any]:
    """Add a folder to an archive; returns what is written about it. The library adds only folders of a disk."""
    packed = archive.header.initialize()
    written = {"filename": name, "emptystream": True, "uncompressed": 0, "attributes": stat.FILE_ATTRIBUTE_DIRECTORY}
    archive.header.files_info.files.append(written)
    archive.header.files_info.emptyfiles.append(True)
    archive.files.append(written)
    archive.worker.archive(archive.fp, archive.files, packed)
    return written


class _TooLarge(Exception):  # noqa: N818  ends the library's work
    """More was unpacked than the archive said."""


class _Kept:
    """Receives what the library unpacks, up to a size."""

    def __init__(self, most_bytes: int) -> None:
        self.files: list[_File] = []
        """In the order of the archive. The library gives files of one name other names."""
        self.left = most_bytes

    def create(self, filename: str, mode: str = "wb") -> Any:
        """Return the file that a member is written to."""
        del filename, mode
        self.files.append(_File(self))
        return self.files[-1]


class _File(io.BytesIO):
    def __init__(self, kept: _Kept) -> None:
        super().__init__()
        self._kept = kept

    def write(self, data: Any) -> int:
        self._kept.left -= len(data)
        if self._kept.left < 0:
            raise _TooLarge
        return super().write(data)

    def close(self) -> None:
        """Stay open: the library closes what it wrote, and it is read afterwards."""

    def size(self) -> int:
        return len(self.getbuffer())
