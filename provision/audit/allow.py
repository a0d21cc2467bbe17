"""`provision:allow` in a comment on the line of a finding: somebody says that this is no secret, or one that may stand here.

    password = "correct horse"  # provision:allow a password of the test database
    TOKEN=…                     # provision:allow=generic-token

With `=RULE,…` only those rules are quiet. It never excuses a key of the fleet: a comment in a file must not be able to hide
the leak of a key that works.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMENT = re.compile(rb"provision:allow(?:=([A-Za-z0-9_.,-]+))?(?![A-Za-z0-9_])")
_REACH_BYTES = 2048
"""Longer lines are no source text; only this much of them on either side is looked at."""


def allowed(data: Sequence[int] | bytes | memoryview, start: int, end: int, rule: str) -> bool:
    """Whether the line of bytes `start` to `end` carries a comment that allows `rule`."""
    low, high = max(0, start - _REACH_BYTES), end + _REACH_BYTES
    window = bytes(data[low:high])
    first = window.rfind(b"\n", 0, start - low) + 1
    last = window.find(b"\n", end - low)
    line = window[first : last if last >= 0 else len(window)]
    return any(_names(found, rule) for found in _COMMENT.finditer(line))


def _names(found: re.Match[bytes], rule: str) -> bool:
    rules = found[1]
    return rules is None or rule in rules.decode().split(",")
