"""The nearest right spelling."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_FEW = 12


def nearest_words(word: str, allowed: Collection[str], count: int = 1) -> list[str]:
    """Up to `count` of the allowed words that look most like `word`, whatever the case and `-` or `_`; none when all are far."""
    if len(word) > 100:
        return []
    folded = {a.casefold().replace("-", "_"): a for a in allowed}
    found = difflib.get_close_matches(word.casefold().replace("-", "_"), list(folded), n=count, cutoff=0.6)
    return [folded[f] for f in found]


def spelling_hint(word: str, allowed: Collection[str]) -> str:
    """A hint: `did you mean 'model'? allowed: …`."""
    found = nearest_words(word, allowed)
    listed = sorted(allowed)
    rest = f" and {len(listed) - _FEW} more" if len(listed) > _FEW + 4 else ""
    known = f"allowed: {', '.join(listed[:_FEW] if rest else listed)}{rest}" if listed else "there are none yet"
    return f"did you mean '{found[0]}'? {known}" if found else known
