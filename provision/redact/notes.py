"""Notes of what a run did: places, rules and tags. They never hold a value, its length or its hash.

Counts are complete. Places are kept up to a limit, so that a log with a million masks does not fill the memory.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Masked:
    """One mask: the file (`a.zip!b/.env` for a member), the place in it (`line 3`, `messages: row 12`), rule and tag."""

    file: str
    where: str
    rule: str
    tag: str
    owner: str | None = None

    def as_dict(self, shown: Callable[[str], str] = str) -> dict[str, Any]:
        """Return the mask as the report has it; `shown` says how a path is written."""
        return {"file": shown(self.file), "where": self.where, "rule": self.rule, "tag": self.tag, "owner": self.owner}


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the operator must know: what was left out, or what could not be examined well enough to call it clean."""

    file: str
    where: str
    message: str
    cure: str = ""
    holds_secret: bool = False
    """Whether a secret was found there that cannot be masked."""

    def __str__(self) -> str:
        place = f"{self.file}, {self.where}" if self.where else self.file
        return f"{place}: {self.message}" + (f" ({self.cure})" if self.cure else "")


@dataclass(slots=True)
class Notes:
    """Collects what happened. `left_out` is missing from the result; `unsure` needs a review by a person."""

    counts: Counter[str] = field(default_factory=Counter)
    places: list[Masked] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)
    unsure: list[Remark] = field(default_factory=list)

    def add(self, masked: Masked) -> None:
        """Add one mask."""
        self.counts[masked.rule] += 1
        if len(self.places) < MOST_PLACES:
            self.places.append(masked)

    @contextmanager
    def if_written(self) -> Iterator[None]:
        """Take back the masks of a result that is refused: they are in no file."""
        counts, places = self.counts.copy(), len(self.places)
        try:
            yield
        except Exception:
            self.counts = counts
            del self.places[places:]
            raise

    @property
    def total(self) -> int:
        """The number of masks."""
        return self.counts.total()

    def as_dict(self, shown: Callable[[str], str] = str) -> dict[str, Any]:
        """Return the body of a report (`provision/redaction/v1`); `shown` says how a path is written."""

        def remarks(found: list[Remark]) -> list[dict[str, str]]:
            return [{"file": shown(r.file), "where": r.where, "message": r.message, "cure": r.cure} for r in found]

        return {
            "masked": self.total,
            "rules": dict(sorted(self.counts.items())),
            "places": [place.as_dict(shown) for place in self.places],
            "places_not_listed": self.total - len(self.places),
            "left_out": remarks(self.left_out),
            "needs_review": remarks(self.unsure),
        }
