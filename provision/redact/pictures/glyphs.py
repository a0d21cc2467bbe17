"""Read a strip: its characters, each with its place along the strip and its certainty.

The model returns a probability of every character for every eighth pixel column; the places follow from that. Spaces
follow from the ink, not from the model: it often reads an underscore as a space, and often misses a space.
"""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.ocr_models import OcrModels
    from provision.redact.pictures.strips import Pixels, Strip

_HEIGHT = 48
_STEP = 8
_SURE_OF_OTHER = 0.8
"""Below this, a character that is not ASCII counts as misread, and its best ASCII reading is taken."""
_LOOKALIKES = str.maketrans("–—－一―‐‑−～，。：；（）“”‘’！｜·•＝＿丨", "---------,.:;()\"\"''!|..=_|")  # noqa: RUF001
_INK = 0.28
_SPACE_CERTAIN = 1.0
_SPACE_POSSIBLE = 0.45
_RULE_CONTRAST = 16
_RULE_GAP = 8.0
"""So many per cent of a strip's rows may be above or below the end of a rule."""
_RULE_EVEN = 0.5
"""Of the contrast of its middle row: the least of a rule. A letter between two lines that touch it has less in the gaps."""
_RULE_REACH = 0.25
"""Of a strip's height: so far a rule goes on above or below the strip. A letter may be as high as its strip."""
_WIDEST_RULE = 8
"""In columns, as all that follows: a wider one is a coloured ground."""
_READ_AS_RULE = frozenset("|│Il1!][")


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character as read, its certainty, and its range along the strip (pixels)."""

    text: str
    certainty: float
    strip: Strip
    left: float
    right: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def read_strip(picture: Pixels, strip: Strip, models: OcrModels) -> list[Glyph]:
    """Return the characters of a strip in order, spaces included; empty if nothing is read."""
    import numpy as np  # noqa: PLC0415

    cut = strip.cut(picture, _HEIGHT)
    planes = ((cut.astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
    chances = models.read(np.ascontiguousarray(planes))[0]
    ink = _ink(cut)
    step = cut.shape[1] / max(1, len(chances))
    placed = [(c, p, (at + 0.5) * step) for c, p, at in _decode(chances, models.alphabet)]
    read = _true_spaces(_with_rules(placed, _rules(picture, strip, cut)), ink)
    return _glyphs(read, ink, strip, strip.height / _HEIGHT) if read else []


def _decode(chances: NDArray[np.float32], alphabet: tuple[str, ...]) -> list[tuple[str, float, float]]:
    """Return (character, probability, column) from the model's output: equal neighbours are one, column 0 is none."""
    import numpy as np  # noqa: PLC0415

    plain = _plain_columns(alphabet)
    best = chances.argmax(axis=1)
    read: list[tuple[str, float, float]] = []
    start = 0
    for end in range(1, len(best) + 1):
        if end < len(best) and best[end] == best[start]:
            continue
        if best[start]:
            at = (start + end - 1) / 2
            c, p = alphabet[best[start]], float(chances[start:end, best[start]].max())
            c = unicodedata.normalize("NFKC", c).translate(_LOOKALIKES)
            if not c.isascii() and p < _SURE_OF_OTHER:
                column = int(plain[int(chances[start:end][:, plain].max(axis=0).argmax())])
                c, p = alphabet[column], float(chances[start:end, column].max())
            read += [(one, p, at) for one in c[:1]]
        start = end
    return read if np.isfinite(chances).all() else []


_columns: dict[int, NDArray[np.int64]] = {}


def _plain_columns(alphabet: tuple[str, ...]) -> NDArray[np.int64]:
    import numpy as np  # noqa: PLC0415

    known = _columns.get(id(alphabet))
    if known is None:
        known = np.array([n for n, c in enumerate(alphabet) if len(c) == 1 and "!" <= c <= "~"])
        _columns[id(alphabet)] = known
    return known


def _ink(cut: Pixels) -> NDArray[np.float64]:
    """Return the amount of ink in every column of a strip; columns below 1 are blank."""
    import numpy as np  # noqa: PLC0415

    grey = cut.astype(np.int16).max(axis=2) + cut.astype(np.int16).min(axis=2)
    background = np.median(grey)
    contrast = np.abs(grey - background)
    strongest = np.percentile(contrast, 98)
    inner = contrast[3:-3] if len(contrast) > 12 else contrast
    columns: NDArray[np.float64] = (inner > max(24.0, _INK * strongest)).sum(axis=0).astype(np.float64)
    return columns


def _rules(picture: Pixels, strip: Strip, cut: Pixels) -> list[float]:
    """Return the columns of upright rules: thin, of one colour from top to bottom, and beyond, as the borders of cells are."""
    import numpy as np  # noqa: PLC0415

    parts = [part.astype(np.int16).mean(axis=2) for part in (cut, *_beyond(picture, strip))]
    ground = np.median(np.concatenate(parts))  # a strip may have more ink than ground
    contrast, *beyond = (np.abs(part - ground) for part in parts)
    least = np.maximum(_RULE_CONTRAST, _RULE_EVEN * np.median(contrast, axis=0))
    inked = (np.percentile(contrast, _RULE_GAP, axis=0) > least).astype(np.int8)
    edges = np.flatnonzero(np.diff(inked, prepend=0, append=0)).tolist()
    return [
        (a + b) / 2
        for a, b in zip(edges[::2], edges[1::2], strict=True)
        if b - a <= _WIDEST_RULE and any((part[:, a:b].max(axis=1) > least[a:b].max()).all() for part in beyond)
    ]


def _beyond(picture: Pixels, strip: Strip) -> Iterator[Pixels]:
    """Yield the pixels above and below a strip, as far as a letter does not reach, where the picture has any."""
    reach = strip.height * _RULE_REACH
    for across in (-reach, strip.height):
        x, y = strip.place(0, across)
        if y >= 0 and y + reach <= len(picture):
            yield replace(strip, x=x, y=y, height=reach).cut(picture, round(_HEIGHT * _RULE_REACH))


def _with_rules(read: list[tuple[str, float, float]], rules: list[float]) -> list[tuple[str, float, float]]:
    """Return the characters with the rules between them. What was read in the place of one is the rule itself."""
    if not read:
        return []
    letters = [r for r in read if not (r[0] in _READ_AS_RULE and any(abs(r[2] - at) <= _STEP for at in rules))]
    inner = [("│", 1.0, at) for at in rules if read[0][2] < at < read[-1][2]]
    ordered = sorted([*letters, *inner], key=lambda r: r[2])
    return [r for n, r in enumerate(ordered) if r[0] != "│" or not n or ordered[n - 1][0] != "│"]


def _true_spaces(read: list[tuple[str, float, float]], ink: NDArray[np.float64]) -> list[tuple[str, float, float]]:
    """Return the characters with spaces where the picture has gaps, and no spaces where it has ink."""
    solid = [r for r in read if r[0] != " "]
    if len(solid) < 2:
        return solid
    distances = sorted(b[2] - a[2] for a, b in itertools.pairwise(solid))
    pitch = distances[len(distances) // 2]
    spaced = {id(before) for before, this in itertools.pairwise(read) if this[0] == " "}
    spaced_out = [solid[0]]
    for a, b in itertools.pairwise(solid):
        blank = _longest_blank(ink, a[2], b[2])
        if (
            "│" in {a[0], b[0]}
            or blank > _SPACE_CERTAIN * pitch
            or (id(a) in spaced and blank > _SPACE_POSSIBLE * pitch)
        ):
            spaced_out.append((" ", 1.0, (a[2] + b[2]) / 2))
        spaced_out.append(b)
    return spaced_out


def _longest_blank(ink: NDArray[np.float64], left: float, right: float) -> int:
    longest = run = 0
    for column in ink[max(0, int(left)) : int(right) + 1]:
        run = run + 1 if column < 1 else 0
        longest = max(longest, run)
    return longest


def _glyphs(read: list[tuple[str, float, float]], ink: NDArray[np.float64], strip: Strip, factor: float) -> list[Glyph]:
    """Return glyphs whose borders are the columns with the least ink between them."""
    borders = [_outer(ink, read[0][2], -1)]
    for (_, _, a), (_, _, b) in itertools.pairwise(read):
        borders.append(_emptiest(ink, a, b))
    borders.append(_outer(ink, read[-1][2], 1))
    return [Glyph(c, p, strip, borders[n] * factor, borders[n + 1] * factor) for n, (c, p, _) in enumerate(read)]


def _emptiest(ink: NDArray[np.float64], left: float, right: float) -> float:
    """Return the border between characters with middles near `left` and `right`; the model is off by up to half a character."""
    middle, distance = (left + right) / 2, right - left
    for slack in (-distance / 7, distance * 0.4):
        low, high = max(0, int(left - slack)), min(len(ink), int(right + slack) + 1)
        blank = [x for x in range(low, high) if ink[x] < 1]
        if blank:
            return min(blank, key=lambda x: abs(x - middle)) + 0.5
    low, high = max(0, int(left + distance / 7)), min(len(ink), int(right - distance / 7) + 1)
    return min(range(low, high), key=lambda x: (ink[x], abs(x - middle)), default=middle - 0.5) + 0.5


def _outer(ink: NDArray[np.float64], at: float, direction: int) -> float:
    """Return where the ink of an outermost character ends: at the first blank gap, at most one strip height away."""
    x = min(len(ink) - 1, max(0, int(at)))
    blank, edge = 0, x
    for _ in range(_HEIGHT):
        if not 0 <= x < len(ink):
            break
        blank = blank + 1 if ink[x] < 1 else 0
        if not blank:
            edge = x
        if blank > _STEP:
            break
        x += direction
    return float(edge + 1 if direction > 0 else edge)
