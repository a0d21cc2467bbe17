"""Measure how random a text looks: entropy per character, share of words, share of runs, changes of case.

Entropy alone cannot separate keys from identifiers. Identifiers consist of words, and words of common letter pairs: the table
below says how surprising each pair is, learned from the words in public source code.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.lazy_regex import lazy_regex

# one row for each first letter, one digit for each second letter: -log2 of its share, 9 for very rare pairs
_SURPRISE = [
    "74448759596343959343667769",
    "35563788458367469446498958",
    "37663783594467279563579979",
    "46652678288576469545578879",
    "47435568798453757334866479",
    "47654369299476379455498969",
    "47662754499464579346478987",
    "27762787398666379564598869",
    "56455559998442459543959695",
    "37662986495797359637377779",
    "46652657389475568635685969",
    "38652788398387369755579949",
    "25762789397557439856599969",
    "47433538496676469843568979",
    "65447669696442549344465799",
    "38663786498377349354597959",
    "66777787699595776558076799",
    "37552769396656369544677969",
    "57473774396567548742487969",
    "37562684399667469345587858",
    "54564569599442649343899999",
    "27681778399867579667888999",
    "37653674289674379446877799",
    "46453576489557639662778458",
    "55454577598444529633766676",
    "48751676398767489766797665",
]
_RUN = lazy_regex(r"[A-Z]{4,}|[A-Z]?[a-z]{3,}")
_LONG_WORD = 4.0
"""Most bits per letter pair of a word: 90 % of words of 12 letters have fewer, and 0.1 % of random letters."""
_SHORT_WORD = 4.4
_LETTERS_ONLY_CHANGES = 0.35
_LEAST_CHANGES = 0.15


def shannon(value: bytes | str) -> float:
    """Return the bits per character: 0 for `aaaa`, about 4.9 for 43 random base64 characters."""
    if not value:
        return 0.0
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


def word_share(value: str) -> float:
    """Return the part of `value` that is words, 0 to 1: near 1 for `get_access_token`, near 0 for a random key."""
    if not value:
        return 0.0
    return sum(len(run) for run in _RUN.findall(value) if _is_word(run.lower())) / len(value)


def _is_word(run: str) -> bool:
    cost = sum(int(_SURPRISE[ord(a) - 97][ord(b) - 97]) for a, b in pairwise(run)) / (len(run) - 1)
    return cost <= (_SHORT_WORD if len(run) < 7 else _LONG_WORD)


def run_share(value: str) -> float:
    """Return the part of `value` that continues a run such as `abcdef`, `98765` or `xxxx`, 0 to 1; a random key has 0.05."""
    if len(value) < 2:
        return 1.0
    steps = [ord(b) - ord(a) for a, b in pairwise(value)]
    return sum(step in {-1, 0, 1} for step in steps) / len(steps)


def case_changes(value: str) -> float:
    """Return the share of neighbouring letters that differ in case, 0 to 1: 0.5 for random letters, 0.3 for camelCase."""
    cases = [each.isupper() for each in value if each.isalpha()]
    return sum(a != b for a, b in pairwise(cases)) / (len(cases) - 1) if len(cases) > 1 else 0.0


def character_kinds(value: str) -> int:
    """Return how many of these occur: lower case, upper case, digits, others."""
    return sum(
        any(test(each) for each in value)
        for test in (str.islower, str.isupper, str.isdigit, lambda each: not each.isalnum())
    )


_LONG_HEX = lazy_regex(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
"""Text in which words like `deebe` are chance."""


def looks_random(value: str) -> bool:
    """Return whether a text looks generated: twelve characters or more, mixed, with few words and runs."""
    return _is_varied(value) and _mixed(value)


def _is_varied(value: str) -> bool:
    """The bounds let through all but one of some 30,000 random texts of 32 hexadecimal digits."""
    enough = 2.5 if len(value) < 16 else 2.8 if len(value) < 40 else 3.0
    if len(value) < 12 or shannon(value) < enough or run_share(value) >= 0.55:
        return False
    return bool(_LONG_HEX.fullmatch(value)) or word_share(value) < 0.4


def _mixed(value: str) -> bool:
    """Return whether there are letters and digits, or letters whose case changes more often than in camelCase."""
    if not any(each.isalpha() for each in value):
        return False
    if any(each.isdigit() for each in value):
        return True
    cases = [each.isupper() for each in value if each.isalpha()]
    return sum(a != b for a, b in pairwise(cases)) >= 4 and word_share(value) < 0.2


def _hint(value: bytes) -> bool:
    """Return whether a long text without a name may be a secret.

    0.6 % of random base64url keys contain words by chance for more than 20 % of their length, but their case changes at every
    second letter. So for text of both cases the limit of words is the share of case changes, and half of it without digits. That
    also rejects identifiers with few changes (`Cryptography_HAS_POLY1305`).
    """
    body = value.decode("latin-1").strip("=")
    if not _is_varied(body) or shannon(body) < 4.1 or re.fullmatch(r"[0-9a-fA-F-]+|[0-9A-Z_-]+", body):
        return False
    if not (any(map(str.islower, body)) and any(map(str.isupper, body))):
        return _mixed(body) and character_kinds(body) >= 3 and word_share(body) < 0.2
    changes = case_changes(body)
    if any(map(str.isdigit, body)):
        return changes >= _LEAST_CHANGES and word_share(body) < changes
    return changes >= _LETTERS_ONLY_CHANGES and word_share(body) < changes / 2


HINT = Rule(
    id="high-entropy",
    description="Random text that no other rule identifies",
    severity=FindingSeverity.LOW,
    confidence=Confidence.LOW,
    keywords=(),
    pattern=r"(?:^|[\s\"'`=:,;>(\[])(?P<secret>[0-9A-Za-z+/_-]{24,128}={0,2})(?:$|[\s\"'`,;<)\]&])",
    accept=_hint,
    reach=160,
)
"""The rule of `--entropy`. Most of its findings are hashes and identifiers, so it is off by default."""
