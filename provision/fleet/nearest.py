"""Find the nearest correct spelling of a word."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_FEW = 12


def nearest_words(word: str, allowed: Collection[str], count: int = 1) -> list[str]:
    """Return up to `count` allowed words similar to `word`; ignores case and treats `-` as `_`. May be empty."""
    if len(word) > 100:
        return []
    folded = {a.casefold().replace("-", "_"): a for a in allowed}
    found = difflib.get_close_matches(word.casefold().replace("-", "_"), list(folded), n=count, cutoff=0.6)
    return [folded[f] for f in found]


def spelling_hint(word: str, allowed: Collection[str]) -> str:
    """Return a hint such as `did you mean 'model'? allowed: …`."""
    found = nearest_words(word, allowed)
    listed = sorted(allowed)
    rest = f" and {len(listed) - _FEW} more" if len(listed) > _FEW + 4 else ""
    known = f"allowed: {', '.join(listed[:_FEW] if rest else listed)}{rest}" if listed else "none exist yet"
    return f"did you mean '{found[0]}'? {known}" if found else known


def edit_distance(a: str, b: str) -> int:
    """How many letters differ, with swapped neighbours as one difference. 99 if the lengths differ by more than 3."""
    if abs(len(a) - len(b)) > 3:
        return 99
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last = row, before
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
