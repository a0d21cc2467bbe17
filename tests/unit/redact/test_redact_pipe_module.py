"""Pipes: text is passed on as it arrives; other kinds are collected first, or refused when they come too late."""

from __future__ import annotations

import gzip
import os
import tempfile

import pytest
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
    with pytest.raises(CannotExamineError, match="compressed"):
        redacted(monkeypatch, b"\x1f", b"\x8b\x08rest")


def test_as_text_the_kind_is_not_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"PK\x03\x04 " + KEY.encode()
    assert redacted(monkeypatch, data, kind=FileKind.TEXT).startswith(b"PK\x03\x04 [REDACTED:aisa-key#")
