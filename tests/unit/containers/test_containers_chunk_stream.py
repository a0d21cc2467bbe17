"""Bytes that arrive in chunks, taken in other amounts."""

from __future__ import annotations

import random

import pytest

from provision.containers.chunk_stream import ChunkStream, DamagedError


def test_nothing_is_lost_or_given_twice_however_it_is_taken() -> None:
    draw = random.Random(7)
    for _ in range(300):
        data = draw.randbytes(draw.randrange(60))
        cuts = sorted(draw.choices(range(len(data) + 1), k=5))
        stream = ChunkStream(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b)
        got = b""
        while len(got) < len(data):
            size = draw.randrange(1, 9)
            match draw.randrange(3):
                case 0:
                    assert stream.peek(size) == data[len(got) : len(got) + size]
                case 1:
                    got += stream.take(size)
                case _:
                    got += b"".join(stream.parts(size))
            assert got == data[: len(got)]
            assert stream.taken_bytes == len(got)
        assert stream.peek(1) == stream.take(1) == b"".join(stream.parts()) == b""


def test_what_comes_before_a_failure_can_be_taken() -> None:
    def failing():  # type: ignore[no-untyped-def]
        yield b"abc"
        raise DamagedError("broken")

    stream = ChunkStream(failing())
    assert stream.take(2) == b"ab"
    assert stream.peek(5) == b"c"
    assert stream.take(5) == b"c"
    with pytest.raises(DamagedError):
        stream.take(1)
