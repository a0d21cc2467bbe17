"""Charts of a page as values, from which the template draws SVG with title, axis, legend and text alternative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

WIDTH, HEIGHT = 720, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 12, 22


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a stacked bar. `tone` is good, bad, unsure or neutral."""

    label: str
    count: int
    tone: str


@dataclass(frozen=True, slots=True)
class StackedBar:
    """Parts of a whole, such as the states of the users in a wave."""

    title: str
    note: str
    shares: Sequence[Share]

    @property
    def total(self) -> int:
        """The whole."""
        return sum(share.count for share in self.shares)

    @property
    def text(self) -> str:
        """What the bar shows, in words."""
        return ", ".join(f"{share.count:,} {share.label}" for share in self.shares if share.count) or "none"

    def parts(self) -> list[tuple[Share, float, float]]:
        """Each share with its left edge and its width, of a bar that is 1000 wide."""
        found, left = [], 0.0
        for share in self.shares:
            width = 1000 * share.count / max(self.total, 1)
            if width:
                found.append((share, round(left, 1), round(width, 1)))
            left += width
        return found


@dataclass(frozen=True, slots=True)
class TrendLine:
    """A number by day, the oldest first, at least two."""

    title: str
    points: Sequence[tuple[date, int]]

    @property
    def text(self) -> str:
        """What the line shows, in words."""
        (first, before), (last, now) = self.points[0], self.points[-1]
        return f"{self.title}: from {before:,} on {first:%d %b %Y} to {now:,} on {last:%d %b %Y}"

    @property
    def low(self) -> int:
        """The axis' lower end."""
        return min(count for _, count in self.points)

    @property
    def high(self) -> int:
        """The axis' upper end."""
        return max(count for _, count in self.points)

    def line(self) -> str:
        """The points of an SVG polyline."""
        return " ".join(f"{x:.0f},{y:.0f}" for x, y in self._places())

    def spark(self) -> str:
        """The points of a small line without axes, in a field of 100 by 24."""
        return " ".join(
            f"{100 * (x - _LEFT) / (WIDTH - _LEFT - _RIGHT):.0f},{2 + 20 * (y - _TOP) / (HEIGHT - _TOP - _BOTTOM):.0f}"
            for x, y in self._places()
        )

    def end(self) -> tuple[float, float]:
        """The place of the last point."""
        return self._places()[-1]

    def _places(self) -> list[tuple[float, float]]:
        first, days = self.points[0][0], max((self.points[-1][0] - self.points[0][0]).days, 1)
        span = max(self.high - self.low, 1)
        return [
            (
                _LEFT + (WIDTH - _LEFT - _RIGHT) * (day - first).days / days,
                HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (count - self.low) / span,
            )
            for day, count in self.points
        ]
