"""Text files: first by the format that the name promises, then by the detectors over the bytes."""

from __future__ import annotations

import io

import pytest
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact import text
from provision.redact.text import redact_file

WORD = opaque("text", 14)
KEY = aisa_key("text")


def redacted(data: bytes, file: str) -> bytes:
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, file, session())
    return out.getvalue()


def test_format_and_detectors_both_apply() -> None:
    result = redacted(f"client_secret: {WORD}\nnote: see {KEY} there\n".encode(), "c.yaml")
    assert not pieces_left(WORD, result, 6)
    assert not pieces_left(KEY, result)
    assert result.startswith(b"client_secret: ")
    assert result.endswith(b" there\n")


def test_a_damaged_format_is_redacted_as_bytes() -> None:
    data = f"a: [1, 2\nnote: {KEY}\n".encode()
    assert redacted(data, "c.yaml").startswith(b"a: [1, 2\nnote: [REDACTED:")


def test_a_large_structured_file_is_redacted_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"TEAM=blue-team-7\nKEY=" + KEY.encode() + b"\n"
    assert b"blue" not in redacted(data, ".env")
    monkeypatch.setattr(text, "STRUCTURED_LIMIT_BYTES", len(data) - 1)
    result = redacted(data, ".env")
    assert result.startswith(b"TEAM=blue-team-7\nKEY=[REDACTED:")


def test_bytes_that_are_not_text_stay() -> None:
    data = bytes(range(256)) * 3
    assert redacted(data + KEY.encode() + data, "core").startswith(data + b"[REDACTED:aisa-key#")
    assert redacted(data + b" " + KEY.encode() + b" " + data, "core").endswith(b"] " + data)
