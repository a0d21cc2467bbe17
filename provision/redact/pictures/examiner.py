"""Examine a picture: read it, find keys, cover them, and read the result again until nothing more is found.

Every other reading sees the picture inverted. That makes it largely independent: a character that one reading gets wrong
is often right in the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provision.redact.pictures.areas import Area, areas_of, cover_areas, is_filled
from provision.redact.pictures.glyphs import Glyph, read_strip
from provision.redact.pictures.lines import TextLine, lines_of
from provision.redact.pictures.lookalike import KEY_FORMS, KeyForm, key_forms_of
from provision.redact.pictures.misread import MisreadKeys
from provision.redact.pictures.ocr_models import load_models
from provision.redact.pictures.reading import Span, has_unread_word, parts_to_reread, read_text, readings_differ
from provision.redact.pictures.sightings import (
    NOT_READ,
    KeySighting,
    LinePart,
    find_doubts,
    find_sightings,
    merge_sightings,
    name_owner,
)
from provision.redact.pictures.skew import Turn, turn_of
from provision.redact.stand_ins import RULE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.detect.detector import Detector
    from provision.redact.pictures.strips import Pixels, Strip
    from provision.redact.stand_ins import Found, StandIns

MOST_ROUNDS = 5
SHORT = "a key here is shorter than usual: the rest may be elsewhere"
UNREAD = "unread-text"
"""Takes the place of a rule where text is covered because it could not be read."""
_MARGIN = 0.25
"""In heights: words are read again with so much of what is beside them, which is less than a space."""
_ONE_COLOUR = 24
_CUT_PX = 24
_CLOSE = (8, 8)
Bounds = tuple[int, int, int, int]
DIFFERENT = 24
"""Smallest difference (of 255) that counts as a change; compression changes a still picture by less."""


@dataclass(slots=True)
class Examination:
    """What was found in one picture. `areas` are to be covered; `doubts` are areas that need a review by a person."""

    areas: list[Area] = field(default_factory=list)
    sightings: list[KeySighting] = field(default_factory=list)
    doubts: list[Area] = field(default_factory=list)
    unread: list[Area] = field(default_factory=list)
    """Areas that are covered because they could not be read well; only of a strict examiner."""
    named: list[tuple[Found, list[Area]]] = field(default_factory=list)
    """Names and addresses that are covered beside keys."""
    read: dict[Strip, list[Glyph]] = field(default_factory=dict)
    """What the first reading found in each strip."""
    words: int = 0
    settled: bool = False
    """Whether the last reading of the covered picture found nothing more."""
    plain: bool = False
    """Whether the picture is (nearly) of one colour, so that there is nothing to read."""

    @property
    def clean(self) -> bool:
        """Whether nothing was found and nothing needs a review."""
        return not self.areas and not self.remarks()

    def remarks(self) -> list[tuple[str, Bounds | None]]:
        """Return what a person must review before the picture is published, and where."""
        found: list[tuple[str, Bounds | None]] = [(area.rule, bounds_of(area)) for area in self.doubts]
        for sighting in self.sightings:
            if sighting.short:
                found.append((SHORT, self.place_of(sighting)))
        if not self.settled:
            found.append(("keys were still found after the last covering", None))
        if not self.words and not self.plain:
            found.append(("no text could be read", None))
        return found

    @staticmethod
    def place_of(sighting: KeySighting) -> Bounds:
        """Return where a key, or its first line, is in whole pixels."""
        glyphs = sighting.parts[0].glyphs
        strip = glyphs[0].strip
        return bounds_of(
            Area(strip.quad(glyphs[0].left, max(g.right for g in glyphs if g.strip is strip)), sighting.rule)
        )


def bounds_of(area: Area) -> Bounds:
    left, top, right, bottom = area.bounds()
    return round(left), round(top), round(right), round(bottom)


class Examiner:
    """Reads pictures with one set of rules; a strict one covers what needs a review. `also`: what is covered beside keys.

    Raises PicturesUnavailableError when the models are not installed.
    """

    def __init__(
        self,
        detector: Detector,
        forms: tuple[KeyForm, ...] = KEY_FORMS,
        *,
        strict: bool = False,
        also: StandIns | None = None,
    ) -> None:
        self._models = load_models()
        self._also = also
        self._strict = strict
        self._detector = detector
        self._misread = MisreadKeys(detector.known) if detector.known else None
        self._forms = forms

    def read(self, picture: Pixels) -> list[TextLine]:
        """Return the lines of text in a picture (H, W, 3)."""
        return lines_of(list(read_text(picture, self._models).values()))

    def find(self, lines: list[TextLine]) -> list[KeySighting]:
        """Return the keys in lines that were read or come from a text layer."""
        found = merge_sightings(find_sightings(lines, self._detector, self._forms, self._misread))
        return [name_owner(sighting, self._misread) for sighting in found] if self._misread else found

    def examine(self, picture: Pixels, known_lines: list[TextLine] | None = None) -> Examination:
        """Find and cover keys in `picture`, in place. `known_lines` is text that is known without reading, placed in pixels."""
        result, known = Examination(plain=_one_colour(picture)), Examination()
        if known_lines:
            self._find_named(picture, known_lines, known)
            self._cover(picture, self.find(known_lines), known)
        turn = turn_of(picture)
        level = turn.straighten(picture) if turn else picture
        read = read_text(level, self._models)
        self._find_named(level, lines_of(list(read.values())), result, read)
        self._settle(level, read, set(read), result)
        if turn:
            _turn_back(result, turn)
        result.sightings = known.sightings + result.sightings
        result.named = known.named + result.named
        result.areas = known.areas + result.areas + [area for _, areas in result.named for area in areas]
        cover_areas(picture, result.areas)
        return result

    def examine_again(self, picture: Pixels, before: Pixels, known: Examination, parts: list[Bounds]) -> Examination:
        """Examine a picture that differs from the picture `before`, whose examination is `known`, only in some parts.

        Lines may be cut by the upper and lower edge of a part, but not by its sides. Text that did not change is not read
        again, neither outside the parts nor in them.
        """
        result = Examination(plain=_one_colour(picture))
        result.areas = [area for area in known.areas if _unchanged(picture, before, bounds_of(area))]
        height = len(picture)
        still = {s for s in known.read if _unchanged(picture, before, _bounds(s))}
        read = {
            s: glyphs
            for s, glyphs in known.read.items()
            if s in still or not any(_inside(s, part, height) for part in parts)
        }
        new: set[Strip] = set()
        for left, top, right, bottom in parts:

            def wanted(strip: Strip, part: Bounds = (left, top, right, bottom)) -> bool:
                moved = strip.moved(part[0], part[1])
                return _inside(moved, part, height) and not any(_same_place(moved, s) for s in still)

            for strip, glyphs in read_text(picture[top:bottom, left:right], self._models, wanted).items():
                moved = strip.moved(left, top)
                new.add(moved)
                read[moved] = [replace(glyph, strip=moved) for glyph in glyphs]
        self._settle(picture, read, new, result)
        return result

    def _settle(self, picture: Pixels, read: dict[Strip, list[Glyph]], new: set[Strip], result: Examination) -> None:
        """Cover keys and read again until nothing more is found."""
        result.read = dict(read)
        result.words = sum(g.text == " " for glyphs in read.values() for g in glyphs) + sum(map(bool, read.values()))
        hit: set[Strip] = set()
        doubts: list[Area] = []
        unsure = {strip for strip, glyphs in read.items() if has_unread_word(strip, glyphs)}
        for number in range(MOST_ROUNDS):
            if number:
                view = 255 - picture if number % 2 else picture
                for strip in [s for s in read if s in hit or s in new]:
                    covers = _covers(strip, result.sightings) if strip in hit else []
                    known = self._read_again(view, strip, read[strip], covers) if strip in new else []
                    read[strip] = _with_covers(known, strip, covers)
                    if number == 1 and strip not in hit and strip in new:
                        unsure |= {strip} if readings_differ(result.read[strip], read[strip]) else set()
            lines = lines_of(list(read.values()))
            sightings = self.find(lines)
            self._cover(picture, sightings, result)
            hit |= {g.strip for s in sightings for part in s.parts for g in part.glyphs}
            if not number:
                doubts = [
                    area for part, why in find_doubts(lines, sightings) for area in areas_of(part, why, picture, read)
                ]
            if not sightings and number:
                result.settled = True
                break
        unread = (Area(strip.quad(0, strip.length), NOT_READ) for strip in unsure)
        doubts += [area for area in unread if not _covered(area, doubts)]
        result.doubts = [area for area in doubts if not _covered(area, result.areas)]
        if self._strict:
            result.unread = [Area(area.corners, UNREAD) for area in result.doubts]
            cover_areas(picture, result.unread)
            result.areas += result.unread
            result.doubts = []

    def _read_again(self, picture: Pixels, strip: Strip, known: list[Glyph], covers: list[Span]) -> list[Glyph]:
        """Read the words of a strip again that may be a key, or a part of one that is left beside a cover.

        Everything is read again if there is ink in the place of a cover.
        """
        if not all(is_filled(picture, strip.part(*cover)) for cover in covers):
            return read_strip(picture, strip, self._models)
        parts = parts_to_reread(strip, known, covers)
        read = [glyph for glyph in known if not any(a <= glyph.middle <= b for a, b in (*parts, *covers))]
        margin = _MARGIN * strip.height
        for left, right in parts:
            start, end = max(0.0, left - margin), min(strip.length, right + margin)
            for glyph in read_strip(picture, strip.part(start, end), self._models):
                read.append(replace(glyph, strip=strip, left=start + glyph.left, right=start + glyph.right))
        return sorted(read, key=lambda glyph: glyph.left)

    @staticmethod
    def _cover(picture: Pixels, sightings: list[KeySighting], result: Examination) -> None:
        strips = result.read
        areas = [area for s in sightings for part in s.parts for area in areas_of(part, s.rule, picture, strips)]
        cover_areas(picture, areas)
        result.areas += areas
        result.sightings += sightings

    def _find_named(
        self, picture: Pixels, lines: list[TextLine], result: Examination, strips: Iterable[Strip] = ()
    ) -> None:
        """Find names and addresses in lines that were read. They are covered after keys: covers are not the ground of a line."""
        for line in lines:
            for found in self._also.find(line.text) if self._also else ():
                part = LinePart(line, found.start, found.end)
                result.named.append((found, areas_of(part, RULE + found.kind, picture, strips)))


def _covers(strip: Strip, sightings: list[KeySighting]) -> list[Span]:
    """Return where keys were covered in a strip, left to right."""
    covered = {g.left: g.right for s in sightings for part in s.parts for g in part.glyphs if g.strip == strip}
    spans: list[Span] = []
    for left, right in sorted(covered.items()):
        if spans and left <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(right, spans[-1][1]))
        else:
            spans.append((left, right))
    return spans


def _with_covers(glyphs: list[Glyph], strip: Strip, covers: list[Span]) -> list[Glyph]:
    """Return what was read in a strip with a mark where keys were covered: a name before it has its value."""
    marks = [Glyph(c, 1.0, strip, left, right) for left, right in covers for c in " █ "]
    return sorted([*marks, *glyphs], key=lambda g: g.left)


def _turn_back(result: Examination, turn: Turn) -> None:
    """Place what was found in a straightened picture where it is in the picture."""
    result.areas = [turn.area(area) for area in result.areas]
    result.named = [(found, [turn.area(area) for area in areas]) for found, areas in result.named]
    result.doubts = [turn.area(area) for area in result.doubts]
    result.unread = [turn.area(area) for area in result.unread]
    result.sightings = [turn.sighting(sighting) for sighting in result.sightings]
    result.read = {turn.strip(strip): turn.glyphs(glyphs) for strip, glyphs in result.read.items()}


def _covered(area: Area, covering: list[Area]) -> bool:
    """Whether both ends and the middle of an area are inside covered ones."""
    left, top, right, bottom = area.bounds()
    points = [(left + share * (right - left), (top + bottom) / 2) for share in (0.1, 0.5, 0.9)]
    boxes = [c.bounds() for c in covering]
    return all(any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in boxes) for x, y in points)


def _one_colour(picture: Pixels) -> bool:
    return int((picture.max(axis=(0, 1)).astype(int) - picture.min(axis=(0, 1))).max()) < _ONE_COLOUR


def _bounds(strip: Strip) -> Bounds:
    xs, ys = zip(*strip.quad(0, strip.length), strict=True)
    return round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))


def _unchanged(picture: Pixels, before: Pixels, bounds: Bounds) -> bool:
    """Whether nowhere more than two pixels that are close to each other differ: compression changes single ones."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    left, top, right, bottom = (max(0, v) for v in bounds)
    now, then = picture[top:bottom, left:right], before[top:bottom, left:right]
    if not now.size:
        return True
    differs = (cv2.absdiff(now, then).max(axis=2) > DIFFERENT).astype(np.uint8)
    return int(cv2.boxFilter(differs, -1, _CLOSE, normalize=False, borderType=cv2.BORDER_CONSTANT).max()) <= 2


def _same_place(a: Strip, b: Strip) -> bool:
    near = 0.25 * b.height
    ends = abs(a.x - b.x) < 2 * near and abs(a.x + a.length - b.x - b.length) < 2 * near
    return ends and abs(a.y - b.y) < near and abs(a.height - b.height) < near


def _inside(strip: Strip, part: Bounds, height: int) -> bool:
    """Whether a strip's middle is inside a part, away from its upper and lower edge, where lines are cut."""
    x, y = strip.place(strip.length / 2, strip.height / 2)
    left, top, right, bottom = part
    return left <= x <= right and (top == 0 or y > top + _CUT_PX) and (bottom >= height or y < bottom - _CUT_PX)


def examiner_of(detector: Detector, *, strict: bool = False, also: StandIns | None = None) -> Examiner:
    """Return an examiner that also knows the prefixes and lengths of the detector's known keys."""
    known = detector.known
    return Examiner(detector, key_forms_of(known.shapes if known else ()), strict=strict, also=also)
