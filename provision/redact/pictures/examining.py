"""Examine a picture: read it, find keys, cover them, and read the result again until nothing is found in it.

Every other reading sees the picture inverted, which is as good as another pair of eyes: what one reading takes for
another character the next one often does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.redact.pictures import models
from provision.redact.pictures.finding import Sighting, find_doubts, find_sightings, merged
from provision.redact.pictures.layout import Line, lines_of
from provision.redact.pictures.lookalike import KINDS, Kind, kinds_of
from provision.redact.pictures.painting import Area, areas_of, cover
from provision.redact.pictures.reading import read_strip
from provision.redact.pictures.strips import find_strips

if TYPE_CHECKING:
    from provision.detect.detector import Detector
    from provision.redact.pictures.reading import Glyph
    from provision.redact.pictures.strips import Pixels

MOST_ROUNDS = 5
_LONG_WORD = 10
_CERTAIN = 0.6
Bounds = tuple[int, int, int, int]


@dataclass(slots=True)
class Examined:
    """What was found in one picture. `areas` are to be covered; `doubts` are areas that a person must look at."""

    areas: list[Area] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    doubts: list[Area] = field(default_factory=list)
    words: int = 0
    settled: bool = False
    """Whether the last reading of the covered picture found nothing more."""
    plain: bool = False
    """Whether the picture is (nearly) of one colour, so that there is nothing to read."""

    @property
    def clean(self) -> bool:
        """Whether nothing was found, and nothing is left that a person must look at."""
        return not self.areas and not self.remarks()

    def remarks(self) -> list[tuple[str, Bounds | None]]:
        """What a person must know before the picture leaves the building, and where it is."""
        told: list[tuple[str, Bounds | None]] = [(area.rule, bounds_of(area)) for area in self.doubts]
        if not self.settled:
            told.append(("something was still found after the last covering", None))
        if not self.words and not self.plain:
            told.append(("no text could be read", None))
        return told

    @staticmethod
    def place_of(sighting: Sighting) -> Bounds:
        """Where a key begins, in whole pixels."""
        part = sighting.parts[0]
        x, y = part.glyphs[0].strip.place(part.glyphs[0].left, 0)
        return round(x), round(y), round(x), round(y)


def bounds_of(area: Area) -> Bounds:
    left, top, right, bottom = area.bounds()
    return round(left), round(top), round(right), round(bottom)


class Examiner:
    """Reads pictures with one set of rules. Raises PicturesUnavailableError when the models are not installed."""

    def __init__(self, detector: Detector, kinds: tuple[Kind, ...] = KINDS) -> None:
        self._models = models.load()
        self._detector = detector
        self._kinds = kinds

    def read(self, picture: Pixels) -> list[Line]:
        """The lines of text in a picture (H, W, 3)."""
        return lines_of([read_strip(picture, strip, self._models) for strip in find_strips(picture, self._models)])

    def find(self, lines: list[Line]) -> list[Sighting]:
        """The keys in lines that were read or are known otherwise."""
        return merged(find_sightings(lines, self._detector, self._kinds))

    def examine(self, picture: Pixels, known_lines: list[Line] | None = None, *, rounds: int = MOST_ROUNDS) -> Examined:
        """Find and cover keys in `picture`, in place. `known_lines` are texts that need not be read, in pixels."""
        result = Examined(plain=int(picture.max()) - int(picture.min()) < 24)
        if known_lines:
            self._cover(picture, self.find(known_lines), result)
        strips = find_strips(picture, self._models)
        read = [read_strip(picture, strip, self._models) for strip in strips]
        result.words = sum(g.text == " " for glyphs in read for g in glyphs) + sum(map(bool, read))
        sightings: list[Sighting] = []
        for number in range(rounds):
            if number:
                hit = {id(g.strip) for s in sightings for part in s.parts for g in part.glyphs}
                again = 255 - picture if number % 2 else picture
                read = [
                    read_strip(again, s, self._models) if id(s) in hit or _telling(g) else g
                    for s, g in zip(strips, read, strict=True)
                ]
            lines = lines_of(read)
            sightings = self.find(lines)
            self._cover(picture, sightings, result)
            result.doubts = [
                area for part, why in find_doubts(lines, sightings) for area in areas_of(part, why, picture)
            ]
            if not sightings and number:
                result.settled = True
                break
        return result

    @staticmethod
    def _cover(picture: Pixels, sightings: list[Sighting], result: Examined) -> None:
        areas = [area for s in sightings for part in s.parts for area in areas_of(part, s.rule, picture)]
        cover(picture, areas)
        result.areas += areas
        result.sightings += sightings


def _telling(glyphs: list[Glyph]) -> bool:
    """Whether a strip is worth a second reading: no key is made of short, certainly read words."""
    longest = max(map(len, "".join(g.text for g in glyphs).split(" ")), default=0)
    return longest >= _LONG_WORD or any(g.certainty < _CERTAIN for g in glyphs)


def examiner_for(detector: Detector) -> Examiner:
    """An examiner that also knows the shapes of the detector's known keys."""
    known = detector.known
    return Examiner(detector, kinds_of(known.shapes if known else ()))
