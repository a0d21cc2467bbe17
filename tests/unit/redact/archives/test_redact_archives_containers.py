"""Containers: limits, names, and what happens to a member that cannot be examined."""

from __future__ import annotations

import base64
import gzip
import io
import lzma
import os
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import py7zr
import pytest
from redactcraft import aisa_key, pieces_left, session

from provision.containers.blob import ReadLimits
from provision.redact.archives import containers as module
from provision.redact.archives.containers import holds_containers, redact_file
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.redact.session import Session

KEY = aisa_key("containers")


def redacted(data: bytes, file: str, used: Session | None = None) -> bytes:
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, file, used or session())
    return out.getvalue()


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", ReadLimits(expanded_bytes=1000, expanded_ratio=2))
    with pytest.raises(CannotExamineError, match="far more than its own size"):
        redacted(gzip.compress(bytes(10_000)), "a.gz")


def test_a_member_is_redacted_by_its_own_kind_and_name() -> None:
    assert gzip.decompress(redacted(gzip.compress(b"TEAM=blue-team-7\n"), "a/.env.gz")).startswith(
        b"TEAM=[REDACTED:env-value#"
    )


@pytest.mark.parametrize(("nested", "refused"), [(8, False), (9, True)])
def test_depth_counts_the_containers_around(nested: int, refused: bool) -> None:
    data = b"x"
    for _ in range(nested):
        data = gzip.compress(data, mtime=0)
    if refused:
        with pytest.raises(CannotExamineError, match="nested"):
            redacted(data, "a.gz")
    else:
        assert redacted(data, "a.gz") == data


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (zlib.compress, zlib.decompress),
        (lambda data: lzma.compress(data, lzma.FORMAT_ALONE), lzma.decompress),
    ],
)
def test_other_streams(pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]) -> None:
    text = f"key {KEY} end".encode()
    assert not pieces_left(KEY, unpack(redacted(pack(text), "a")))


def test_compressed_base64_in_a_text() -> None:
    inside = base64.b64encode(gzip.compress(f"export K={KEY}\n".encode() * 3))
    text = b"release: " + base64.b64encode(inside) + b"\nplain: " + inside + b"\nend\n"
    assert holds_containers(io.BytesIO(text), "a.yaml")
    lines = redacted(text, "a.yaml").splitlines()
    assert lines[2] == b"end"
    for found in (base64.b64decode(base64.b64decode(lines[0][9:])), base64.b64decode(lines[1][7:])):
        assert b"[REDACTED" in gzip.decompress(found)
        assert not pieces_left(KEY, gzip.decompress(found))


def library(name: str, *, symbols: bool = False) -> bytes:
    """An `ar` archive with one member that holds the key."""
    table = b"/".ljust(48) + b"%-10d`\n" % 4 + bytes(4) if symbols else b""
    return b"!<arch>\n" + table + name.encode().ljust(48) + f"{len(KEY):<10}".encode() + b"`\n" + KEY.encode()


def test_an_ar_archive_is_rewritten_unless_it_has_a_table_of_symbols() -> None:
    result = redacted(library("a.txt/"), "a.deb")
    assert not pieces_left(KEY, result)
    assert result.startswith(b"!<arch>\na.txt/ ")
    size = int(result[56:66])
    assert result[66:68] == b"`\n"
    assert len(result) == 68 + size + size % 2
    with pytest.raises(CannotExamineError, match="cannot be rewritten"):
        redacted(library("a.o/", symbols=True), "a.a")
    clean = library("a.o/", symbols=True).replace(KEY.encode(), b"x" * len(KEY))
    assert redacted(clean, "a.a") == clean


def test_a_7z_is_rewritten() -> None:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for name, text in (("a", "first"), ("a", KEY), (f"{KEY}.log", "x")):
            archive.writestr(text, name)
    with py7zr.SevenZipFile(io.BytesIO(redacted(out.getvalue(), "a.7z"))) as archive:
        assert [info.filename == "a" for info in archive.list()] == [True, True, False]
        assert KEY not in archive.list()[2].filename
        assert [info.uncompressed == len(KEY) for info in archive.list()] == [False, False, False]


def test_a_rewritten_7z_keeps_folders_modes_links_and_times(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "run.sh").write_text(f"#!/bin/sh\nexport AISA_API_KEY={KEY}\n")
    (tree / "run.sh").chmod(0o750)
    (tree / "private").write_text("x\n")
    (tree / "private").chmod(0o600)
    (tree / "link").symlink_to("run.sh")
    os.utime(tree / "private", (1_600_000_000, 1_600_000_000))
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        archive.writeall(tree, "tree")
    with py7zr.SevenZipFile(io.BytesIO(redacted(out.getvalue(), "a.7z"))) as archive:
        archive.extractall(tmp_path / "again")
    again = tmp_path / "again" / "tree"
    assert (again / "empty").is_dir()
    assert KEY not in (again / "run.sh").read_text()
    assert [stat.S_IMODE((again / name).lstat().st_mode) for name in ("run.sh", "private")] == [0o750, 0o600]
    assert (again / "link").readlink() == Path("run.sh")
    assert (again / "private").stat().st_mtime == 1_600_000_000
