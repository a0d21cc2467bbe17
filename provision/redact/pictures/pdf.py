"""Read PDF files as pictures of their pages, and write PDFs that consist of such pictures only.

Everything else in a PDF is dropped: text layer, attachments, forms, scripts, history, metadata. The text layer is used to
find keys: the text and its places are known there without OCR.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import math
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.lines import TextLine
from provision.redact.pictures.ocr_models import INSTALL, PicturesUnavailableError
from provision.redact.pictures.strips import Strip
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.redact.pictures.strips import Pixels

_DPI = 200
_POINTS_PER_INCH = 72
_MOST_PIXELS_A_PAGE = 20_000_000
MOST_PAGES = 2000
_MOST_CHARACTERS = 100_000
_LONGEST_LINE = 2000
"""A page's text layer beyond this is ignored; visible text is still read from the picture."""
_DATE = re.compile(rb"/CreationDate\(D:[0-9+Z']{1,30}\)")
_NUMBER = re.compile(rb"/ID\[<[0-9A-F]{32}><[0-9A-F]{32}>\](?=>>\s+startxref\s+\d+\s+%%EOF\s*$)")
_PASSWORD = 4
"""PDFium's error code for a missing or wrong password."""


class PdfPages:
    """A PDF opened for reading, and the PDF that is written from it, page by page."""

    def __init__(self, data: bytes) -> None:
        try:
            import pypdfium2  # noqa: PLC0415
        except ImportError as e:
            raise PicturesUnavailableError("cannot examine PDFs: pypdfium2 is not installed", hint=INSTALL) from e
        self._pdfium = pypdfium2
        try:
            self._source = pypdfium2.PdfDocument(data)
            self.count = len(self._source)
        except pypdfium2.PdfiumError as e:
            if getattr(e, "err_code", None) == _PASSWORD or "password" in str(e).lower():
                raise CannotExamineError("the PDF has a password", hint="save it without a password first") from e
            raise CannotExamineError("this PDF is damaged, or its format is not supported") from e
        if not 0 < self.count <= MOST_PAGES:
            raise CannotExamineError(f"the PDF has {self.count} pages; at most {MOST_PAGES} can be examined")
        self._target = pypdfium2.PdfDocument.new()

    def __iter__(self) -> Iterator[tuple[Pixels, list[TextLine], tuple[float, float]]]:
        """Yield each page's pixels, the lines of its text layer placed in pixels, and its size in points."""
        for number in range(self.count):
            try:
                page = self._source[number]
                width, height = page.get_size()
                scale = min(_DPI / _POINTS_PER_INCH, math.sqrt(_MOST_PIXELS_A_PAGE / max(1.0, width * height)))
                bitmap = page.render(scale=scale, rev_byteorder=True)
                pixels = bitmap.to_numpy()[..., :3].copy()
                yield pixels, _text_layer(self._pdfium.raw, page, bitmap), (width, height)
            except self._pdfium.PdfiumError as e:
                raise CannotExamineError(f"page {number + 1} of the PDF cannot be rendered") from e

    def add(self, pixels: Pixels, size: tuple[float, float]) -> None:
        """Add a page that shows these pixels."""
        from PIL import Image  # noqa: PLC0415

        page = self._target.new_page(*size)
        picture = self._pdfium.PdfImage.new(self._target)
        picture.set_bitmap(self._pdfium.PdfBitmap.from_pil(Image.fromarray(pixels)))
        picture.set_matrix(self._pdfium.PdfMatrix().scale(*size))
        page.insert_obj(picture)
        page.gen_content()

    def save(self, target: BinaryIO) -> None:
        """Write the added pages, without the time and the random number that PDFium adds: equal pages become equal bytes."""
        with io.BytesIO() as out:
            self._target.save(out)
            data = _DATE.sub(lambda found: b" " * len(found[0]), out.getvalue(), count=1)
        same = hashlib.sha256(_NUMBER.sub(b"", data)).hexdigest()[:32].encode()
        target.write(_NUMBER.sub(b"/ID[<" + same + b"><" + same + b">]", data))


def _text_layer(raw: Any, page: Any, bitmap: Any) -> list[TextLine]:
    text = page.get_textpage()
    place = bitmap.get_posconv(page).to_bitmap
    rows: list[list[tuple[str, float, float, float, float]]] = [[]]
    box = tuple(ctypes.c_double() for _ in range(4))
    for n in range(min(_MOST_CHARACTERS, text.count_chars())):
        code = raw.FPDFText_GetUnicode(text, n)
        c = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "?"
        if c in "\r\n" or len(rows[-1]) > _LONGEST_LINE:
            rows.append([])
            continue
        if not raw.FPDFText_GetCharBox(text, n, *(ctypes.byref(v) for v in box)):
            continue
        left, right, bottom, top = (v.value for v in box)
        (x0, y0), (x1, y1) = place(left, top), place(right, bottom)
        rows[-1].append((c if c != "\u0002" else "-", min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    return [line for row in rows for line in [_line(row)] if line is not None]


def _line(row: list[tuple[str, float, float, float, float]]) -> TextLine | None:
    solid = [c for c in row if not c[0].isspace()]
    if not solid:
        return None
    top, bottom = min(c[2] for c in solid), max(c[4] for c in solid)
    left, right = min(c[1] for c in solid), max(c[3] for c in solid)
    strip = Strip(left, top, 0.0, right - left, max(1.0, bottom - top))
    return TextLine(
        tuple(Glyph(" " if c.isspace() else c, 1.0, strip, x0 - left, x1 - left) for c, x0, _, x1, _ in row)
    )
