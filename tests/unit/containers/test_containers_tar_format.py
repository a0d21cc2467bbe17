"""Members of a tar, as their headers say and in spite of what they say."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from provision.containers.chunk_stream import ChunkStream, DamagedError
from provision.containers.formats.tar_format import tar_steps
from provision.containers.steps import FormatInput, Member

if TYPE_CHECKING:
    from provision.containers.steps import Steps


def archive(*members: tuple[str, bytes, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read(data: bytes) -> list[tuple[str, bytes]]:
    return [(str(step.name), b"".join(step.chunks)) for step in steps(data) if isinstance(step, Member)]


def steps(data: bytes) -> Steps:
    return tar_steps(FormatInput(ChunkStream([data]), None, 1 << 27), None)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ["n" * 300, "é\u20ac", "é ends with a line break\n", "n\nm"])
def test_names(form: int, name: str) -> None:
    assert read(archive((name, b"x", tarfile.REGTYPE), ("next", b"y", tarfile.REGTYPE), form=form)) == [
        (name, b"x"),
        ("next", b"y"),
    ]


def test_a_member_that_is_not_read_is_passed_over() -> None:
    data = archive(("a", b"1" * 2000, tarfile.REGTYPE), ("b", b"2", tarfile.REGTYPE))
    assert [step.name for step in steps(data) if isinstance(step, Member)] == ["a", "b"]


def test_links_have_no_content_and_the_end_mark_hides_nothing() -> None:
    data = archive(("link", b"", tarfile.SYMTYPE), ("a", b"1", tarfile.REGTYPE)) + b"hidden".ljust(512, b"!")
    assert read(data) == [("a", b"1"), ("(after the end mark)", b"hidden".ljust(512, b"!"))]


def test_a_tar_that_ends_too_early_is_damaged() -> None:
    whole = archive(("a", b"1" * 1000, tarfile.REGTYPE))
    for length in (100, 512 + 900):
        with pytest.raises(DamagedError, match="ends too early"):
            read(whole[:length])
