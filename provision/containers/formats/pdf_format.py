"""Read what PDF documents hold: every stream that is deflated, and the text of the pages.

Pages draw text in pieces, with numbers between them, and in codes of their own fonts. So the pieces of simple fonts are joined
here, and pypdfium2 (extra `image`) reads the rest; without it, that is reported. The pictures are for `provision redact`.
"""

from __future__ import annotations

import base64
import contextlib
import re
import zlib
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.container_format import HEAD_BYTES, container_format
from provision.containers.steps import FormatInput, Label, Member, NotRead
from provision.shell import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.containers.steps import Steps

_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_DEFLATED = re.compile(rb"/(?:FlateDecode|Fl)\b")
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_STRING = re.compile(rb"\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]*)>|(\bT[dDm*]\b|\bET\b|')", re.DOTALL)
_ESCAPE = re.compile(rb"\\([()\\])")
_LONGEST_TEXT = 4 << 20
_OTHER_FILTERS = re.compile(rb"/(?:LZWDecode|LZW|RunLengthDecode|RL|Crypt|JBIG2Decode)\b")
_IN_LETTERS = re.compile(rb"/(?:(?P<base85>ASCII85Decode|A85)|ASCIIHexDecode|AHx)\b")
_WHITE = re.compile(rb"\s+")
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
        if _OTHER_FILTERS.search(described):
            other = True
            continue
        content = _in_bytes(_encoded(data, start), described)
        deflated = _DEFLATED.search(described)
        if content is None:
            other = True
        elif deflated or _IN_LETTERS.search(described) or container_format(content[:HEAD_BYTES]):
            text: list[bytes] = []
            chunks = _inflated(content, text) if deflated else _kept(content, text)
            yield Member(f"stream {number + 1}", chunks)
            if joined := joined_strings(b"".join(text)):
                yield Label(f"the text of stream {number + 1}", joined, PartKind.BODY)
    if other:
        yield NotRead("a stream of a PDF with a filter other than deflate, hex and base 85 is not read")
    yield from _pages(data)


def _encoded(data: bytes, start: int) -> bytes:
    """Return the bytes of the stream that begins at an offset."""
    end = data.find(b"endstream", start)
    return data[start : end if end >= 0 else len(data)]


def _in_bytes(encoded: bytes, described: bytes) -> bytes | None:
    """Undo hex and base 85; None when the stream is neither, although it says so."""
    found = _IN_LETTERS.search(described)
    if found is None:
        return encoded
    text = _WHITE.sub(b"", encoded)
    try:
        if found["base85"]:
            return base64.a85decode(text.removeprefix(b"<~").partition(b"~>")[0])
        digits = text.partition(b">")[0]
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    except ValueError:
        return None


def _kept(content: bytes, text: list[bytes]) -> Iterator[bytes]:
    text.append(content[:_LONGEST_TEXT])
    yield content


def _inflated(content: bytes, text: list[bytes]) -> Iterator[bytes]:
    """Unpack one stream; its beginning is kept in `text`. What follows damage is missing, as in every reader of PDF."""
    inner = zlib.decompressobj()
    rest = content
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
