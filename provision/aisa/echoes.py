"""Take the user's key out of what a gateway says: a server may have echoed it, as it is or encoded."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "****"
_ECHO_CHARS = 8
"""The shortest part of a key that is masked. Of an encoded key: what encodes so much of it."""
_PUBLIC_BEGINNING = re.compile(r"^[a-z]{2,4}-([a-z]{2,8}-)?")
_GROUPED = re.compile(r"[-_ .:/,\\%]")


def without_echoes(text: str, secret: str) -> str:
    """Mask the key, and every part of it of at least 8 characters, ignoring case and characters between groups.

    Also if the text has it backwards, in hex, in base64 or in base32. The public beginning of keys (`sk-aisa-`) is not masked.
    """
    lower = text.lower()
    if len(lower) != len(text):  # a character whose lower case is longer: no id or code has one
        return MASK
    bare = [at for at, letter in enumerate(lower) if not _GROUPED.match(letter)]
    hidden = bytearray(len(text))
    places: tuple[list[int] | range, ...] = (range(len(text)), bare)
    for at in places if len(bare) < len(text) else places[:1]:
        plain = "".join(lower[each] for each in at)
        for size, parts in _parts(_PUBLIC_BEGINNING.sub("", secret)).items():
            for start in range(len(plain) - size + 1):
                if plain[start : start + size] in parts:
                    first, last = at[start], at[start + size - 1]
                    hidden[first : last + 1] = b"\1" * (last + 1 - first)
    return "".join(MASK if run[0] else text[run[1] : run[2]] for run in _runs(hidden))


def _runs(hidden: bytearray) -> Iterator[tuple[bool, int, int]]:
    """The stretches of a text that are masked, and the others, in order."""
    start = 0
    for end in range(1, len(hidden) + 1):
        if end == len(hidden) or hidden[end] != hidden[start]:
            yield bool(hidden[start]), start, end
            start = end


@lru_cache(maxsize=4)
def _parts(body: str) -> dict[int, frozenset[str]]:
    """Parts of each form of a key in lower case, by their length."""
    data = body.encode()
    forms = [(body, 1.0), (body[::-1], 1.0), (data.hex(), 2.0)]
    for shift in range(3):
        forms.append((base64.urlsafe_b64encode(b"x" * shift + data).decode().strip("=")[2:], 4 / 3))
        forms.append((base64.b64encode(b"x" * shift + data).decode().strip("=")[2:], 4 / 3))
    forms += [(base64.b32encode(b"x" * shift + data).decode().strip("=")[2:], 8 / 5) for shift in range(5)]
    found: dict[int, set[str]] = {}
    for form, growth in forms:
        size = min(round(_ECHO_CHARS * growth), len(form))
        for kept in {form.lower(), _GROUPED.sub("", form.lower())} if size else ():
            found.setdefault(size, set()).update(kept[at : at + size] for at in range(len(kept) - size + 1))
    return {size: frozenset(parts) for size, parts in found.items()}
