"""Take the user's key out of what a gateway says: a server may have echoed it, as it is or encoded."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MASK = "****"
_ECHO_CHARS = 8
"""The shortest part of a key that is masked. Of an encoded key: what encodes so much of it."""
_PUBLIC_BEGINNING = re.compile(r"^[a-z]{2,4}-([a-z]{2,8}-)?")
_GROUPED = re.compile(r"[-_ .:/,\\%]")


@lru_cache(maxsize=16)  # a verdict is masked when it is found, and again when it is the user's
def without_echoes(text: str, secret: str) -> str:
    """Mask the key, and every part of it of at least 8 characters, ignoring case and characters between groups.

    Also if the text has it backwards, in hex, in base64 or in base32. The public beginning of keys (`sk-aisa-`) is not masked.
    """
    if not text:
        return text
    lower = text.lower()
    if len(lower) != len(text):  # a character whose lower case is longer: no id or code has one
        return MASK
    forms = _forms(_PUBLIC_BEGINNING.sub("", secret))
    if not any(True for plain in {lower, _GROUPED.sub("", lower)} for _ in _found(plain, forms)):
        return text
    bare = [at for at, letter in enumerate(lower) if not _GROUPED.match(letter)]
    hidden = bytearray(len(text))
    places: tuple[list[int] | range, ...] = (range(len(text)), bare)
    for at in places if len(bare) < len(text) else places[:1]:
        for start, end in _found("".join(lower[each] for each in at), forms):
            first, last = at[start], at[end - 1]
            hidden[first : last + 1] = b"\1" * (last + 1 - first)
    return "".join(MASK if run[0] else text[run[1] : run[2]] for run in _runs(hidden))


def _found(plain: str, forms: Mapping[int, str]) -> Iterator[tuple[int, int]]:
    """Where parts of the forms begin and end in a text."""
    for size, joined in forms.items():
        for start in range(len(plain) - size + 1):
            if plain[start : start + size] in joined:
                yield start, start + size


def _runs(hidden: bytearray) -> Iterator[tuple[bool, int, int]]:
    """The stretches of a text that are masked, and the others, in order."""
    start = 0
    for end in range(1, len(hidden) + 1):
        if end == len(hidden) or hidden[end] != hidden[start]:
            yield bool(hidden[start]), start, end
            start = end


@lru_cache(maxsize=4)
def _forms(body: str) -> dict[int, str]:
    """The forms of a key in lower case, joined, by the length of what is masked. Each key is asked for a few short texts, so
    their parts are searched in the text of the forms: a set of all parts would take longer to build."""
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
            found.setdefault(size, set()).add(kept)
    return {size: "\0".join(kept) for size, kept in found.items()}
