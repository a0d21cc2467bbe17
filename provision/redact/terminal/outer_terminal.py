"""The terminal that `provision` itself runs on: its size, its raw mode, and the signals to pass on to the command."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import struct
import termios
import tty
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FALLBACK = (80, 24)
_PLACE = re.compile(rb"\x1b\[(\d{1,4});(\d{1,4})R")
_PLACE_BEGUN = re.compile(rb"\x1b(?:\[[\d;]{0,9})?\Z")
_PASSED_ON = (signal.SIGWINCH, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def terminal_size(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return columns and rows: of the terminal, else from COLUMNS and LINES, else 80 and 24."""
    for descriptor in (1, 0, 2):
        with contextlib.suppress(OSError):
            rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
            if rows and columns:
                return columns, rows
    values = [environ.get(name, "") for name in ("COLUMNS", "LINES")]
    columns, rows = (int(text) if text.isdigit() and 0 < int(text) < 10_000 else 0 for text in values)
    return columns or _FALLBACK[0], rows or _FALLBACK[1]


def set_size(descriptor: int, columns: int, rows: int) -> None:
    """Set the size of a pseudo-terminal; the kernel signals the programs on it."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class CursorQuestion:
    """Asks the terminal for the place of its cursor, and takes the answer out of the keys that are typed."""

    def __init__(self) -> None:
        self.open = False
        self._late = False
        self._begun = b""

    def ask(self) -> bytes:
        """Return what to write to the terminal."""
        self.open = True
        return b"\x1b[6n"

    def give_up(self) -> bytes:
        """Wait no longer; an answer that still comes is not passed on. Returns the keys held back."""
        self.open, self._late = False, True
        begun, self._begun = self._begun, b""
        return begun

    def answered(self, data: bytes) -> tuple[bytes, tuple[int, int] | None]:
        """Return the keys that were typed, and the cursor's column and row if the answer is among them."""
        if not self.open and not self._late:
            return data, None
        data, self._begun = self._begun + data, b""
        answer = _PLACE.search(data)
        if answer:
            place = (int(answer[2]) - 1, int(answer[1]) - 1) if self.open else None
            self.open = self._late = False
            return data[: answer.start()] + data[answer.end() :], place
        begun = _PLACE_BEGUN.search(data) if self.open else None
        if begun:
            data, self._begun = data[: begun.start()], begun[0]
        return data, None


class TerminalModes:
    """The modes that the terminal had before, so that they can be restored. Without a terminal, all methods do nothing."""

    def __init__(self, before: list[Any] | None) -> None:
        self._before = before

    def raw(self) -> None:
        """Pass every key through unchanged."""
        if self._before is not None:
            tty.setraw(0, termios.TCSADRAIN)

    def restore(self) -> None:
        """Restore the modes from before."""
        if self._before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def suspend(self) -> None:
        """Stop this process, as the command was stopped, until it is continued."""
        self.restore()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.raw()


@contextlib.contextmanager
def raw_mode() -> Iterator[TerminalModes]:
    """Put the terminal on standard input, if there is one, into raw mode; always restore it."""
    modes = TerminalModes(termios.tcgetattr(0) if os.isatty(0) else None)
    try:
        modes.raw()
        yield modes
    finally:
        modes.restore()


@contextlib.contextmanager
def forwarded_signals() -> Iterator[int]:
    """Yield a descriptor from which the numbers of arriving signals can be read."""
    wakeup, end = os.pipe()
    os.set_blocking(end, False)
    before = {number: signal.signal(number, lambda *_: None) for number in _PASSED_ON}
    old = signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    os.kill(os.getpid(), signal.SIGCHLD)  # the command may have ended before the handler was set
    try:
        yield wakeup
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wakeup)
        os.close(end)
