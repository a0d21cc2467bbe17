"""Read and rewrite 7z archives with py7zr (extra `archives`), in memory.

A new archive has the files of the old one, not its empty folders.
"""

from __future__ import annotations

import io
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
    files = [(info, label) for info, label in zip(infos, names, strict=True) if not info.is_directory]
    if len(files) != len(kept.files):
        yield NotRead("damaged 7z: not all of its files were unpacked")
    with ExitStack() as stack:
        new = stack.enter_context(py7zr.SevenZipFile(out, "w")) if out is not None else None
        for (info, label), content in zip(files, kept.files, strict=False):
            content.seek(0)
            member = Member(info.filename, iter(lambda c=content: c.read(1 << 20), b""))  # type: ignore[misc]
            yield member
            if new is not None and not member.dropped:
                member.result.seek(0)
                new.writestr(member.result.read(), label.now.decode("utf-8", "surrogateescape"))
                written = new.header.files_info.files[-1]
                if info.creationtime is not None:
                    written["lastwritetime"] = ArchiveTimestamp.from_datetime(info.creationtime.timestamp())


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
