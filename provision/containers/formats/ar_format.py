"""Read `ar` archives: Debian packages (`.deb`) and static libraries."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import DamagedError
from provision.containers.steps import FormatInput, Label, Member

if TYPE_CHECKING:
    from provision.containers.steps import Steps

_HEADER = 60


def ar_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield names and members in order."""
    del out
    stream = source.stream
    stream.take(8)
    while len(header := stream.take(_HEADER)) == _HEADER:
        size = header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            raise DamagedError("not a valid ar archive to its end")
        yield Label("the name of a member", header[:16].rstrip(), PartKind.NAME)
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
    if header:
        raise DamagedError("it ends too early")
