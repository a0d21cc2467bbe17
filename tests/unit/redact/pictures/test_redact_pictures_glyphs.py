"""What the model says about a strip becomes characters; a strip of only spaces, or of nothing, is one without text."""

from __future__ import annotations

import numpy as np
import pytest

from provision.redact.pictures.glyphs import read_strip
from provision.redact.pictures.ocr_models import OcrModels
from provision.redact.pictures.strips import Strip

ALPHABET = ("", "a", "b", " ", "|", "l")


class Saying:
    """A reader that returns one text for every strip."""

    def __init__(self, text: str) -> None:
        columns = [ALPHABET.index(c) for letter in text for c in ("", letter)]
        self.chances = np.full((1, len(columns) + 1, len(ALPHABET)), 0.01, np.float32)
        for at, column in enumerate([*columns, 0]):
            self.chances[0, at, column] = 0.97

    def get_inputs(self) -> list[Saying]:
        return [self]

    name = "x"

    def run(self, _outputs: None, _inputs: object) -> list[np.ndarray]:
        return [self.chances]


@pytest.mark.parametrize(("said", "read"), [("ab", "ab"), (" ", ""), ("   ", ""), ("", "")])
def test_a_strip_of_only_spaces_has_no_text(said: str, read: str) -> None:
    picture = np.full((60, 200, 3), 255, np.uint8)
    picture[20:40, 10:180:7] = 0
    glyphs = read_strip(picture, Strip(5, 10, 0.0, 190, 40), OcrModels(None, Saying(said), ALPHABET))
    assert "".join(glyph.text for glyph in glyphs) == read


@pytest.mark.parametrize(
    ("said", "rules", "read"),
    [
        ("ab", (), "ab"),
        ("ab", (100,), "a │ b"),
        ("ab", (92, 108), "a │ b"),
        ("ab", (4,), "ab"),
        ("a|b", (100,), "a │ b"),
        ("alb", (100,), "a │ b"),
        ("alb", (), "alb"),
    ],
)
def test_an_upright_rule_is_a_character_of_its_own(said: str, rules: tuple[int, ...], read: str) -> None:
    picture = np.full((60, 200, 3), 255, np.uint8)
    picture[20:40, 10:180:7] = 0
    for at in rules:
        picture[:, at - 1 : at + 1] = 170
    glyphs = read_strip(picture, Strip(5, 10, 0.0, 190, 40), OcrModels(None, Saying(said), ALPHABET))
    assert "".join(glyph.text for glyph in glyphs) == read


@pytest.mark.parametrize("rows", [slice(10, 50), slice(2, 50), slice(10, 58)])
def test_the_stem_of_a_letter_is_no_rule(rows: slice) -> None:
    """It may be as high as its strip, and a letter of the line above or below may touch it with its soft edge."""
    picture = np.full((60, 200, 3), 255, np.uint8)
    picture[20:40, 10:180:7] = 0
    picture[rows, 99:101] = 60
    picture[:10, 99:101] = np.minimum(picture[:10, 99:101], 215)
    glyphs = read_strip(picture, Strip(5, 10, 0.0, 190, 40), OcrModels(None, Saying("alb"), ALPHABET))
    assert "".join(glyph.text for glyph in glyphs) == "alb"


def test_the_ground_between_letters_that_fill_their_strip_is_no_rule() -> None:
    picture = np.full((60, 200, 3), 255, np.uint8)
    picture[10:50] = np.where(np.arange(200) % 8 < 5, 60, 255)[:, None]
    glyphs = read_strip(picture, Strip(5, 10, 0.0, 190, 40), OcrModels(None, Saying("alb"), ALPHABET))
    assert "".join(glyph.text for glyph in glyphs) == "alb"
