"""TAR archives: files are redacted, everything else about members is kept."""

from __future__ import annotations

import io
import tarfile

import pytest
from redactcraft import aisa_key, pieces_left, session

from provision.redact.archives.containers import redact_file
from provision.redact.session import CannotExamineError, Session

KEY = aisa_key("tar")


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def named(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def redacted(data: bytes, used: Session) -> tarfile.TarFile:
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, "a.tar", used)
    out.seek(0)
    return tarfile.open(fileobj=out)


def test_files_are_redacted_and_properties_stay() -> None:
    file = named("etc/.env", mode=0o640, mtime=1_700_000_000, uid=7, gid=8, uname="ada", gname="staff")
    with redacted(packed((file, f"A={KEY}\n".encode()), (named("last"), b"plain")), session()) as archive:
        first, last = archive.getmembers()
        content = archive.extractfile(first)
        assert content is not None
        data = content.read()
    assert data.startswith(b"A=[REDACTED:")
    assert first.size == len(data)
    assert (first.mode, first.mtime, first.uid, first.gid) == (0o640, 1_700_000_000, 7, 8)
    assert (first.uname, first.gname) == ("ada", "staff")
    assert (last.name, last.size) == ("last", 5)


def test_links_stay_and_secrets_in_names_and_targets_go() -> None:
    link = named(f"link-{KEY}", type=tarfile.SYMTYPE, linkname=f"/tmp/{KEY}")
    with redacted(packed((link, b"")), session()) as archive:
        [member] = archive.getmembers()
    assert member.issym()
    assert not pieces_left(KEY, member.name + member.linkname)
    assert member.linkname.startswith("/tmp/[REDACTED:aisa-key#")


def test_a_member_that_cannot_be_read_is_left_out() -> None:
    used = session()
    with redacted(packed((named("x.7z"), b"7z\xbc\xaf\x27\x1c????"), (named("y"), b"stays")), used) as archive:
        assert archive.getnames() == ["y"]
    assert [(remark.file, remark.where) for remark in used.notes.left_out] == [("a.tar", "x.7z")]


def test_a_damaged_archive_is_refused() -> None:
    data = bytearray(packed((named("a"), b"x" * 2000)))
    data[150] ^= 0xFF  # in the checksum of the header
    with pytest.raises(CannotExamineError, match="damaged"):
        redacted(bytes(data), session())
