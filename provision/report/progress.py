"""The progress of a long run: a bar on one line of a terminal, which is redrawn; a plain line every ten seconds elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.report.terminal import columns_of, printable, remark

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_REDRAW_S = 0.1
_PLAIN_S = 10.0
_BAR = 24
"""Characters of the bar; a terminal narrower than three bars has none."""


class Progress:
    """Counts items and shows a bar, the count, the rate, the time left, the count of each outcome and the current item.

    `total` is None while it is unknown: then it shows neither bar nor time left.

    >>> progress = Progress("validate", 100, sys.stderr, time.monotonic)
    >>> progress.step("ok")
    >>> progress.close()
    """

    def __init__(self, what: str, total: int | None, stream: TextIO, clock: Callable[[], float]) -> None:
        self._what = what
        self._total = total
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._began = self._shown = clock()
        self._done = 0
        self._current = ""
        self._counts: Counter[str] = Counter()

    def step(self, outcome: str = "", *, count: int = 1, current: str = "") -> None:
        """Count finished items; `current` names what is being worked on."""
        self._done += count
        self._current = current
        if outcome:
            self._counts[outcome] += 1
        now = self._clock()
        if now - self._shown >= (_REDRAW_S if self._terminal else _PLAIN_S):
            self._shown = now
            self._show(now)

    def say(self, line: str) -> None:
        """Print a line above the progress."""
        self.clear()
        self._stream.write(remark(printable(line), self._stream) + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the redrawn line from a terminal."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Print the final count and rate; on a terminal this replaces the redrawn line."""
        self.clear()
        self._stream.write(self.line(self._clock()) + "\n")
        self._stream.flush()

    def line(self, now: float) -> str:
        """The progress line at the time `now`, without bar."""
        elapsed = max(now - self._began, 1e-9)
        rate = self._done / elapsed
        count = f"{self._done:,}" if self._total is None else f"{self._done:,}/{self._total:,}"
        parts = [f"{self._what} {count}", f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
        left = (self._total or 0) - self._done
        parts.append(f"{_clock(left / rate)} left" if left > 0 and rate else _clock(elapsed))
        parts += [f"{count:,} {printable(name)}" for name, count in self._counts.most_common(4)]
        return " · ".join(parts)

    def bar(self, now: float, width: int) -> str:
        """The progress line for a terminal of `width` columns: the bar first, then as much of the line as has room."""
        line = f"{self.line(now)} · {printable(self._current)}" if self._current else self.line(now)
        if self._total and width >= 3 * _BAR:
            full = min(_BAR * self._done // self._total, _BAR)
            line = f"{'█' * full}{'░' * (_BAR - full)} {100 * self._done // self._total:3} % {line}"
        return line if len(line) < width else line[: width - 2] + "…"

    def _show(self, now: float) -> None:
        columns = columns_of(self._stream)
        text = f"\r{self.bar(now, columns)}\x1b[K" if columns else self.line(now) + "\n"
        self._stream.write(text)
        self._stream.flush()


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
