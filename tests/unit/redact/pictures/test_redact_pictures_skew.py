"""By how much a picture is turned is measured, a level one is left as it is, and places are found again."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from provision.redact.pictures.areas import Area
from provision.redact.pictures.skew import turn_of

ROWS, COLUMNS = 260, 520


def page() -> np.ndarray:
    """Rows of something like words."""
    marks = np.random.default_rng(1).random((ROWS, COLUMNS // 4)).repeat(4, axis=1)[:, :COLUMNS] < 0.4
    marks[[row for row in range(ROWS) if row % 20 > 10 or not 20 < row < 240]] = False
    marks[:, :40] = marks[:, -60:] = False
    return np.where(marks, 60, 240).astype(np.uint8)[..., None].repeat(3, axis=2)


def turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    there = cv2.getRotationMatrix2D((COLUMNS / 2, ROWS / 2), -degrees, 1)
    return cv2.warpAffine(picture, there, (COLUMNS, ROWS), flags=cv2.INTER_CUBIC, borderValue=(240, 240, 240))


@pytest.mark.parametrize("degrees", [-2.5, -1.0, 0.4, 1.0, 3.0])
def test_the_angle_is_measured(degrees: float) -> None:
    turn = turn_of(turned(page(), degrees))
    assert turn is not None
    assert math.degrees(turn.angle) == pytest.approx(degrees, abs=0.11)


@pytest.mark.parametrize(
    "picture",
    [
        page(),
        np.full((50, 70, 3), 200, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.random.default_rng(2).integers(0, 255, (100, 120, 3), np.uint8),
    ],
    ids=["rows", "one colour", "one pixel", "noise"],
)
def test_what_is_level_or_has_no_rows_is_left(picture: np.ndarray) -> None:
    assert turn_of(picture) is None


def test_what_is_found_in_the_straightened_picture_is_placed_in_the_turned_one() -> None:
    picture = page()
    picture[100:110, 200:210] = (255, 0, 0)
    shown = turned(picture, 1.5)
    turn = turn_of(shown)
    assert turn is not None
    level = turn.straighten(shown)
    for name, image in (("level", level), ("turned", shown)):
        ys, xs = np.nonzero((image[..., 0] > 200) & (image[..., 1] < 80))
        middle = float(xs.mean()), float(ys.mean())
        if name == "level":
            x, y = middle
            area = turn.area(Area(((x, y), (x, y), (x, y), (x, y)), "x"))
    assert area.corners[0] == pytest.approx(middle, abs=0.5)
