"""How much one file may unpack to, with everything nested in it: bytes and members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.containers.blob import ReadLimits


class BudgetError(Exception):
    """A file exceeds its budget; the message says which one."""


@dataclass(slots=True)
class Budget:
    """What may still be unpacked from one file."""

    left_bytes: int
    left_members: int

    @classmethod
    def of(cls, limits: ReadLimits, size: int) -> Budget:
        """Return the budget of a file of `size` bytes."""
        return cls(max(limits.expanded_bytes, limits.expanded_ratio * size), limits.members)

    def spend(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on. Raises BudgetError before the first one that exceeds the budget."""
        for chunk in chunks:
            self.left_bytes -= len(chunk)
            if self.left_bytes < 0:
                raise BudgetError(
                    "it unpacks to far more than its own size: a bomb, or almost empty; the rest was not read"
                )
            yield chunk

    def member(self) -> None:
        """Count a member. Raises BudgetError when there are too many."""
        self.left_members -= 1
        if self.left_members < 0:
            raise BudgetError("it has too many members; the rest was not read")
