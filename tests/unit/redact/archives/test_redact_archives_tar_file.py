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


def with_text(tar: bytes, block: int, field: int, text: str) -> bytes:
    """A tar with a text in a field of its header number `block`, and the checksum of that."""
    at = 512 * block
    header = bytearray(tar[at : at + 512])
    header[field : field + 32] = text.encode().ljust(32, b"\0")[:32]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar[:at] + bytes(header) + tar[at + 512 :]


def pax_packed(member: tarfile.TarInfo, headers: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive:
        archive.addfile(member, io.BytesIO())
    return out.getvalue()


HIDDEN = {
    "an owner longer than its field": pax_packed(named("a", uname=KEY, gname=KEY)),
    "an owner that an extended header replaces": with_text(pax_packed(named("a", uname="\u00e9")), 2, 265, KEY),
    "the owner of a long name": with_text(packed((named("n" * 120), b"")), 0, 265, KEY),
    "the name of an extended header": with_text(pax_packed(named("\u00e9" * 60)), 0, 0, KEY),
    "the owner of a global header": with_text(pax_packed(named("a"), {"comment": "x"}), 0, 265, KEY),
}
"""A secret in a field of a tar that another text takes the place of."""


@pytest.mark.parametrize("name", HIDDEN)
def test_texts_of_headers_that_are_not_shown_are_masked(name: str) -> None:
    out = io.BytesIO()
    redact_file(io.BytesIO(HIDDEN[name]), out, "a.tar", used := session())
    assert not pieces_left(KEY, out.getvalue().decode("latin-1"))
    assert used.notes.total
    with (
        tarfile.open(fileobj=io.BytesIO(HIDDEN[name])) as before,
        tarfile.open(fileobj=io.BytesIO(out.getvalue())) as after,
    ):
        assert after.getnames() == before.getnames()
    again = io.BytesIO()
    redact_file(io.BytesIO(out.getvalue()), again, "a.tar", session())
    assert again.getvalue() == out.getvalue()


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
