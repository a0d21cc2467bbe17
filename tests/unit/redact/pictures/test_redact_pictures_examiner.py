"""The examiner reads, covers and reads again; here with a reader that knows the text and sees only what is not covered."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import picturecraft
import pytest

from provision.detect.detector import Detector
from provision.redact.pictures import examiner, reading
from provision.redact.pictures.examiner import SHORT, UNREAD, Examination, Examiner
from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.sightings import NOT_READ
from provision.redact.pictures.strips import Strip

KEY = picturecraft.aisa_key(random.Random("examiner"))
STRIP = Strip(10, 10, 0.0, 8 * 70, 18)


class Page:
    """A picture with known text. A letter that is covered is not read; `dark_only`: text is read on dark ground only.

    `inverted` is what is read instead of a text where the picture is inverted.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        texts: dict[Strip, str],
        *,
        dark_only: bool = False,
        certainty: float = 0.99,
        inverted: dict[Strip, str] | None = None,
    ) -> None:
        self.texts, self.dark_only, self.read = texts, dark_only, list[Strip]()
        self.certainty, self.inverted = certainty, inverted or {}
        self.pixels = np.full((200, 700, 3), 255, np.uint8)
        for strip, text in texts.items():
            for n, c in enumerate(text):
                if c != " ":
                    x, y = round(strip.x) + n * 8 + 1, round(strip.y) + 4
                    self.pixels[y : y + 10, x : x + 6] = 90
        monkeypatch.setattr(examiner, "load_models", lambda: None)
        for module in (examiner, reading):
            monkeypatch.setattr(module, "read_strip", self._read)
        monkeypatch.setattr(reading, "find_strips", lambda picture, _: self._strips(picture))
        monkeypatch.setattr(reading, "find_enlarged", lambda *_: [])

    def _strips(self, picture: np.ndarray) -> list[Strip]:
        whole = len(picture) == len(self.pixels)
        return [strip for strip in self.texts if whole or strip.y + strip.height <= len(picture)]

    def _read(self, picture: np.ndarray, strip: Strip, _: Any) -> list[Glyph]:
        """Read a strip, or a part of one."""
        self.read.append(strip)
        if self.dark_only and picture[0, 0, 0] > 128:
            return [Glyph("x", 0.5, strip, 0, 8)]
        glyphs = []
        dark = picture[0, 0, 0] < 128
        whole = next(s for s in self.texts if s.y == strip.y and s.x <= strip.x + 8 and strip.x < s.x + s.length)
        for n, c in enumerate(self.inverted.get(whole, self.texts[whole]) if dark else self.texts[whole]):
            x, y = round(whole.x) + n * 8 + 4, round(strip.y) + 9
            if strip != whole and not strip.x <= x <= strip.x + strip.length:
                continue
            inked = c == " " or 60 < int(picture[y, x, 0]) < 200  # covered is black, or white when it is inverted
            left = whole.x + n * 8 - strip.x
            glyphs.append(Glyph(c if inked else " ", self.certainty, strip, left, left + 8))
        return glyphs


def test_a_key_is_covered_and_the_result_read_again_until_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {STRIP: f"key {KEY} end"})
    before = page.pixels.copy()
    result = Examiner(Detector()).examine(page.pixels)
    assert result.settled
    assert {sighting.text for sighting in result.sightings} == {KEY}
    inked = (before == 90).all(axis=2)
    columns = slice(10 + 4 * 8, 10 + 55 * 8)
    assert (page.pixels[:, columns][inked[:, columns]] == 0).all()
    assert (page.pixels[inked] == 90).any(), "the words around it stay"
    assert [strip.length for strip in page.read] == [STRIP.length, 3 * 8 + 4.5, 3 * 8 + 9], (
        "then what is beside the cover"
    )


def test_a_key_that_only_the_inverted_reading_shows_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {STRIP: KEY}, dark_only=True)
    result = Examiner(Detector()).examine(page.pixels)
    assert {sighting.text for sighting in result.sightings} == {KEY}
    assert result.settled


def test_a_picture_in_which_covering_fails_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {STRIP: KEY})
    monkeypatch.setattr(examiner, "cover_areas", lambda *_: None)
    result = Examiner(Detector()).examine(page.pixels)
    assert not result.settled
    assert not result.clean
    assert ("keys were still found after the last covering", None) in result.remarks()


def test_a_name_whose_value_is_covered_does_not_take_the_line_below(monkeypatch: pytest.MonkeyPatch) -> None:
    below = "Successfully1nstalledhttpx-0.28.7pydantic-core-2.41.5"
    page = Page(monkeypatch, {STRIP: f"Authorization: Bearer {KEY}", Strip(10, 30, 0.0, 8 * 54, 18): below})
    before = page.pixels.copy()
    result = Examiner(Detector()).examine(page.pixels)
    assert {sighting.text for sighting in result.sightings} == {KEY}
    assert (page.pixels[30:] == before[30:]).all()


def test_words_are_not_covered_and_the_picture_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {Strip(10, 10, 0.0, 8 * 19, 18): "the quick brown fox"})
    before = page.pixels.copy()
    assert Examiner(Detector()).examine(page.pixels).clean
    assert (page.pixels == before).all()


def test_a_picture_without_text_is_reported_unless_it_has_one_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {})
    assert Examiner(Detector()).examine(page.pixels).clean
    page.pixels[50:60, 50:60] = 0
    assert Examiner(Detector()).examine(page.pixels).remarks() == [("no text could be read", None)]


def test_a_short_key_is_covered_and_reported_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {STRIP: f"key {KEY[:30]} end of it"})
    result = Examiner(Detector()).examine(page.pixels)
    assert result.areas
    [(message, bounds)] = result.remarks()
    assert message == SHORT
    assert bounds is not None
    assert bounds[0] == pytest.approx(10 + 4 * 8, abs=2)


def test_a_random_word_stays_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {STRIP: f"see {KEY[8:40]} there"})
    before = page.pixels.copy()
    result = Examiner(Detector()).examine(page.pixels)
    assert (page.pixels == before).all()
    assert [message for message, _ in result.remarks()] == ["looks random, but has no prefix or name of a key"]


def test_known_lines_are_covered_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {})
    strip = Strip(10, 100, 0.0, 8 * 51, 18)
    page.pixels[100:118, 10 : 10 + 8 * 51] = 90
    line = examiner.TextLine(tuple(Glyph(c, 1.0, strip, n * 8, n * 8 + 8) for n, c in enumerate(KEY)))
    result = Examiner(Detector()).examine(page.pixels, [line])
    assert len(result.areas) == 1
    assert (page.pixels[105:113, 12 : 8 + 8 * 51] == 0).all()
    assert page.read == []


def test_of_a_changed_picture_only_new_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    above, below = Strip(10, 10, 0.0, 300, 18), Strip(10, 150, 0.0, 300, 18)
    page = Page(monkeypatch, {above: "first line stays here"})
    reader = Examiner(Detector())
    known = reader.examine(page.pixels)
    changed = Page(monkeypatch, {above: "first line stays here", below: "a second line comes"})
    in_part = below.moved(-5, -100)
    changed.texts[in_part] = changed.texts[below]
    changed.pixels[100:118] = changed.pixels[150:168]  # where the part's text is drawn
    monkeypatch.setattr(reading, "find_strips", lambda *_: [in_part])
    result = reader.examine_again(changed.pixels, page.pixels, known, [(5, 100, 400, 200)])
    assert set(changed.read) == {in_part}
    assert set(result.read) == {above, below}


def test_covers_of_unchanged_places_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch, {STRIP: KEY})
    before = page.pixels.copy()
    reader = Examiner(Detector())
    known = reader.examine(page.pixels)
    changed = before.copy()
    changed[150:170, 300:400] = 0
    result = reader.examine_again(changed, before, known, [(0, 140, 500, 200)])
    assert [area.bounds() for area in known.areas] == [area.bounds() for area in result.areas][: len(known.areas)]


def test_an_examination_without_a_last_clean_reading_is_not_clean() -> None:
    assert not Examination(words=3).clean
    assert Examination(words=3, settled=True).clean


def test_text_that_is_not_read_needs_a_review_and_a_strict_examiner_covers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for letters in ("", "abc", KEY[8:]):  # nothing, too little for its length, and all of it but without certainty
        strip = Strip(10, 10, 0.0, 8 * 43, 18)
        page = Page(monkeypatch, {strip: letters}, certainty=0.6)
        page.pixels[14:24, 12:350:3] = 90
        before = page.pixels.copy()
        result = Examiner(Detector()).examine(page.pixels)
        assert NOT_READ in [message for message, _ in result.remarks()]
        assert (page.pixels == before).all()
        strict = Examiner(Detector(), strict=True).examine(page.pixels)
        assert {area.rule for area in strict.areas} == {UNREAD}
        assert not [message for message, bounds in strict.remarks() if bounds]
        assert (page.pixels[14:24, 12:350] == 0).all()


def test_two_readings_of_a_long_word_have_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"lower-case-words-only": True, KEY[8:26].lower(): False}
    for word, agree in words.items():
        strip = Strip(10, 10, 0.0, 8 * len(word), 18)
        page = Page(monkeypatch, {strip: word}, inverted={strip: word if agree else word[::-1]})
        result = Examiner(Detector()).examine(page.pixels)
        assert [message for message, _ in result.remarks()] == ([] if agree else [NOT_READ]), word
