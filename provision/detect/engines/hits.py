"""What an engine is asked for and what it answers: gates and hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from provision.detect.engines.needles import NeedleKind


@dataclass(frozen=True, slots=True)
class Hits:
    """`words`: pairs of a keyword's index and where it begins. `needles`: for each kind, where one begins. Both sorted.

    `gates`: by a gate's index, where matches of it end, sorted; None from a library that does not look for gates.
    """

    words: list[tuple[int, int]]
    needles: dict[NeedleKind, list[int]]
    gates: dict[int, list[int]] | None = None

    def __bool__(self) -> bool:
        return bool(self.words or self.needles or self.gates)


class Gate(NamedTuple):
    """What must match for a rule to match, and around which keywords, by their index: `reach` bytes to either side."""

    pattern: bytes
    words: frozenset[int]
    reach: int
