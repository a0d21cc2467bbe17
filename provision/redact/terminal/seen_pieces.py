"""Pieces of the secrets that were on the screen before: a part of one that comes again is known without its prefix.

They are kept in memory only, as long as the command runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.detect.entropy import looks_random
from provision.detect.known import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.redact.terminal.canvas import ScreenText

PIECE_CHARACTERS = 8
MOST_PIECES = 1 << 18
_SHORTEST_SECRET = 16
_TOKEN = re.compile(r"[!-~]{8,}")


class SeenPieces:
    """The pieces of eight characters of all secrets seen so far."""

    def __init__(self) -> None:
        self._pieces: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def learn(self, secret: str) -> None:
        """Remember a random secret of a key's length; pieces of others are too much like words."""
        body = secret[len(shape_of(secret)[0]) :]
        if len(body) >= _SHORTEST_SECRET and looks_random(body) and len(self._pieces) < MOST_PIECES:
            self._pieces.update(body[at : at + PIECE_CHARACTERS] for at in range(len(body) - PIECE_CHARACTERS + 1))

    def found_in(self, seen: ScreenText) -> Iterator[tuple[str, Sequence[int]]]:
        """Yield the text and the origins of every part of a secret that was seen before."""
        for token in _TOKEN.finditer(seen.text):
            at = token.start()
            while at <= token.end() - PIECE_CHARACTERS:
                end = at
                while seen.text[end : end + PIECE_CHARACTERS] in self._pieces:
                    end += 1
                if end > at:
                    end += PIECE_CHARACTERS - 1
                    yield seen.text[at:end], seen.origins[at:end]
                at = max(end, at + 1)
