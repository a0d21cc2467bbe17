"""Find keys in the lines of a picture: exact matches of the detectors, look-alikes and named values, over line ends too.

A key that reaches the end of its line before it has its usual length continues in the line below. A key whose end is
uncertain is covered as far as it may reach, and reported for review.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from provision.detect.known import KNOWN_RULE
from provision.redact.pictures.lines import TextLine, cells_of, line_below
from provision.redact.pictures.lookalike import (
    BODY,
    KeyForm,
    KeyHit,
    find_keys,
    is_hexadecimal,
    leading_token,
    looks_random,
    random_words,
)
from provision.redact.pictures.named_values import find_named_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.detector import Detector
    from provision.redact.pictures.glyphs import Glyph
    from provision.redact.pictures.misread import MisreadKeys

NOT_READ = "could not be read well"
LIKE_KNOWN_RULE = "like-known-key"
"""The rule of a random word that is as long as a known key without a prefix."""
_MOSTLY = 0.7
_MOST_ROWS = 12
_RANDOM_FROM = 6
"""Shorter parts of a key may not look random."""
_LOST = 3
"""So many characters of a key may be lost in reading."""


@dataclass(frozen=True, slots=True)
class LinePart:
    """Characters `start` to `end` of one line."""

    line: TextLine
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.line.text[self.start : self.end]

    @property
    def glyphs(self) -> tuple[Glyph, ...]:
        return self.line.glyphs[self.start : self.end]

    @property
    def certainties(self) -> list[float]:
        """The certainty of each character."""
        return [glyph.certainty for glyph in self.glyphs]


@dataclass(frozen=True, slots=True)
class KeySighting:
    """A key in a picture: the rule that found it, its parts of lines, and the text that was read."""

    rule: str
    parts: tuple[LinePart, ...]
    short: bool = False
    """Whether fewer characters were read than keys of this form have: the rest may be somewhere else."""
    owner: str | None = None
    """Whose key it is, if it is a known one."""
    key: str = ""
    """The known key itself, which may differ from what was read."""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


def find_sightings(
    lines: list[TextLine], detector: Detector, forms: tuple[KeyForm, ...], misread: MisreadKeys | None = None
) -> list[KeySighting]:
    """Return every key in the lines, and in the cells that the lines consist of. Parts of different sightings may overlap."""
    cells = cells_of(lines)
    return _in_lines(lines, detector, forms, misread) + (_in_lines(cells, detector, forms, misread) if cells else [])


def _in_lines(
    lines: list[TextLine], detector: Detector, forms: tuple[KeyForm, ...], misread: MisreadKeys | None
) -> list[KeySighting]:
    found: list[KeySighting] = []
    if misread:
        found += [s for line in lines for s in _of_known_length(line, lines, misread)]
    for line in lines:
        hits = [*find_keys(line.text, forms), *find_named_values(line.text)]
        found += [_followed(LinePart(line, hit.start, hit.end), hit, lines) for hit in hits]
        if not any(hit.length and _at_end(line, hit.end) for hit in hits):
            found += _over_the_end(line, lines, forms)
    return found + [_without_guess(sighting, found) for sighting in _exact(lines, detector)]


def _of_known_length(line: TextLine, lines: list[TextLine], misread: MisreadKeys) -> Iterator[KeySighting]:
    """Yield known keys without a prefix, and random words that are as long as one: a character may be read wrongly."""
    words = [(LinePart(line, start, end),) for start, end in misread.words(line.text)]
    for parts in (*words, *_over_line_ends(line, lines, misread)):
        text = "".join(part.text for part in parts)
        hexadecimal = sum(c in "0123456789abcdef-" for c in text) > _MOSTLY * len(text)  # a hash, misread
        certainty = [c for part in parts for c in part.certainties]
        random = all(looks_random(part.text) for part in parts if len(part.text) >= _RANDOM_FROM)
        likely = random and looks_random(text) and not hexadecimal and not _plain_word(parts[0].text)
        if likely or misread.find(text, certainty):
            yield KeySighting(LIKE_KNOWN_RULE, parts)


def _over_line_ends(line: TextLine, lines: list[TextLine], misread: MisreadKeys) -> Iterator[tuple[LinePart, ...]]:
    """Yield the last word of a line with the words below that continue it, if together they are as long as a known key."""
    start = len(line.text) - len(leading_token(line.text[::-1]))
    parts = [LinePart(line, start, len(line.text))]
    while parts[0].text and len(parts) < _MOST_ROWS:
        under = line_below(parts[-1].line, lines)
        token = leading_token(under.text) if under else ""
        if not under or not token:
            return
        if len(parts) > 1 and abs(_end_within(line, parts[-1].line) - line.right) > 2 * line.pitch:
            return  # text that is cut where its box ends has rows of one width
        parts.append(LinePart(under, 0, len(token)))
        if misread.fits("".join(part.text for part in parts)):
            yield tuple(parts)
        if len(token) < len(under.text):
            return


def name_owner(sighting: KeySighting, misread: MisreadKeys) -> KeySighting:
    """Return the sighting with the owner of the key, if it is a known one."""
    found = misread.find(sighting.text, [c for part in sighting.parts for c in part.certainties])
    return replace(sighting, rule=KNOWN_RULE, owner=found[1].user, key=found[0]) if found else sighting


def _without_guess(sighting: KeySighting, found: list[KeySighting]) -> KeySighting:
    """Drop the next line's first word from an exact match if the layout of the picture says that the key ends before it."""
    first = sighting.parts[0]
    followed = any(_inside(first, part) for s in found for part in s.parts)
    return KeySighting(sighting.rule, (first,)) if followed else sighting


def merge_sightings(sightings: list[KeySighting]) -> list[KeySighting]:
    """Return one sighting per key: of overlapping sightings, the longest is kept, of equal ones the one to review."""
    kept: list[KeySighting] = []
    for sighting in sorted(sightings, key=lambda s: (-len(s.text), not s.short)):
        new = [p for p in sighting.parts if not any(_inside(p, q) for s in kept for q in s.parts)]
        if new:
            kept.append(KeySighting(sighting.rule, tuple(new), sighting.short))
    return kept


def _inside(part: LinePart, other: LinePart) -> bool:
    """Whether a part's characters are among those of another, which may be of a line or of a cell of it."""
    if part.line is other.line:
        return other.start <= part.start and part.end <= other.end
    whole = other.glyphs
    return any(part.glyphs[0] is glyph for glyph in whole) and any(part.glyphs[-1] is glyph for glyph in whole)


def _followed(part: LinePart, hit: KeyHit, lines: list[TextLine], *, wrapped: bool = False) -> KeySighting:
    """Return a hit together with its continuation in the lines below."""
    parts = [part]
    count = len(part.text.replace(" ", ""))
    line = part.line
    while len(parts) < _MOST_ROWS and _at_end(line, parts[-1].end):
        under = line_below(line, lines)
        missing = hit.length - count if hit.length else 0
        if under is None or (hit.length and missing <= 0) or (hit.length and _whole(parts, hit.length)):
            break
        size = _continuation(line, under, missing, lines, wrapped=wrapped or len(parts) > 1)
        if not size:
            break
        parts.append(LinePart(under, 0, size))
        count += size
        line = under
    return KeySighting(hit.rule, tuple(parts), _cut_off(parts, hit, hit.length - count, lines))


def _cut_off(parts: list[LinePart], hit: KeyHit, missing: int, lines: list[TextLine]) -> bool:
    """Whether a key of which `missing` characters were not read may go on somewhere else."""
    if not hit.length or missing <= 0 or _whole(parts, hit.length):
        return False
    line = parts[-1].line
    ends = _at_end(line, parts[-1].end)
    under = line_below(line, lines) if ends else None
    rest = len(leading_token(under.text)) if under else 0
    return 0 < rest <= missing or (missing > _LOST and (hit.strong or ends))


def _at_end(line: TextLine, end: int) -> bool:
    rest = line.text[end:].strip()
    return len(rest) <= 1 and not (rest and rest in "\"'`,;)}]")


def _whole(parts: list[LinePart], length: int) -> bool:
    """Whether a key is as wide as its usual length, although some of its characters were not read.

    Only known for fonts with letters of equal width.
    """
    if len(parts) != 1:
        return False
    line = parts[0].line
    widths = [b.left + b.right - a.left - a.right for a, b in pairwise(line.glyphs) if a.strip is b.strip]
    usual = 2 * line.pitch
    even = sum(abs(w - usual) < 0.25 * usual for w in widths) > 0.8 * len(widths)
    if not even:
        return False
    first, last = parts[0].glyphs[0], parts[0].glyphs[-1]
    return (last.left + last.right - first.left - first.right) / 2 / line.pitch + 1 >= length - 0.5


def _continuation(line: TextLine, under: TextLine, missing: int, lines: list[TextLine], *, wrapped: bool) -> int:
    """Return how many characters of the line below belong to a key of which `missing` were not read (0: unknown).

    `wrapped`: the key already continues from a line above, so another line end is expected.
    """
    token = leading_token(under.text, missing)
    size = len(token)
    alone = size == len(under.text.strip())
    if not size:
        return 0
    if not missing:
        likely = looks_random(token) or (alone and not _plain_word(token))
        return size if likely and _at_margin(line, lines) else 0
    if missing <= 2:
        plain = not wrapped and token.isalpha() and token.islower() and size > 1
        return size if size <= missing and not plain and _at_margin(line, lines) else 0
    if size > missing + 2:
        return missing + 1 if looks_random(token) and not _plain_word(token) else 0
    if size >= 0.7 * missing:
        return size
    return size if alone and (looks_random(token) or _at_margin(under, lines)) else 0


def _plain_word(token: str) -> bool:
    return all(
        part.isalpha() and part.islower() for part in token.replace("_", "-").split("-") if part
    ) or is_hexadecimal(token)


def _at_margin(line: TextLine, lines: list[TextLine]) -> bool:
    """Whether no line nearby extends further to the right: that is where a terminal or a text box wraps."""
    right = line.right
    for other in lines:
        along, across = line.strip.within(other.strip.place(other.glyphs[0].left, other.strip.height / 2))
        near = abs(across) < 12 * line.strip.height and along < right
        if near and _end_within(line, other) > right + 1.2 * line.pitch:
            return False
    return True


def _end_within(line: TextLine, other: TextLine) -> float:
    """Return where another line ends, along the first strip of a line."""
    return line.strip.within(other.strip.place(other.right, 0))[0]


def _over_the_end(line: TextLine, lines: list[TextLine], forms: tuple[KeyForm, ...]) -> list[KeySighting]:
    """Return keys that are long enough, or have a complete prefix, only together with the line below."""
    under = line_below(line, lines)
    if under is None or any(hit.start <= 1 for hit in find_keys(under.text, forms)):
        return []
    token = leading_token(under.text)
    glued, border = line.text + token, len(line.text)
    found = []
    for hit in find_keys(glued, forms):
        certain = hit.strong and hit.end - border >= 8
        if hit.start < border < hit.end and (certain or _at_margin(line, lines)):
            first, second = LinePart(line, hit.start, border), LinePart(under, 0, hit.end - border)
            parts: tuple[LinePart, ...] = (second,)
            if hit.length > len(first.text) + second.end:
                rest = KeyHit(0, second.end, hit.rule, hit.length - len(first.text))
                parts = _followed(second, rest, lines, wrapped=True).parts
            found.append(KeySighting(hit.rule, (first, *parts)))
    return found


def _exact(lines: list[TextLine], detector: Detector) -> list[KeySighting]:
    """Return what the detectors find in the lines as read, including keys that they follow over line ends."""
    data = bytearray()
    places: list[tuple[int, int]] = []
    for row, line in enumerate(lines):
        for n, c in enumerate(line.text + "\n"):
            encoded = c.encode()
            places += [(row, n)] * len(encoded)
            data += encoded
    found = []
    for match in detector.scan(bytes(data)):
        parts = []
        for start, end in match.spans:
            by_row: dict[int, list[int]] = {}
            for row, n in places[start:end]:
                if n < len(lines[row].text):
                    by_row.setdefault(row, []).append(n)
            parts += [LinePart(lines[row], min(ns), max(ns) + 1) for row, ns in by_row.items()]
        if parts:
            found.append(KeySighting(match.rule, tuple(parts)))
    return found


def find_doubts(lines: list[TextLine], sightings: list[KeySighting]) -> list[tuple[LinePart, str]]:
    """Return what needs a review: long random words without a key's prefix or name, and lines that were read badly."""
    covered = {id(glyph) for s in sightings for part in s.parts for glyph in part.glyphs}
    doubts = []
    for line in lines:
        for start, end in random_words(line.text):
            if not any(id(glyph) in covered for glyph in line.glyphs[start:end]):
                doubts.append((LinePart(line, start, end), "looks random, but has no prefix or name of a key"))
        solid = [g for g in line.glyphs if g.text in BODY]
        if len(solid) >= 8 and line.certainty < 0.7:
            doubts.append((LinePart(line, 0, len(line.glyphs)), NOT_READ))
    return doubts
