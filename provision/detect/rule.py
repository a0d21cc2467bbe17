"""A secret rule: the name of one kind of secret, how it is found, and examples that a test runs.

A rule is data. The engine searches for a rule's keywords first and runs its pattern only around a hit, so a pattern may be
very exact; it is written in RE2's syntax and therefore linear for any input. `not_secret` then rejects placeholders, hashes
and public keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.detect.match import Confidence, FindingSeverity

Example = str | Callable[[], str]
"""A text with exactly one secret of the rule. Text that looks like a real key is built when the example is called."""

Opens = Callable[[bytes, "Iterable[int]"], "Iterator[int]"]


class NamedValue(NamedTuple):
    """A value that a rule's function found: its half-open range and its name."""

    start: int
    end: int
    name: bytes
    in_table: bool = False
    """Whether it is in a row of a table, below which further rows may follow, also outside of the range that was searched."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of secret is found.

    `pattern` is RE2 syntax over bytes. The secret is its group `secret`, else group 1, else the whole match; a group `name`
    is the name that the secret is assigned to. Every match must contain one of `keywords` (lower case; the text's case is
    ignored), or for rules from gitleaks files have one within `reach` bytes. A rule without keywords and mark runs over all
    bytes. `reach` is the longest match in bytes, context included. Values below `entropy` bits per byte, or for which
    `accept` returns False, are dropped.

    A key without fixed text at its beginning has a `mark` instead of keywords: an expression and its exact length in bytes,
    which occurs within `reach` of every match and hardly anywhere else.

    Where keywords also occur in much other text, a `gate` saves time without changing the result: an expression, preferably
    short, that matches inside every accepted match of `pattern`. RE2 and Hyperscan both read it: use no anchors except
    `\\b`, and no `\\s` inside a class, because their blanks differ by one byte.

    For text with several values for one name (a column, cookies) a rule has a function `find`. It gets the data and
    the range to search and yields the values in linear time; `pattern` then only describes a value.

    Rules with one function run together. `opens` then saves time: of the offsets of a rule's keywords, or of the last bytes that
    its gate matched, it yields those that can matter, and where none can, none of these rules runs.
    """

    id: str
    description: str
    severity: FindingSeverity
    confidence: Confidence
    keywords: tuple[str, ...]
    pattern: str
    entropy: float | None = None
    examples: tuple[Example, ...] = ()
    counter_examples: tuple[Example, ...] = ()
    accept: Callable[[bytes], bool] | None = None
    reach: int = 512
    mark: tuple[str, int] | None = None
    gate: str | None = None
    find: Callable[[bytes, int, int], Iterator[NamedValue]] | None = None
    opens: Opens | None = None
