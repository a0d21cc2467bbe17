"""The screen as a person reads it: its rows, its panes with their lines joined, and what the edge of a pane cuts.

Programs fold and cut text themselves: a pane beside another, an editor with line numbers, a line that is scrolled to the side.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.entropy import looks_random
from provision.redact.terminal.canvas import NOWHERE, ScreenText

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BORDERS = dict.fromkeys(map(ord, "│┃║▏▕┆┊╎"), "|")
"""Lines of boxes, as the detectors read them: one byte each, so that offsets stay."""
_SHORTEST_BORDER = 3
_MOST_PADDING = 2
_GUTTER = re.compile(r"[ ]*\d+[ ]")
_FOLLOWING = re.compile(r"[ ]*\d*[ ]+|[^\w\s]{1,3}[ ]")
_CUT_MARKS = "<>$…«»"
_EDGE_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,}")
_LONG = 16
_RANDOM = 12
"""Shorter texts are too short for `looks_random`."""
_DIGEST = re.compile(r"[0-9a-f-]+|[0-9A-F-]+")
_CUT_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-(?:aisa|ant|or-v1|proj|svcacct)-|gh[pousr]_|github_pat_|glpat-)(?P<body>[\w-]+)\Z"
)


class PaneRow(NamedTuple):
    """One row of a pane: its text to its last column, and the origins."""

    text: str
    origins: Sequence[int]


Pane = list[PaneRow]


def rows_of_screen(grid: Sequence[tuple[str, list[int]]]) -> ScreenText:
    """Return all rows with their ends, so that columns keep their places."""
    parts: list[str] = []
    origins: list[int] = []
    for text, row in grid:
        kept = text.rstrip(" ")
        parts.append(kept)
        origins += row[: len(kept)]
        origins.append(NOWHERE)
    return ScreenText("\n".join(parts).translate(BORDERS), origins)


def panes_of_screen(grid: Sequence[tuple[str, list[int]]]) -> list[Pane]:
    """Return the parts of the screen between vertical lines; the whole screen where there are none."""
    lines = [frozenset(at for at, c in enumerate(text) if c == "|" or ord(c) in BORDERS) for text, _ in grid]
    borders = [_long_borders(lines, y) for y in range(len(grid))]
    found: list[Pane] = []
    open_panes: dict[tuple[int, int], Pane] = {}
    for (text, origins), columns in zip(grid, borders, strict=True):
        edges = [-1, *sorted(columns), len(text)]
        spans = [(left + 1, right) for left, right in pairwise(edges) if right - left > 1]
        kept = {span: open_panes.get(span, []) for span in spans}
        found += [pane for span, pane in open_panes.items() if span not in kept]
        open_panes = kept
        for left, right in spans:
            kept[left, right].append(PaneRow(text[left:right], origins[left:right]))
    return found + list(open_panes.values())


def _long_borders(lines: Sequence[frozenset[int]], y: int) -> frozenset[int]:
    """Return the columns of a row in which a vertical line of several rows is."""
    return frozenset(column for column in lines[y] if _height(lines, y, column) >= min(_SHORTEST_BORDER, len(lines)))


def _height(lines: Sequence[frozenset[int]], y: int, column: int) -> int:
    first = last = y
    while first > 0 and column in lines[first - 1]:
        first -= 1
    while last + 1 < len(lines) and column in lines[last + 1]:
        last += 1
    return last - first + 1


def joined_lines(pane: Pane, *, bordered: bool) -> ScreenText:
    """Return a pane's lines, those joined that fill a row and go on in the next, also behind a number or a mark.

    A pane that is `bordered` may leave columns free beside its border.
    """
    padding = min((len(row.text) - len(row.text.rstrip(" ")) for row in pane), default=0)
    if padding > _MOST_PADDING or not bordered:
        padding = 0
    parts: list[str] = []
    origins: list[int] = []
    gutter = ""
    for number, row in enumerate(pane):
        text, own = row.text[: len(row.text) - padding], row.origins
        before = pane[number - 1].text[: len(text)] if number else ""
        start = _continuation(gutter, text) if before and before[-1:] != " " else None
        if start is None:
            parts.append("\n")
            origins.append(NOWHERE)
            found = _GUTTER.match(text)
            gutter, start = found[0] if found else "", 0
        parts.append(text[start:])
        origins += own[start : len(text)]
    return ScreenText("".join(parts).translate(BORDERS), origins)


def _continuation(gutter: str, text: str) -> int | None:
    """Return where a row goes on with the row before, whose line began with `gutter`; None if it begins a line."""
    if text[:1] not in {"", " "} and not gutter:
        found = _FOLLOWING.match(text)
        return found.end() if found and not text[0].isdigit() else 0
    margin = text[: len(gutter)] if gutter else text[: len(text) - len(text.lstrip(" "))]
    if text[len(margin) : len(margin) + 1] in {"", " "} or (margin.strip() and margin != gutter):
        return None
    return len(margin)


def cut_at_edges(pane: Pane, *, guess_right: bool, seen: bool) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield text and origins of what may be a part of a key that goes on beyond the edge of a pane.

    A beginning is known by its prefix, or guessed where keys without a prefix exist. An end is guessed: it looks random, and is
    long unless a beginning was `seen`.
    """
    for text, origins in pane:
        end = len(text.rstrip(" " + _CUT_MARKS))
        if end < len(text) - 2:
            end = 0
        begun = _CUT_KEY.search(text, 0, end) if end else None
        if begun:
            yield begun["body"], origins[slice(*begun.span("body"))]
        start = len(text) - len(text.lstrip(_CUT_MARKS))
        for token in _EDGE_TOKEN.finditer(text):
            at_left, at_right = token.start() == start, token.end() == end
            long = len(token[0]) >= _LONG or seen
            if ((at_left and long) or (at_right and guess_right)) and _may_be_part(token[0]):
                yield token[0], origins[slice(*token.span())]


def _may_be_part(token: str) -> bool:
    """Whether a text looks like a part of a key and not like a word, a number or a digest."""
    if _DIGEST.fullmatch(token):
        return False
    kinds = any(map(str.isdigit, token)) and any(map(str.isupper, token)) and any(map(str.islower, token))
    return looks_random(token) or (kinds and len(token) < _RANDOM)
