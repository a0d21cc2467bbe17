"""One kind of secret, declared: what it is called, how it is found, and examples that prove both.

A rule is data. The engine looks for a rule's keywords first and runs its pattern only around a hit, so a pattern may be
as exact as it likes; it is written in RE2's syntax and therefore linear whatever the input. Whether a found value is a
placeholder, a hash or a public key is asked afterwards, in `notsecret`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.detect.match import Confidence, FindingSeverity

Example = str | Callable[[], str]
"""A text that holds exactly one secret of the rule. Whatever would look like a real key is built when it is called."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of secret is found.

    `pattern` is RE2 syntax over bytes. What it captures as `secret`, else as group 1, else its whole match, is the
    secret; a group called `name` is the name that the secret was assigned to. At least one of `keywords` (lower case,
    found whatever the case of the text) must lie inside every match or, for rules of others, within `reach` bytes of it;
    a rule without keywords and mark is run over everything. `reach` is the longest match in bytes, context included. Captured
    values below `entropy` bits per byte, or that `accept` refuses, are dropped.

    A key without any fixed text at its beginning has a `mark` in place of keywords: an expression, and for how many bytes
    exactly, that stands within `reach` of every match and hardly anywhere else.

    Where keywords stand in much that is no secret, `gate` saves time and changes nothing: an expression of which a match
    lies inside every match of `pattern` that counts, best a short one. Two libraries read it: no anchors but
    `\\b`, and `\\s` in no class, for the one knows a blank that the other does not.
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
