"""Versions of Hermes, and the ranges of them that a profile may name: `>=0.19,<0.23`.

A version is compared by its numbers alone, as far as both have them: `0.21` is in `>=0.21`, and so is `0.21.3`.
"""

from __future__ import annotations

import re
from typing import Final

RANGE: Final = (
    r"^\s*(>=|<=|==|!=|>|<)\s*\d{1,6}(\.\d{1,6}){0,3}(\s*,\s*(>=|<=|==|!=|>|<)\s*\d{1,6}(\.\d{1,6}){0,3}){0,7}\s*$"
)
"""Comparisons with commas between them; all must hold."""
_VERSION = re.compile(r"v?(\d{1,6}(?:\.\d{1,6}){0,3})(?![\d])")
_PARTS = 4


def parse_version(text: str) -> tuple[int, ...] | None:
    """Parse the numbers of a version, filled with zeros to four; None if the text does not begin with a version."""
    found = _VERSION.match(text.strip())
    if not found:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    return tuple(numbers + [0] * (_PARTS - len(numbers)))


def is_in_range(version: str, versions: str) -> bool | None:
    """Return whether a version is in a range; None if the version is not one. Raises ValueError for an invalid range."""
    if not re.match(RANGE, versions):
        raise ValueError("invalid range of versions")
    have = parse_version(version)
    if have is None:
        return None
    return all(_holds(have, comparison.strip()) for comparison in versions.split(","))


def _holds(have: tuple[int, ...], comparison: str) -> bool:
    sign = comparison.rstrip("0123456789. ")
    want = parse_version(comparison.removeprefix(sign)) or ()
    return {
        ">=": have >= want,
        "<=": have <= want,
        "==": have == want,
        "!=": have != want,
        ">": have > want,
        "<": have < want,
    }[sign]
