"""Compressed streams in base64: found wherever the text is cut, and encoded again as they were."""

from __future__ import annotations

import base64
import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
import seeded

from provision.containers import embedded as module
from provision.containers.embedded import EmbeddedStreams, decode_base64, encode_like

if TYPE_CHECKING:
    from collections.abc import Callable

INSIDE = b"hello " * 10 + bytes(range(60))
TEXT = b"before, x: " + base64.b64encode(gzip.compress(INSIDE)) + b"\nend"


@pytest.mark.parametrize("size", [1, 7, 30, 41, 1000])
def test_chunks_do_not_matter(size: int) -> None:
    found = EmbeddedStreams()
    chunks = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    assert b"".join(found.watching(chunks)) == TEXT
    (stream,) = found.streams()
    assert (stream.start, stream.end, stream.kind) == (11, len(TEXT) - 4, "gzip")
    assert gzip.decompress(stream.data) == INSIDE


@pytest.mark.parametrize("size", [1, 7, 30, 41, 1000])
@pytest.mark.parametrize(
    ("form", "times"),
    [(bytes, 0), (lambda data: data.hex().encode(), -1), (lambda data: data.hex().upper().encode(), -1)],
)
def test_gzip_is_found_as_it_is_and_in_hex(size: int, form: Callable[[bytes], bytes], times: int) -> None:
    packed = form(gzip.compress(INSIDE, mtime=0))
    text = b"echo x\n\\x" + packed + b"\nrest\x1f\x8b\x08\xff of it, 1f8b08"
    found = EmbeddedStreams()
    assert b"".join(found.watching([text[at : at + size] for at in range(0, len(text), size)])) == text
    (stream,) = found.streams()
    assert (stream.start, stream.text, stream.times, found.problems) == (9, packed, times, [])
    assert gzip.decompress(stream.data) == INSIDE
    assert encode_like(stream.data, stream.text, times) == packed


def test_a_large_gzip_inside_is_unpacked_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = zlib.decompressobj
    monkeypatch.setattr(module.zlib, "decompressobj", lambda **options: made.append(1) or real(**options))
    text = b"x" * 100 + gzip.compress(seeded.token_bytes(1 << 19))
    found = EmbeddedStreams()
    for _ in found.watching([text[at : at + 512] for at in range(0, len(text), 512)]):
        pass
    assert len(found.streams()) == 1
    assert len(made) < 40


def test_both_engines_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b" ".join(base64.b64encode(zlib.compress(INSIDE, level)) for level in (1, 6, 9)) + b" " + TEXT
    fast = EmbeddedStreams.of(data).streams()
    assert [stream.kind for stream in fast] == ["zlib", "zlib", "zlib", "gzip"]

    def missing(_: str) -> None:
        raise ImportError

    monkeypatch.setattr(module, "import_module", missing)
    module._finder.cache_clear()
    assert EmbeddedStreams.of(data).streams() == fast
    module._finder.cache_clear()


@pytest.mark.parametrize("text", [b"aGVsbG8", b"aGVsbG8=", b"-_-_", b"aGVs\n  bG8="])
def test_it_is_encoded_as_it_was(text: bytes) -> None:
    data = decode_base64(text)
    assert data is not None
    assert encode_like(data, text, 1) == text
