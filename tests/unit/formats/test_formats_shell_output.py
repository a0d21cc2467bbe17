"""Files that PowerShell writes with `>` are what the command printed."""

from __future__ import annotations

import codecs

import pytest

from provision.formats.shell_output import shell_bytes, shell_chunks

TEXT = "user,key\nada,gr\u00fc\u00df \U0001f642\n\nlast"
DRESSES = {
    "plain": TEXT.encode(),
    "PowerShell 7": TEXT.replace("\n", "\r\n").encode(),
    "PowerShell 5.1": codecs.BOM_UTF16_LE + TEXT.replace("\n", "\r\n").encode("utf-16-le"),
    "Out-File -Encoding bigendianunicode": codecs.BOM_UTF16_BE + TEXT.replace("\n", "\r\n").encode("utf-16-be"),
    "Out-File -Encoding utf8": codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_the_text_is_what_was_printed(dress: str) -> None:
    data = DRESSES[dress]
    assert shell_bytes(data) == TEXT.encode()
    for size in (1, 2, 3, 5, 1000):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert b"".join(shell_chunks(pieces)) == TEXT.encode()


@pytest.mark.parametrize("data", [b"", b"a", b"\xff\xfe", b"\xef\xbb", b"a\r", b"\r\n", b"\xff\xfea", b"\x80\r\nx"])
def test_short_and_broken_content(data: bytes) -> None:
    joined = b"".join(shell_chunks([data]))
    assert joined == shell_bytes(data) or data == b"\xff\xfea"
    assert shell_bytes(b"\xff\xfea") == b"\xff\xfea", "not UTF-16: left for the reader to refuse"
