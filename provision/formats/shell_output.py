"""Text that a user saved with `>`. Pure.

Windows PowerShell 5.1 writes UTF-16 with a byte order mark, `Out-File -Encoding utf8` a mark of UTF-8, and every PowerShell ends
lines with CR LF. Such a file is what the command printed, in another dress.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def shell_bytes(data: bytes) -> bytes:
    """Return saved text as UTF-8 without a mark, with LF. Bytes that are not valid in what the mark says stay as they are."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                data = data[len(mark) :].decode(encoding).encode()
            except UnicodeError:
                return data
            break
    return data.replace(b"\r\n", b"\n")


def shell_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """As `shell_bytes`, for content that is read in pieces; invalid bytes of UTF-16 become U+FFFD."""
    decoder: codecs.IncrementalDecoder | None = None
    head: bytes | None = b""
    held = b""
    for chunk in _with_end(chunks):
        data = chunk
        if head is not None:
            head += chunk
            if len(head) < 3 and chunk:
                continue
            data, head = head, None
            for mark, encoding in _MARKS:
                if data.startswith(mark):
                    data = data[len(mark) :]
                    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
        if decoder is not None:
            data = decoder.decode(data, final=not chunk).encode()
        data = (held + data).replace(b"\r\n", b"\n")
        held = b"\r" if data.endswith(b"\r") and chunk else b""
        yield data[: len(data) - len(held)]


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from (chunk for chunk in chunks if chunk)
    yield b""
