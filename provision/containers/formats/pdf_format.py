"""Read what PDF documents hold: every stream that is deflated, and the text of the pages.

Pages draw text in pieces, with numbers between them, and in codes of their own fonts. So the pieces of simple fonts are joined
here, and pypdfium2 (extra `image`) reads the rest; without it, that is reported. The pictures are for `provision redact`.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.steps import FormatInput, Label, Member, NotRead
from provision.shell import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.containers.steps import Steps

_STREAM = re.compile(rb"stream\r?\n")
_DEFLATED = re.compile(rb"/(?:FlateDecode|Fl)\b")
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_STRING = re.compile(rb"\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]*)>|(\bT[dDm*]\b|\bET\b|')", re.DOTALL)
_ESCAPE = re.compile(rb"\\([()\\])")
_LONGEST_TEXT = 4 << 20
_OTHER_FILTERS = re.compile(rb"/(?:LZWDecode|ASCII85Decode|ASCIIHexDecode|RunLengthDecode|Crypt)\b")
_MOST_PAGES = 5000


def pdf_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the streams, the joined text of each, and the text of the pages."""
    del out
    data = source.held() or b""
    if re.search(rb"/Encrypt\s+\d+\s+\d+\s+R", data):
        yield NotRead("not read: an encrypted PDF")
        return
    other = False
    for number, start in enumerate(each.end() for each in _STREAM.finditer(data)):
        described = data[max(0, start - 1000) : start]
        described = described[described.rfind(b" obj") :] if b" obj" in described else described
        if _IMAGE.search(described):
            continue
        if not _DEFLATED.search(described):
            other = other or bool(_OTHER_FILTERS.search(described))
            continue
        other = other or bool(_OTHER_FILTERS.search(described))
        text: list[bytes] = []
        yield Member(f"stream {number + 1}", _inflated(data, start, text), text=True)
        if joined := joined_strings(b"".join(text)):
            yield Label(f"the text of stream {number + 1}", joined, PartKind.BODY)
    if other:
        yield NotRead("a stream of a PDF with a filter other than deflate is not read")
    yield from _pages(data)


def _inflated(data: bytes, start: int, text: list[bytes]) -> Iterator[bytes]:
    """Unpack one stream; its beginning is kept in `text`. What follows damage is missing, as in every reader of PDF."""
    inner = zlib.decompressobj()
    end = data.find(b"endstream", start)
    rest = data[start : end if end >= 0 else len(data)]
    kept = 0
    with contextlib.suppress(zlib.error):
        while rest and not inner.eof:
            chunk = inner.decompress(rest, 1 << 20)
            if kept < _LONGEST_TEXT:
                text.append(chunk)
                kept += len(chunk)
            if chunk:
                yield chunk
            rest = inner.unconsumed_tail


def joined_strings(content: bytes) -> bytes:
    """Return the strings that a page's content draws, joined within each line."""
    if b"T" not in content:
        return b""
    parts = []
    for literal, code, moved in _STRING.findall(content):
        if moved:
            parts.append(b"\n")
        elif code:
            with contextlib.suppress(ValueError):
                parts.append(bytes.fromhex(code.decode()).replace(b"\0", b""))
        else:
            parts.append(_ESCAPE.sub(rb"\1", literal))
    return b"".join(parts).strip(b"\n")


def _pages(data: bytes) -> Steps:
    try:
        import pypdfium2  # noqa: PLC0415  an extra, and slow to load
    except ImportError:
        yield NotRead(f"the text of a PDF is read only in part: {install_command('image')}")
        return
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        yield NotRead("a damaged PDF: only its streams are read")
        return
    with contextlib.closing(document):
        if len(document) > _MOST_PAGES:
            yield NotRead(f"only the first {_MOST_PAGES} pages of a PDF are read as text")
        for number in range(min(len(document), _MOST_PAGES)):
            try:
                with contextlib.closing(document[number]) as page, contextlib.closing(page.get_textpage()) as text:
                    yield Label(f"page {number + 1}", text.get_text_range().encode("utf-8", "replace"), PartKind.BODY)
            except pypdfium2.PdfiumError:
                yield NotRead(f"page {number + 1} of a PDF is damaged")
