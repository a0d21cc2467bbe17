"""The progress of a long run: one line that is redrawn on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_REDRAW_S = 0.1
_PLAIN_S = 10.0


class Progress:
    """Counts items and shows the count, the rate, the time left, and the count of each outcome.

    >>> progress = Progress("validate", 100, sys.stderr, time.monotonic)
    >>> progress.step("ok")
    >>> progress.close()
    """

    def __init__(self, what: str, total: int, stream: TextIO, clock: Callable[[], float]) -> None:
        self._what = what
        self._total = total
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._began = self._shown = clock()
        self._done = 0
        self._counts: Counter[str] = Counter()

    def step(self, outcome: str = "") -> None:
        """Count one finished item."""
        self._done += 1
        if outcome:
            self._counts[outcome] += 1
        now = self._clock()
        if now - self._shown >= (_REDRAW_S if self._terminal else _PLAIN_S):
            self._shown = now
            self._show(now)

    def say(self, line: str) -> None:
        """Print a line above the progress."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
        self._stream.write(printable(line) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Print the final count and rate; on a terminal this replaces the redrawn line."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
        self._stream.write(self.line(self._clock()) + "\n")
        self._stream.flush()

    def line(self, now: float) -> str:
        """The progress line at the time `now`."""
        elapsed = max(now - self._began, 1e-9)
        rate = self._done / elapsed
        parts = [f"{self._what} {self._done:,}/{self._total:,}", f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
        left = self._total - self._done
        parts.append(f"{_clock(left / rate)} left" if left and rate else _clock(elapsed))
        parts += [f"{count:,} {printable(name)}" for name, count in self._counts.most_common(4)]
        return " · ".join(parts)

    def _show(self, now: float) -> None:
        line = self.line(now)
        self._stream.write(f"\r{line[:118]}\x1b[K" if self._terminal else line + "\n")
        self._stream.flush()


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
