"""PDFs: pages become pictures, and the text layer is known with its places."""

from __future__ import annotations

import io

import picturepdf
import pypdfium2
import pytest

from provision.redact.pictures import pdf
from provision.redact.pictures.pdf import PdfPages
from provision.redact.session import CannotExamineError


def test_a_page_comes_with_its_pixels_its_text_and_its_size() -> None:
    [(pixels, lines, size)] = list(PdfPages(picturepdf.page_with_text("visible text", 12)))
    assert size == (400, 200)
    assert pixels.shape[:2] == pytest.approx((200 / 72 * 200, 400 / 72 * 200), abs=1)
    [line] = lines
    assert line.text == "visible text"
    left, right = round(line.strip.x), round(line.strip.x + line.strip.length)
    top, bottom = round(line.strip.y), round(line.strip.y + line.strip.height)
    assert pixels[top:bottom, left:right].min() < 128, "the text is where the text layer says"
    pixels[top - 2 : bottom + 2, left - 2 : right + 2] = 255
    assert pixels.min() == 255, "and nowhere else"


def test_what_is_written_has_the_pixels_and_no_text() -> None:
    source = PdfPages(picturepdf.page_with_text("visible text", 12))
    for pixels, _, size in source:
        source.add(pixels, size)
    out = io.BytesIO()
    source.save(out)
    written = pypdfium2.PdfDocument(out.getvalue())
    assert len(written) == 1
    assert written[0].get_size() == (400, 200)
    assert written[0].get_textpage().count_chars() == 0
    assert written[0].render().to_numpy().min() < 128


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"%PDF-1.7\n%%EOF", b"not a PDF"])
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(CannotExamineError, match="damaged"):
        PdfPages(data)


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MOST_PAGES", 0)
    with pytest.raises(CannotExamineError, match="has 1 pages"):
        PdfPages(picturepdf.page_with_text("x", 12))


def test_a_huge_page_is_drawn_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_MOST_PIXELS_A_PAGE", 10_000)
    [(pixels, _, _)] = list(PdfPages(picturepdf.page_with_text("x", 12)))
    assert pixels.shape[0] * pixels.shape[1] <= 10_300
