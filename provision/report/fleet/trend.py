"""The fleet by day: each whole report leaves its numbers in `.provision/reports.jsonl`, one line per day, nothing but numbers.

A line that cannot be read is left out, and the next report writes the file without it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from provision.files import read_optional, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME = ".provision/reports.jsonl"
DAYS = 400
"""Lines that are kept."""
_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class DaySummary:
    """One day's last report: users, users of whom nothing needed attention, and how many each cause concerned."""

    day: date
    users: int
    quiet: int
    causes: Mapping[str, int]

    def line(self) -> str:
        """The summary as a line of JSON."""
        fields = {"day": self.day.isoformat(), "users": self.users, "quiet": self.quiet, "causes": self.causes}
        return json.dumps(fields) + "\n"


def read_trend(root: Path) -> list[DaySummary]:
    """The summaries of a workspace, the oldest first; empty if there are none."""
    found: dict[date, DaySummary] = {}
    for line in (read_optional(root / NAME, _LIMIT_BYTES) or b"").splitlines():
        try:
            fields = json.loads(line)
            causes = {str(cause): int(count) for cause, count in fields["causes"].items()}
            day = date.fromisoformat(fields["day"])
            found[day] = DaySummary(day, int(fields["users"]), int(fields["quiet"]), causes)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return [found[day] for day in sorted(found)]


def keep_summary(root: Path, earlier: Sequence[DaySummary], today: DaySummary) -> None:
    """Write today's summary in place of an earlier one of the same day. Raises FileProblemError."""
    kept = [each for each in earlier if each.day < today.day][-(DAYS - 1) :]
    (root / NAME).parent.mkdir(mode=0o700, exist_ok=True)
    write_atomic(root / NAME, "".join(each.line() for each in (*kept, today)).encode(), mode=0o644)
