"""Recognize a key that was copied wrongly: with its variable's name, pasted twice, cut short.

Only certain mistakes: a key of another shape may be valid. Keys for rehearsals with the simulator (`sk-aisa-TEST…`) may be short.
"""

from __future__ import annotations

import re

from provision.detect.shapes import AISA_KEY_LENGTH

_PREFIX = "sk-aisa-"
_TEST_KEY = _PREFIX + "TEST"
_TWICE = 24
_NAMED = re.compile(r"(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*[=:]|bearer\b", re.IGNORECASE)
_BEHEADED = re.compile(r"(?:k-|-)?aisa-[A-Za-z0-9_-]{20,}")
_BODY = re.compile(re.escape(_PREFIX) + r"[A-Za-z0-9_-]*")


def copy_mistake(key: str) -> str:
    """Return what is wrong, as the end of a sentence about the key; empty if nothing is evident. The key is not quoted."""
    middle = len(key) // 2
    if key.count(_PREFIX) > 1 or (len(key) >= _TWICE and key[:middle] == key[-middle:]):
        return "was pasted more than once"
    if _NAMED.match(key) or (_PREFIX in key and not key.startswith(_PREFIX)):
        return "has other text in front of it"
    if _BEHEADED.match(key):
        return "is cut short at its beginning"
    if key.startswith(_PREFIX.upper()):
        return "was changed to capital letters"
    if not key.startswith(_PREFIX):
        return ""
    if not _BODY.fullmatch(key):
        return "has other text behind it"
    return "is cut short" if len(key) < AISA_KEY_LENGTH and not key.startswith(_TEST_KEY) else ""
