"""Pipes: text is passed on as it arrives; other kinds are collected first, or refused when they come too late."""

from __future__ import annotations

import base64
import gzip
import os
import tempfile
import zlib

import brotli
import pytest
from hidingforms import table as level_table
from redactcraft import aisa_key, pieces_left, session

from provision.redact.file_kinds import FileKind
from provision.redact.pipe import redact_descriptor
from provision.redact.session import CannotExamineError

KEY = aisa_key("pipe")


class Source:
    """A pipe from which chunks are read one at a time."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = list(chunks)

    def read(self, _descriptor: int, _size: int) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""


def redacted(monkeypatch: pytest.MonkeyPatch, *chunks: bytes, kind: FileKind | None = None) -> bytes:
    with tempfile.TemporaryFile() as out:
        with monkeypatch.context() as patch:
            patch.setattr(os, "read", Source(*chunks).read)
            redact_descriptor(-1, out.fileno(), session(), kind)
        out.seek(0)
        return out.read()


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_key_that_arrives_in_pieces_is_masked(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    data = f"see {KEY} there\n".encode()
    result = redacted(monkeypatch, data[:cut], data[cut:])
    assert not pieces_left(KEY, result)
    assert result.endswith(b"] there\n")


def test_a_compressed_stream_is_unpacked_and_packed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(f"see {KEY}\n".encode())
    result = gzip.decompress(redacted(monkeypatch, data[:30], data[30:]))
    assert result.startswith(b"see [REDACTED:aisa-key#")


def test_another_kind_after_text_was_passed_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotExamineError, match="tar"):
        redacted(monkeypatch, b"abc", b"\0" * 254 + b"ustar\0")


def test_a_signature_may_arrive_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(f"see {KEY}\n".encode())
    result = gzip.decompress(redacted(monkeypatch, data[:1], data[1:2], data[2:]))
    assert result.startswith(b"see [REDACTED:aisa-key#")


def test_base64_of_a_container_is_rewritten_and_nothing_else_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = base64.b64encode(gzip.compress(f"see {KEY}\n".encode()))
    writes: list[bytes] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda target, data: writes.append(bytes(data)) or write(target, data))
    result = redacted(monkeypatch, b"10:00 start\n", b"x H4s", inside[3:30], inside[30:], b" end\nmore, eJ", b"\n")
    assert b"".join(writes) == result
    assert writes[0] == b"10:00 start\n"
    _, line, more = result.split(b"\n", 2)
    assert gzip.decompress(base64.b64decode(line.split()[1])).startswith(b"see [REDACTED:aisa-key#")
    assert (line.split()[2:], more) == ([b"end"], b"more, eJ\n")


def test_binary_input_is_read_to_its_end_first(monkeypatch: pytest.MonkeyPatch) -> None:
    table = level_table(b"k", f"see {KEY} ".encode())
    with pytest.raises(CannotExamineError, match="leveldb table"):
        redacted(monkeypatch, table[:9], table[9:])


def test_as_text_the_kind_is_not_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"PK\x03\x04 " + KEY.encode()
    assert redacted(monkeypatch, data, kind=FileKind.TEXT).startswith(b"PK\x03\x04 [REDACTED:aisa-key#")


def test_compressed_input_without_a_signature_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(n * 167 % 256 or 1 for n in range(1, 1025))
    with pytest.raises(CannotExamineError, match="not supported"):
        redacted(monkeypatch, data)


@pytest.mark.parametrize("kind", ["brotli", "deflate"])
@pytest.mark.parametrize("cut", [20, 200])
def test_a_compressed_stream_without_a_signature_is_rewritten(
    monkeypatch: pytest.MonkeyPatch, kind: str, cut: int
) -> None:
    text = b"".join(b"line %d\n" % number for number in range(99)) + KEY.encode()
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = brotli.compress(text) if kind == "brotli" else deflate.compress(text) + deflate.flush()
    result = redacted(monkeypatch, data[:cut], data[cut:])
    unpacked = brotli.decompress(result) if kind == "brotli" else zlib.decompress(result, -zlib.MAX_WBITS)
    assert unpacked.startswith(b"line 0\n")
    assert b"\n[REDACTED:aisa-key#" in unpacked


def test_a_compressed_stream_whose_first_byte_was_passed_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = brotli.compress(b"".join(b"line %d\n" % number for number in range(99)) + KEY.encode())
    assert data[:1].isascii()
    with pytest.raises(CannotExamineError, match="brotli"):
        redacted(monkeypatch, data[:1], data[1:])
