"""Compressed streams in base64: found wherever the text is cut, and encoded again as they were."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest

from provision.containers import embedded as module
from provision.containers.embedded import EmbeddedStreams, decode_base64, encode_like

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
