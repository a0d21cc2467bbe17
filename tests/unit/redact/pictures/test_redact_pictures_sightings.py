"""Keys over two lines, from lines of text that need no OCR."""

from __future__ import annotations

import random
from itertools import pairwise

import picturecraft
import pictureproof
import pytest

from provision.detect.detector import Detector
from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.lines import TextLine, cells_of, line_below, lines_of
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


def test_half_a_key_at_the_end_of_its_line_is_reported() -> None:
    half = "gh" + "p_" + picturecraft.alphanumeric(random.Random(3), 17)
    [sighting] = merge_sightings(find_sightings(screen(f"key {half}"), DETECTOR, KEY_FORMS))
    assert (sighting.text, sighting.short) == (half, True)


def test_a_prefix_with_an_error_needs_a_random_rest() -> None:
    text = "typing-extensions-4.15.0\nAISA_API_KEYis read from a file"
    assert covered(screen(text)) == text


def test_words_of_rows_of_different_width_are_not_a_known_key() -> None:
    detector = pictureproof.detector("k3Jd9Qp-7wLmN2xRvT4c_8hBaG5sFzW1tYoE06uM")
    assert detector.known
    lines = screen("Name\nmain\nAPIkey\nqK7ACMQQGBERU4Y5PSVJ\nBaseURL")
    assert find_sightings(lines, detector, KEY_FORMS, MisreadKeys(detector.known)) == []


def test_the_last_character_of_a_key_is_in_the_next_row_of_its_cell_however_long_cells_beside_it_are() -> None:
    key = picturecraft.aws_key(random.Random(3))
    lines = screen(f"build  │ {key[:19]} │ here are words that reach far\n         {key[19:]}")
    assert covered(lines).split("\n") == [f"build  │ {'*' * 19} │ here are words that reach far", "*"]


def test_a_row_of_a_folded_key_with_a_misread_letter_is_followed() -> None:
    key = picturecraft.aisa_key(random.Random(3))
    rows = [key[:20], key[20:22] + "]" + key[23:40], key[40:]]
    assert covered(screen("\n".join(rows))).replace("\n", "") == "*" * 51


@pytest.mark.parametrize(
    ("text", "borders"),
    [
        ("abcYAdef", [0, 8, 16, 24, 24, 58, 66, 74, 82]),  # the third letter was placed in the fourth
        ("on: Bearer", [0, 8, 16, 24, 32, 48, 52, 60, 68, 76, 84]),  # the B has a part of the next letter
    ],
)
def test_a_cell_ends_at_a_wide_space_only_however_wide_its_letters_are(text: str, borders: list[float]) -> None:
    strip = Strip(0, 0, 0.0, 200, 18)
    letters = [Glyph(c, 0.99, strip, left, right) for c, (left, right) in zip(text, pairwise(borders), strict=True)]
    assert cells_of([TextLine(tuple(letters))]) == []


def test_a_row_of_few_letters_in_a_high_strip_is_the_line_below() -> None:
    first, second = Strip(340, 201, 0.0, 250, 20), Strip(333, 219, 0.0, 241, 35)
    upper, lower = (
        TextLine(tuple(Glyph(c, 0.99, s, n * 9, n * 9 + 9) for n, c in enumerate("abcde"))) for s in (first, second)
    )
    assert line_below(upper, [upper, lower]) is lower


def test_the_line_below_is_that_of_the_same_window() -> None:
    left, right = screen("one\ntwo"), screen("three\nfour", left=600)
    assert line_below(right[0], [*left, *right]) is right[1]


def test_strips_of_a_row_are_one_line() -> None:
    [a], [b] = screen("sk-aisa"), screen("rest", left=70)
    [line] = lines_of([list(b.glyphs), list(a.glyphs)])
    assert line.text == "sk-aisa rest"
