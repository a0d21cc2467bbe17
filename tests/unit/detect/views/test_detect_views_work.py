"""The work of the views grows with the input and not faster: how many bytes are looked at, for the worst inputs of each view."""

from __future__ import annotations

import pytest
from detectcraft import aisa_key, known

from provision.detect.detector import Detector
from provision.detect.engines.hits import Hits

WORST = {
    "tags": b"sk-<b>", "spans": b"sk</span><span>-", "entities": b"&#x73;&#x6b;&#x2d;", "zero-width": "sk\u200b-".encode(),
    "look-alikes": "s\u0430k-".encode(), "backspaces": b"skk\x08-aisa", "markdown": b"sk\\-", "bytes": b"115 107 45 ",
    "characters": b"'s', 'k', '-', ", "rows of bytes": b"115, 107, 45,\n", "literals": b'"sk-" + ', "quotes": b'\\\\"sk-',
    "lines of literals": b'"sk-" +\n', "columns": b"| sk-a1b2c3d4e5 | x1y2z3a4b5 |\n", "dump": b"0000: 73 6b 2d 61\n",
    "gzip": b"H4sIAAAA", "ascii85": b"<~!!!!!!!!!!!!!!!!!!!!!!!!",
    "base32": b"ONVS2YLJONQS2", "uuencode": b"begin 644 x\nM:V5Y('-K\n",
    "utf-32": b"s\0\0\0k\0\0\0-\0\0\0", "upper case": b"SK-AISA-A1B2C3D4", "prefixes": b"10:00 sk-a1\n", "base64": b"c2st",
}  # fmt: skip


class Counting(Detector):
    """Counts the bytes in which its engine searches: those of the input, and of everything that the views make of it."""

    searched = 0

    def hits(self, data: bytes) -> Hits:
        """Search, and count."""
        self.searched += len(data)
        return super().hits(data)


DETECTOR = Counting(known=known(aisa_key()))


def searched(text: bytes, size: int) -> int:
    """How many bytes are searched for an input of this size."""
    before = DETECTOR.searched
    DETECTOR.scan((text * (size // len(text) + 1))[:size])
    return DETECTOR.searched - before


@pytest.mark.parametrize("name", WORST)
def test_views_look_at_a_bounded_multiple_of_the_input(name: str) -> None:
    assert searched(WORST[name], 16_000) <= 4 * searched(WORST[name], 4_000) * 2 + 16_000
