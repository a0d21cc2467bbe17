"""Covers are flat, reach the outermost pixel of a key, and leave the lines around it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from provision.redact.pictures.areas import FILL, Area, areas_of, cover_areas, outline_areas
from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.lines import TextLine
from provision.redact.pictures.sightings import LinePart
from provision.redact.pictures.strips import Strip

WHITE, INK = 255, 40


def blank(rows: int = 60, columns: int = 200) -> np.ndarray:
    return np.full((rows, columns, 3), WHITE, np.uint8)


def text_line(strip: Strip, text: str) -> TextLine:
    return TextLine(tuple(Glyph(c, 1.0, strip, n * 8, n * 8 + 8) for n, c in enumerate(text)))


def drawn(picture: np.ndarray, strip: Strip, text: str) -> TextLine:
    """A line whose letters are solid boxes of 6 x 10 pixels, in cells of 8."""
    for n, c in enumerate(text):
        if c != " ":
            x, y = round(strip.x) + n * 8 + 1, round(strip.y) + 3
            picture[y : y + 10, x : x + 6] = INK
    return text_line(strip, text)


def test_a_cover_is_flat_and_of_its_own_size() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    before = picture.copy()
    cover_areas(picture, [Area(((10.4, 5.6), (20.2, 5.6), (20.2, 9.1), (10.4, 9.1)), "x")])
    assert (picture[5:10, 10:21] == FILL).all()
    picture[5:10, 10:21] = before[5:10, 10:21]
    assert (picture == before).all()


def test_a_cover_beyond_the_edge_covers_up_to_it() -> None:
    picture = blank()
    cover_areas(
        picture,
        [Area(((-5, -5), (4, -5), (4, 3), (-5, 3)), "x"), Area(((190, 50), (500, 50), (500, 90), (190, 90)), "x")],
    )
    assert (picture[:3, :4] == FILL).all()
    assert (picture[50:, 190:] == FILL).all()


def test_letters_that_end_with_the_picture_are_covered_to_its_edge() -> None:
    picture = blank(rows=24)
    strip = Strip(10, 12, 0, 160, 16)
    line = drawn(picture, strip, "sk-aisa-abcdefgh")
    picture[15:] = np.where(picture[15:16] == INK, INK, picture[15:])
    cover_areas(picture, [*areas_of(LinePart(line, 0, 16), "x", picture, [strip])])
    assert not (picture[:, 8:140] == INK).any()


@pytest.mark.parametrize("degrees", [-30, -1, 1, 30])
def test_a_turned_cover_ends_within_half_a_pixel_of_its_edges(degrees: float) -> None:
    picture = blank()
    strip = Strip(60, 20, math.radians(degrees), 60, 12)
    cover_areas(picture, [Area(strip.quad(0, 60), "x")])
    for y, x in np.ndindex(picture.shape[:2]):
        along, across = strip.within((x + 0.5, y + 0.5))
        outside = max(-along, along - 60, -across, across - 12)
        if not 0 < outside < 0.5:
            assert (picture[y, x] == FILL).all() == (outside <= 0), (x, y)


def test_an_outline_leaves_what_is_inside() -> None:
    picture = blank()
    outline_areas(picture, [Area(((10, 10), (60, 10), (60, 30), (10, 30)), "x")], (1, 2, 3))
    assert (picture[10, 10:60] == (1, 2, 3)).all()
    assert (picture[15:25, 15:55] == WHITE).all()


@pytest.mark.parametrize(("start", "end"), [(0, 3), (4, 9), (4, 11), (0, 11)])
def test_a_part_is_covered_and_its_neighbours_stay(start: int, end: int) -> None:
    picture = blank()
    line = drawn(picture, Strip(20, 20, 0.0, 88, 16), "abc defghij")
    inked = (picture == INK).all(axis=2)
    cover_areas(picture, areas_of(LinePart(line, start, end), "x", picture))
    own = np.zeros_like(inked)
    own[:, 20 + start * 8 : 20 + end * 8] = True
    assert (picture[inked & own] == FILL).all()
    assert (picture[inked & ~own] == INK).all()


def test_ink_right_beside_a_key_is_covered_too() -> None:
    """The model misses underscores at both ends of a word."""
    picture = blank()
    line = drawn(picture, Strip(20, 20, 0.0, 40, 16), "abcde")
    picture[31:33, 61:69] = picture[31:33, 11:19] = INK  # underscores without a glyph
    cover_areas(picture, areas_of(LinePart(line, 0, 5), "x", picture))
    assert (picture[31:33, 61:69] == FILL).all()
    assert (picture[31:33, 11:19] == FILL).all()


@pytest.mark.parametrize("row", [22, 35])
def test_the_border_of_a_cell_beside_a_key_does_not_widen_its_cover(row: int) -> None:
    picture = blank()
    line = drawn(picture, Strip(60, 20, 0.0, 40, 16), "abcde")
    picture[row, 5:] = INK
    cover_areas(picture, areas_of(LinePart(line, 0, 5), "x", picture))
    assert (picture[23:33, 61:99] == FILL).all()
    assert (picture[row, 5:55] == INK).all()
    assert (picture[row, 105:] == INK).all()


def test_lines_above_and_below_stay() -> None:
    picture = blank()
    strips = [Strip(20, top, 0.0, 80, 16) for top in (4, 20, 36)]
    lines = [drawn(picture, strip, "abcdefghij") for strip in strips]
    above, below = picture[:17].copy(), picture[39:].copy()
    cover_areas(picture, areas_of(LinePart(lines[1], 0, 10), "x", picture, strips))
    assert (picture[:17] == above).all()
    assert (picture[39:] == below).all()


def test_a_cover_ends_in_the_middle_between_two_lines() -> None:
    picture = blank()
    strips = [Strip(20, 20, 0.0, 80, 16), Strip(20, 38, 0.0, 80, 16)]
    line, _ = (drawn(picture, strip, "abcdefghij") for strip in strips)
    picture[40, 20:100] -= 30  # the soft edge of the line below
    below = picture[37:].copy()
    cover_areas(picture, areas_of(LinePart(line, 0, 10), "x", picture, strips))
    assert (picture[23:35, 21:98] == FILL).all()
    assert (picture[37:] == below).all()


def test_feet_are_covered_where_no_blank_row_parts_two_lines() -> None:
    picture = blank()
    strips = [Strip(20, 4, 0.0, 80, 11), Strip(20, 13, 0.0, 80, 11)]
    lines = [text_line(strip, "abcdefghij") for strip in strips]
    for n in range(10):
        for strip in strips:
            picture[round(strip.y) + 2 : round(strip.y) + 9, 20 + n * 8 + 1 : 20 + n * 8 + 7] = INK
        picture[13, 20 + n * 8 + 3] = INK  # feet, down to the next line
        picture[14, 20 + n * 8 + 1 : 20 + n * 8 + 4] = INK
    cover_areas(picture, areas_of(LinePart(lines[0], 0, 10), "x", picture, strips))
    assert (picture[6:15, 21:98] == FILL).all()
    assert (picture[16:22, 21:27] == INK).all()


def test_a_border_below_is_not_a_foot() -> None:
    picture = blank()
    strip = Strip(20, 10, 0.0, 80, 16)
    line = drawn(picture, strip, "abcdefghij")
    picture[27] = INK
    cover_areas(picture, areas_of(LinePart(line, 0, 10), "x", picture, [strip]))
    assert (picture[27] == INK).all()


def test_a_part_in_two_strips_has_two_areas() -> None:
    first, second = Strip(0, 0, 0.0, 24, 16), Strip(100, 0, 0.0, 24, 16)
    line = TextLine((*text_line(first, "abc").glyphs, *text_line(second, "def").glyphs))
    areas = areas_of(LinePart(line, 1, 5), "x", blank())
    assert [round(area.bounds()[0]) >= 90 for area in areas] == [False, True]
