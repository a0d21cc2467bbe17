"""A compressed file keeps its compression, and its content is redacted by its own kind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from typing import TYPE_CHECKING

import pytest
from redactcraft import aisa_key, pieces_left, session

from provision.redact.archives.containers import redact_file
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = aisa_key("compressed")
FORMS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".gz": (gzip.compress, gzip.decompress),
    ".bz2": (bz2.compress, bz2.decompress),
    ".xz": (lzma.compress, lzma.decompress),
}


def redacted(data: bytes, file: str) -> bytes:
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, file, session())
    return out.getvalue()


@pytest.mark.parametrize("suffix", FORMS)
def test_the_content_is_redacted_and_packed_in_the_same_way(suffix: str) -> None:
    pack, unpack = FORMS[suffix]
    result = unpack(redacted(pack(f"before {KEY} after\n".encode()), "a.log" + suffix))
    assert not pieces_left(KEY, result)
    assert result.startswith(b"before [REDACTED:aisa-key#")
    assert result.endswith(b"] after\n")


def test_the_name_without_its_suffix_decides_the_format_of_the_content() -> None:
    assert b"plain-word" not in gzip.decompress(redacted(gzip.compress(b"NAME=plain-word\n"), ".env.gz"))
    assert b"plain-word" in gzip.decompress(redacted(gzip.compress(b"the name is plain-word\n"), "notes.txt.gz"))


def test_the_name_in_a_gzip_header_is_dropped() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(f"{KEY}.log", "wb", fileobj=packed, mtime=1) as file:
        file.write(b"nothing secret")
    assert KEY.encode() in packed.getvalue()
    assert KEY.encode() not in redacted(packed.getvalue(), "a.gz")


@pytest.mark.parametrize("suffix", FORMS)
def test_a_truncated_file_is_refused(suffix: str) -> None:
    data = FORMS[suffix][0](bytes(range(256)) * 40)
    with pytest.raises(CannotExamineError, match="damaged"):
        redacted(data[: len(data) * 2 // 3], "a" + suffix)
