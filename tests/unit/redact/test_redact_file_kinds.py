"""The content decides the kind of a file, and each kind has a module or is refused."""

from __future__ import annotations

import sys

import pytest

from provision.redact import file_kinds
from provision.redact.file_kinds import FileKind, kind_of, redactor_for
from provision.redact.session import CannotExamineError
from provision.shell import install_command

HEADS = {
    b"": FileKind.TEXT,
    b"just text": FileKind.TEXT,
    b"\x00\x01\x02 unknown binary": FileKind.TEXT,
    b"\x89PNG\r\n\x1a\n....": FileKind.PICTURE,
    b"RIFF\x10\0\0\0WEBPVP8 ": FileKind.PICTURE,
    b"RIFF\x10\0\0\0AVI LIST": FileKind.VIDEO,
    b"BM\x10\0\0\0\0\0\0\0": FileKind.PICTURE,
    b"BMW is a car": FileKind.TEXT,
    b"\0\0\0\x20ftypavif": FileKind.PICTURE,
    b"\0\0\0\x20ftypheic": FileKind.OPAQUE,
    b"\0\0\0\x20ftypisom": FileKind.VIDEO,
    b"junk before\n%PDF-1.7": FileKind.PDF,
    b"PK\x03\x04": FileKind.ZIP,
    b"\0" * 257 + b"ustar\x0000": FileKind.TAR,
    b"\x1f\x8b\x08": FileKind.COMPRESSED,
    b"SQLite format 3\0": FileKind.SQLITE,
    b"7z\xbc\xaf\x27\x1c": FileKind.CONTAINER,
    b"Rar!\x1a\x07": FileKind.OPAQUE,
    b"Script started on 2026-01-01": FileKind.TYPESCRIPT,
    b'{"version": 2, "width": 80, "height": 24}\n[0.1, "o", "x"]': FileKind.CAST,
    b'{"version": 3, "term": {"cols": 80, "rows": 24}}\n': FileKind.CAST,
    b'{"version": 4, "width": 80}': FileKind.TEXT,
    b'{"version": 2, "name": "a package"}': FileKind.TEXT,
}


@pytest.mark.parametrize("head", HEADS)
def test_the_kind_follows_from_the_first_bytes(head: bytes) -> None:
    assert kind_of(head) is HEADS[head]


@pytest.mark.parametrize("kind", [kind for kind in FileKind if kind is not FileKind.OPAQUE])
def test_each_kind_has_a_redactor(kind: FileKind) -> None:
    assert redactor_for(kind).__name__ == "redact_file"


def test_a_kind_that_cannot_be_read_is_refused_with_a_hint() -> None:
    with pytest.raises(CannotExamineError, match="not supported") as caught:
        redactor_for(FileKind.OPAQUE)
    assert caught.value.hint


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"provision.redact.{file_kinds._MODULES[FileKind.VIDEO]}", None)
    with pytest.raises(CannotExamineError) as caught:
        redactor_for(FileKind.VIDEO)
    assert caught.value.hint == install_command("video")
    monkeypatch.setitem(sys.modules, "provision.redact.text", None)
    with pytest.raises(ModuleNotFoundError):
        redactor_for(FileKind.TEXT)
