"""Read and rewrite `ar` archives: Debian packages (`.deb`) and static libraries."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import DamagedError
from provision.containers.steps import FormatInput, Label, Member, NotRead, copy_to

if TYPE_CHECKING:
    from provision.containers.steps import Steps

_HEADER = 60
_WITH_OFFSETS = (b"/", b"//", b"__.SYMDEF")
"""Members that hold offsets of others, or that others refer to by offset."""


def ar_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield names and members in order."""
    stream = source.stream
    magic = stream.take(8)
    changed = has_offsets = False
    if out is not None:
        out.write(magic)
    while len(header := stream.take(_HEADER)) == _HEADER:
        size = header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            raise DamagedError("not a valid ar archive to its end")
        name = Label("the name of a member", header[:16].rstrip(), PartKind.NAME)
        yield name
        end = stream.taken_bytes + int(size)
        member = Member(
            header[:16].decode("utf-8", "replace").strip().rstrip("/") or "(symbols)", stream.parts(int(size))
        )
        yield member
        for _ in member.chunks:  # what the reader did not take
            pass
        if stream.taken_bytes < end:
            raise DamagedError("it ends too early")
        stream.take(int(size) % 2)
        has_offsets = has_offsets or name.data.startswith(_WITH_OFFSETS[2]) or name.data in _WITH_OFFSETS[:2]
        changed = changed or member.changed
        if out is not None and not member.dropped:
            length = member.size
            out.write(name.now[:16].ljust(16) + header[16:48] + b"%-10d" % length + header[58:])
            copy_to(member.result, out)
            out.write(b"\n"[: length % 2])
    if header:
        raise DamagedError("it ends too early")
    if out is not None and changed and has_offsets:
        yield NotRead("a static library with a table of symbols cannot be rewritten")
