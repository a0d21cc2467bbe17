"""The terminal that we run on ourselves: its size, its raw mode, and the signals that must be passed on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import tty
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FALLBACK = (80, 24)
_PASSED_ON = (signal.SIGWINCH, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def terminal_size(environ: Mapping[str, str]) -> tuple[int, int]:
    """Columns and rows: of the terminal, else what COLUMNS and LINES say, else 80 and 24."""
    for descriptor in (1, 0, 2):
        with contextlib.suppress(OSError):
            rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
            if rows and columns:
                return columns, rows
    said = [environ.get(name, "") for name in ("COLUMNS", "LINES")]
    columns, rows = (int(text) if text.isdigit() and 0 < int(text) < 10_000 else 0 for text in said)
    return columns or _FALLBACK[0], rows or _FALLBACK[1]


def set_size(descriptor: int, columns: int, rows: int) -> None:
    """Give a pseudo-terminal a size; the system tells the programs on it."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class TerminalModes:
    """How the terminal was before, so that it can be given back; without a terminal there is nothing to do."""

    def __init__(self, before: list[Any] | None) -> None:
        self._before = before

    def raw(self) -> None:
        """Every key goes through as it is."""
        if self._before is not None:
            tty.setraw(0, termios.TCSADRAIN)

    def give_back(self) -> None:
        """As it was."""
        if self._before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def suspend(self) -> None:
        """Stop this process as the command was stopped, until somebody lets it go on."""
        self.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.raw()


@contextlib.contextmanager
def raw_mode() -> Iterator[TerminalModes]:
    """The terminal on standard input in raw mode, if there is one, given back whatever happens."""
    modes = TerminalModes(termios.tcgetattr(0) if os.isatty(0) else None)
    try:
        modes.raw()
        yield modes
    finally:
        modes.give_back()


@contextlib.contextmanager
def forwarded_signals() -> Iterator[int]:
    """A descriptor on which the numbers of arriving signals can be read."""
    wakeup, end = os.pipe()
    os.set_blocking(end, False)
    before = {number: signal.signal(number, lambda *_: None) for number in _PASSED_ON}
    old = signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    os.kill(os.getpid(), signal.SIGCHLD)  # the command may have ended before anybody listened
    try:
        yield wakeup
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wakeup)
        os.close(end)
