"""Recognise a known key although some of its characters were read wrongly. Pure.

Only fingerprints of the keys are known, so corrections of what was read are tried one after the other: the likely ones first,
those of characters that the reader was least certain of before others, and only so many.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.known import KnownKeys
    from provision.detect.known_key import KnownKey

_MOST_TRIED = 40_000
"""Corrections of one word; each costs a hash, together about a tenth of a second."""
_MOST_REMEMBERED = 1000
_MOST_LOST = 2
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
_TAKEN_FOR = {
    "0": "OoQ", "O": "0oQ", "o": "0Oc", "Q": "O0", "1": "lI7i", "l": "1Ii|", "I": "l1i", "i": "l1j", "j": "i", "|": "lI1",
    "!": "lI1i", "5": "sS", "s": "S5", "S": "s5", "$": "sS", "8": "B", "B": "8", "2": "zZ", "z": "Z2", "Z": "z2", "9": "gq",
    "g": "9q", "q": "9g", "u": "vU", "U": "uV", "v": "uVy", "V": "vUy", "c": "Ceo", "C": "cG", "G": "C6", "k": "K", "K": "kX",
    "p": "P", "P": "p", "w": "W", "W": "w", "x": "X", "X": "xK", "-": "_", "_": "-", ".": "-_", "~": "-", "=": "-_", "m": "n",
    "n": "mr", "h": "b", "b": "h6", "6": "bG", "r": "nt", "t": "rf", "f": "t", "e": "c", "y": "v", "7": "1T", "T": "7", "a": "o",
    "D": "O0", "E": "F", "F": "E", "H": "N", "N": "H", "Y": "V", "4": "A", "A": "4",
}  # fmt: skip
"""What a character may be in truth, if it was read as the first one."""
_WORD = re.compile(r"[A-Za-z0-9_|!$.~=-]+")


class MisreadKeys:
    """Finds the known keys among words that may be read wrongly. It remembers the words it has seen."""

    def __init__(self, known: KnownKeys) -> None:
        self._known = known
        self._lengths = {length for _, length in known.shapes}
        self._bare = {length for prefix, length in known.shapes if not prefix}
        self._seen: dict[str, tuple[str, KnownKey] | None] = {}

    def words(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of the words of a line that have about the length of a known key without a prefix."""
        for word in _WORD.finditer(text) if self._bare else ():
            if self.fits(word[0]):
                yield word.span()

    def fits(self, text: str) -> bool:
        """Whether a text has about the length of a known key without a prefix."""
        return any(abs(len(text) - length) <= _MOST_LOST for length in self._bare)

    def find(self, text: str, certainty: Sequence[float]) -> tuple[str, KnownKey] | None:
        """Return the key that was read as `text`, and what is known of it; `certainty` is that of each character, 0 to 1."""
        if text not in self._seen:
            if len(self._seen) > _MOST_REMEMBERED:
                self._seen.clear()
            lengths = {length for length in self._lengths if abs(length - len(text)) <= _MOST_LOST}
            guesses = itertools.islice(_corrections(text, lengths, certainty), _MOST_TRIED)
            self._seen[text] = next(((guess, key) for guess in guesses if (key := self._known.find(guess))), None)
        return self._seen[text]


def _corrections(text: str, lengths: set[int], certainty: Sequence[float]) -> Iterator[str]:
    if len(text) in lengths:
        yield text
        yield from _replaced(text, certainty, 1)
    for length in sorted(lengths - {len(text)}, key=lambda n: abs(n - len(text))):
        yield from _of_length(text, length)
    if len(text) in lengths:
        yield from _replaced(text, certainty, 2)
        for at, letter in itertools.product(range(len(text)), _ALPHABET):
            yield text[:at] + letter + text[at + 1 :]
    for length in sorted(lengths - {len(text)}, key=lambda n: abs(n - len(text))):
        if abs(length - len(text)) == 1:
            for whole in _of_length(text, length):
                yield from _replaced(whole, (1.0,) * len(whole), 1)
    if len(text) in lengths:
        yield from _replaced(text, certainty, 3)


def _replaced(text: str, certainty: Sequence[float], count: int) -> Iterator[str]:
    """Yield the text with `count` characters replaced by what they may be in truth."""
    doubtful = sorted((at for at, c in enumerate(text) if c in _TAKEN_FOR), key=lambda at: certainty[at])
    for places in itertools.combinations(doubtful, count):
        for letters in itertools.product(*(_TAKEN_FOR[text[at]] for at in places)):
            characters = list(text)
            for at, letter in zip(places, letters, strict=True):
                characters[at] = letter
            yield "".join(characters)


def _of_length(text: str, length: int) -> Iterator[str]:
    """Yield the text with lost dashes put in again, or with characters that are too many taken out."""
    lost = length - len(text)
    if lost > 0:
        for places in itertools.combinations_with_replacement(range(len(text) + 1), lost):
            for letters in itertools.product("-_", repeat=lost):
                whole = text
                for at, letter in sorted(zip(places, letters, strict=True), reverse=True):
                    whole = whole[:at] + letter + whole[at:]
                yield whole
    else:
        for places in itertools.combinations(range(len(text)), -lost):
            yield "".join(c for at, c in enumerate(text) if at not in places)
