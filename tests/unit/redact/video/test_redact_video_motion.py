"""What counts as a difference between frames, and how far something moved."""

from __future__ import annotations

import numpy as np
import picturecraft
import pytest
from PIL import Image, ImageDraw, ImageFont

from provision.redact.video.motion import differences, ink, is_new, likely_shifts, moved, unlike


def page(*words: str, points: int = 14, height: int = 300, step: int = 20) -> np.ndarray:
    image = Image.new("RGB", (400, height), "#1e1e1e")
    font = ImageFont.truetype("/usr/share/fonts/truetype/" + picturecraft.FONTS["DejaVu Sans Mono"], points)
    for row, word in enumerate(words):
        ImageDraw.Draw(image).text((12, 10 + row * step), word, fill="#d4d4d4", font=font)
    return np.asarray(image)


LINES = ("the agent starts", "commit 5f2a9c07d1", "status ready", "drwxr-xr-x 5 ada", "took 321 ms", "loading session")


def noisy(frame: np.ndarray, by: int = 12) -> np.ndarray:
    return np.clip(frame.astype(int) + np.random.default_rng(1).integers(-by, by + 1, frame.shape), 0, 255).astype(
        np.uint8
    )


def test_noise_is_no_difference() -> None:
    assert not differences(page(*LINES), noisy(page(*LINES))).any()


@pytest.mark.parametrize("pair", ["ce", "nh", "5S", "-_", "aq", "xk", "7T", "il"])
def test_one_character_of_8_px_is_a_difference_even_with_noise(pair: str) -> None:
    before, after = (page(f"sk-{c}wLmN2xRvT4c", points=8) for c in pair)
    assert differences(before, noisy(after)).any()


@pytest.mark.parametrize("shift", [(0, -4), (0, 37), (-9, 0), (24, 0), (13, -8)])
def test_the_shift_of_a_page_is_among_the_likely_ones(shift: tuple[int, int]) -> None:
    rows = tuple(f"{line} {line[::-1]} {n * 7919}" for n, line in enumerate(LINES * 2))
    before = page(*rows, height=280)
    after = moved(before, shift, np.full_like(before, 30))
    assert shift in list(likely_shifts(before, noisy(after)))


def test_what_comes_from_outside_is_empty() -> None:
    picture = np.arange(12).reshape(3, 4)
    assert moved(picture, (1, -1), np.full((3, 4), -1)).tolist() == [[-1, 4, 5, 6], [-1, 8, 9, 10], [-1, -1, -1, -1]]
    assert (moved(picture, (9, 0), np.full((3, 4), -1)) == -1).all()


def test_sharper_letters_are_alike_other_letters_are_not() -> None:
    sharp = page("sk-wLmN2xRvT4c")
    blurred = (sharp.astype(int) * 3 // 4 + 7).astype(np.uint8)
    assert differences(blurred, sharp).any()
    assert not unlike(blurred, sharp).any()
    assert unlike(blurred, page("sk-hB8N2xRvT4c")).any()


def test_faint_letters_are_faint_ink() -> None:
    faint = np.full((40, 40, 3), 20, np.uint8)
    faint[10:20, 10:12] = 32
    clear, any_ink = ink(faint)
    assert not clear.any()
    assert any_ink.any()


def test_another_page_is_new_a_brighter_one_is_not() -> None:
    before, after = page(*LINES), np.zeros((300, 400, 3), np.uint8)
    after[150:290, 200:390:7] = 200
    assert is_new(before, after, differences(before, after), ink(after)[0])
    brighter = (before * 1.15).astype(np.uint8)
    assert not is_new(before, brighter, differences(before, brighter), ink(brighter)[0])
