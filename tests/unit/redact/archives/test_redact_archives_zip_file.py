"""ZIP archives: every member is redacted; order, times, modes and compression stay."""

from __future__ import annotations

import io
import zipfile

import pytest
from redactcraft import aisa_key, pieces_left, session

from provision.redact.archives.containers import redact_file
from provision.redact.session import CannotExamineError, Session

KEY = aisa_key("zip")


def packed(*members: tuple[zipfile.ZipInfo | str, bytes], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in members:
            archive.writestr(member, data)
        archive.comment = comment
    return out.getvalue()


def redacted(data: bytes, used: Session) -> zipfile.ZipFile:
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, "a.zip", used)
    return zipfile.ZipFile(out)


def test_members_names_and_comments_are_redacted() -> None:
    member = zipfile.ZipInfo(f"{KEY}.log", (2026, 3, 4, 5, 6, 8))
    member.comment = f"made with {KEY}".encode()
    member.external_attr = 0o640 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    with redacted(packed((member, KEY.encode()), ("z.txt", b"plain"), comment=KEY.encode()), session()) as archive:
        first, last = archive.infolist()
        data = archive.read(first)
        comment = archive.comment
    for text in (data, comment, first.comment, first.filename.encode()):
        assert not pieces_left(KEY, text)
        assert b"[REDACTED:aisa-key#" in text
    assert (first.date_time, first.external_attr, first.compress_type) == ((2026, 3, 4, 5, 6, 8), 0o640 << 16, 8)
    assert last.filename == "z.txt"


def test_extra_fields_are_dropped() -> None:
    member = zipfile.ZipInfo("a")
    member.extra = b"\xfe\xca" + len(KEY).to_bytes(2, "little") + KEY.encode()
    data = packed((member, b"x"))
    assert KEY.encode() in data
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, "a.zip", session())
    assert not pieces_left(KEY, out.getvalue())


def test_an_encrypted_member_is_left_out_with_a_hint() -> None:
    data = bytearray(packed(("a", b"x"), ("b", b"y")))
    for marker, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of the first member, in both headers
        data[data.index(marker) + offset] |= 1
    used = session()
    with redacted(bytes(data), used) as archive:
        assert archive.namelist() == ["b"]
    [remark] = used.notes.left_out
    assert (remark.where, remark.message) == ("a", "encrypted; not read to its end")
    assert remark.cure


def test_a_damaged_archive_is_refused() -> None:
    data = packed(("a", b"x" * 100))
    with pytest.raises(CannotExamineError, match="damaged"):
        redacted(data[:-30], session())
