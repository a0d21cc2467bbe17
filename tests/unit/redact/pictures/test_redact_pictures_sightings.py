"""Keys over two lines, from lines of text that need no OCR."""

from __future__ import annotations

import random

import picturecraft
import pictureproof
import pytest

from provision.detect.detector import Detector
from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.lines import TextLine, line_below, lines_of
from provision.redact.pictures.lookalike import KEY_FORMS
from provision.redact.pictures.misread import MisreadKeys
from provision.redact.pictures.sightings import find_sightings, merge_sightings
from provision.redact.pictures.strips import Strip

DETECTOR = Detector()


def screen(text: str, left: float = 0, top: float = 0) -> list[TextLine]:
    """A terminal's lines: every character 8 pixels wide, every row 18 high."""
    lines = []
    for row, line in enumerate(text.splitlines()):
        start = len(line) - len(line.lstrip())
        strip = Strip(left + start * 8, top + row * 18, 0.0, (len(line) - start) * 8, 18)
        lines.append(TextLine(tuple(Glyph(c, 0.99, strip, n * 8, n * 8 + 8) for n, c in enumerate(line[start:]))))
    return lines


def covered(lines: list[TextLine]) -> str:
    """The lines with stars for what was found."""
    found = merge_sightings(find_sightings(lines, DETECTOR, KEY_FORMS))
    hidden = {id(glyph) for s in found for p in s.parts for glyph in p.glyphs}
    return "\n".join("".join("*" if id(glyph) in hidden else glyph.text for glyph in line.glyphs) for line in lines)


@pytest.mark.parametrize("width", range(12, 60))
def test_a_key_is_followed_over_wrapped_lines(width: int) -> None:
    key = picturecraft.aisa_key(random.Random(width))
    text = f"export AISA_API_KEY={key}"
    wrapped = "\n".join(text[at : at + width] for at in range(0, len(text), width))
    shown = covered(screen(f"{wrapped}\ncommit and push"))
    assert shown.replace("\n", "").endswith("commit and push")
    assert "".join(shown.split("\n")[:-1]) == "export AISA_API_KEY=" + "*" * 51


@pytest.mark.parametrize("width", range(14, 26))
@pytest.mark.parametrize("name", ["aws id ", "KEY_TOKEN="])
@pytest.mark.parametrize("seed", range(6))
def test_a_short_key_is_followed_though_its_first_part_alone_says_little(width: int, seed: int, name: str) -> None:
    key = picturecraft.aws_key(random.Random(seed))
    text = f"{name}{key}"
    wrapped = "\n".join(text[at : at + width] for at in range(0, len(text), width))
    assert covered(screen(f"{wrapped}\nthen it stays")).replace("\n", "") == name + "*" * 20 + "then it stays"


@pytest.mark.parametrize("between", ["   ", " | ", "  │  "])
@pytest.mark.parametrize("width", [14, 20, 26, 33])
def test_a_key_is_followed_in_its_cell_of_a_table(width: int, between: str) -> None:
    key = picturecraft.aisa_key(random.Random(width))
    pieces = [key[at : at + width].ljust(width) for at in range(0, len(key), width)]
    rows = [
        ("main", pieces[0], "used today and before"),
        *(("    ", piece, "2026-01-02 by ada") for piece in pieces[1:]),
    ]
    shown = covered(
        screen("\n".join(between.join(row) for row in [*rows, ("old ", "none".ljust(width), "never used")]))
    )
    assert shown.count("*") == len(key)
    assert "used today and before" in shown
    assert "none" in shown


@pytest.mark.parametrize("width", [9, 14, 22, 39, 60])
def test_a_known_key_without_a_prefix_is_followed_too(width: int) -> None:
    key = "k3Jd9Qp-7wLmN2xRvT4c_8hBaG5sFzW1tYoE06uM"
    detector = pictureproof.detector(key)
    assert detector.known
    pieces = [key[at : at + width] for at in range(0, len(key), width)]
    lines = screen("\n".join(("the build key", *pieces, "stays in the vault")))
    found = find_sightings(lines, detector, KEY_FORMS, MisreadKeys(detector.known))
    assert [s.text for s in merge_sightings(found)] == [key]


def test_the_line_below_stays_when_the_key_is_whole() -> None:
    key = picturecraft.aisa_key(random.Random(1))
    assert covered(screen(f"{key}\nA1b2C3d4e5F6 stays")) == "*" * 51 + "\nA1b2C3d4e5F6 stays"


def test_the_line_below_is_that_of_the_same_window() -> None:
    left, right = screen("one\ntwo"), screen("three\nfour", left=600)
    assert line_below(right[0], [*left, *right]) is right[1]


def test_strips_of_a_row_are_one_line() -> None:
    [a], [b] = screen("sk-aisa"), screen("rest", left=70)
    [line] = lines_of([list(b.glyphs), list(a.glyphs)])
    assert line.text == "sk-aisa rest"
