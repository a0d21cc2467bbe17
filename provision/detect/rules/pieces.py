"""Building blocks for rules: where a token may begin, alphabets, and fillers for examples.

A token begins where a word begins, or after an escape that ends in a letter (`\\n`, `%3D`, a colour code).
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Example, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT = r"(?:\b|_|\\[nrtbf]|%[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|\x1b\[[0-9;]{0,12}m)"
BLANK = r"\t\n\f\r "
"""The blanks of RE2's `\\s`, for classes in gates: Hyperscan's `\\s` has one byte more."""
ALNUM = ascii_letters + digits
LOWER = ascii_lowercase + digits
UPPER = ascii_uppercase + digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
BASE32 = ascii_uppercase + "234567"


def filler(label: str, alphabet: str, length: int) -> str:
    """Return `length` characters of `alphabet` that depend only on the label; no service issued them."""
    stream = b""
    while len(stream) < length:
        stream += hashlib.sha256(f"{label}/{len(stream)}".encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in stream[:length])


def uuid_filler(label: str) -> str:
    """Return a UUID of version 4 that depends only on the label."""
    digits_ = filler(label, HEX, 32)
    return f"{digits_[:8]}-{digits_[8:12]}-4{digits_[13:16]}-a{digits_[17:20]}-{digits_[20:]}"


def example(before: str, alphabet: str, length: int, after: str = "") -> Callable[[], str]:
    """An example: a filler between two texts, built when it is called."""
    return partial(_made, before, alphabet, length, after)


def _made(before: str, alphabet: str, length: int, after: str) -> str:
    return before + filler(before, alphabet, length) + after


def in_base64(text: str) -> str:
    """Return unpadded base64url, as in JWTs."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def token_rule(
    name: str,
    description: str,
    words: str,
    body: str,
    *examples: Example,
    severity: FindingSeverity = FindingSeverity.HIGH,
    confidence: Confidence = Confidence.HIGH,
    reach: int = 512,
) -> Rule:
    """A rule for a token with a prefix of its own; `words` are the keywords, separated by blanks."""
    return Rule(
        id=name,
        description=description,
        severity=severity,
        confidence=confidence,
        keywords=tuple(words.split()),
        pattern=f"{LEFT}(?P<secret>{body})",
        gate=shortest_match(body),
        examples=examples,
        counter_examples=(words.split(maxsplit=1)[0] + "x" * 40, words.split(maxsplit=1)[0] + "your-token-goes-here"),
        reach=reach,
    )


def is_one_run(rule: Rule) -> bool:
    """Return whether every match, but for `LEFT`, is one run without blanks and quotes: tokens, the addresses of `dsn-url-`."""
    blanks = r"\s" in rule.pattern.replace(r"[^\s", "") or " " in rule.pattern
    return not blanks and (rule.pattern.startswith(f"{LEFT}(?P<secret>") or rule.id.startswith("dsn-url-"))


def shortest_match(body: str) -> str:
    """Return an expression for the shortest match of `body`, as a gate: unlike `body` it does not match at every further byte."""
    return re.sub(r"\{(\d+),\d*\}$", r"{\1}", body.removesuffix("={0,2}"))


def joined_fillers(*pieces: tuple[str, str, int]) -> str:
    """Join texts and fillers: triples of a text, an alphabet and a length."""
    return "".join(
        before + filler(f"{before}{n}", alphabet, length) for n, (before, alphabet, length) in enumerate(pieces)
    )
