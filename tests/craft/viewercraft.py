"""What a person sees of a command under `redact --exec`: a pseudo-terminal whose screen an independent emulator (pyte) draws.

Everything that reaches the terminal is kept as the screens that it produced, so a test can ask what could be read at any moment.
"""

from __future__ import annotations

import copy
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyte
from commandcraft import PROVISION

_STRING = re.compile(rb"\x1b[PX^_][^\x1b]*\x1b\\\\")
_OPEN_STRING = re.compile(rb"\x1b(?:[PX^_][^\x1b]*\x1b?)?\Z")  # pyte would show the text of a picture
_ALTERNATE = frozenset({47 << 5, 1047 << 5, 1049 << 5})


class _Screen(pyte.Screen):
    """What pyte lacks: a second screen, repeated characters, the place of the cursor for programs that ask."""

    answers: Callable[[bytes], None]
    _kept: tuple[Any, int, int] | None = None

    def write_process_input(self, data: str) -> None:
        self.answers(data.encode())

    def report_device_attributes(self, mode: int = 0, **private: bool) -> None:
        """Give no answer: programs go on without it."""

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        if not private:  # else xterm's settings of the keyboard
            super().select_graphic_rendition(*attributes)

    def repeat(self, count: int = 1) -> None:
        self.draw(self.buffer[self.cursor.y][self.cursor.x - 1].data * (count or 1))

    def set_mode(self, *modes: int, **private: bool) -> None:
        super().set_mode(*modes, **private)
        if private and _ALTERNATE & self.mode and self._kept is None:
            self._kept = (copy.deepcopy(self.buffer), self.cursor.x, self.cursor.y)
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **private: bool) -> None:
        super().reset_mode(*modes, **private)
        if private and self._kept and not _ALTERNATE & self.mode:
            self.buffer, self.cursor.x, self.cursor.y = self._kept
            self._kept = None


class _Stream(pyte.ByteStream):
    csi: ClassVar = {**pyte.ByteStream.csi, "b": "repeat"}  # type: ignore[misc]  # pyte reads it from the class
    events = pyte.ByteStream.events | {"repeat"}


class Viewer:
    """A terminal of a size, with `provision redact --exec -- COMMAND` on it, below so many earlier rows."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        options: Sequence[str] = (),
        columns: int = 80,
        rows: int = 24,
        first_row: int = 0,
    ) -> None:
        self._master, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = _Screen(columns, rows)
        self.screen.answers = self._answer
        self._stream = _Stream(self.screen)
        self._stream.feed(b"earlier\r\n" * first_row)
        self.screens: list[str] = []
        self.raw = self._rest = b""
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", str(PROVISION), "redact", *options, "--exec", "--", *command],
            stdin=inner, stdout=inner, stderr=inner, cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMUX_TMPDIR": str(folder), "LANG": "C.UTF-8",
                 "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(inner)

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def _answer(self, data: bytes) -> None:
        os.write(self._master, data)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def type_slowly(self, text: str) -> None:
        """Press keys one by one, each after the one before was shown."""
        for character in text:
            shown = len(self.raw)
            self.type(character)
            while len(self.raw) == shown:
                assert self._read(45), f"{character!r} is not shown"

    def text(self) -> str:
        """What the screen shows now."""
        return "\n".join(self.screen.display)

    def wait(self, holds: Callable[[str], bool] | str, timeout_s: float = 45.0) -> str:
        """Return the screen, once it holds a text or fulfils a condition."""
        fulfilled = holds if callable(holds) else lambda text: holds in text
        end = time.monotonic() + timeout_s
        while not fulfilled(self.text()):
            assert time.monotonic() < end, f"not seen: {holds!r}\n{self.text()}"
            if not self._read(0.2) and self._process.poll() is not None:
                assert fulfilled(self.text()), f"ended without {holds!r}\n{self.text()}"
        return self.text()

    def settle(self, quiet_s: float = 0.25) -> str:
        """Return the screen, once nothing more comes for a while."""
        while self._read(quiet_s):
            pass
        return self.text()

    def end(self) -> int:
        """Wait for the command's end; return its exit code."""
        while self._process.poll() is None or self._read(0):
            self._read(0.05)
        return self._process.wait()

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.raw += data
        shown = _STRING.sub(b"", self._rest + data)
        rest = _OPEN_STRING.search(shown)
        self._rest = rest[0] if rest else b""
        self._stream.feed(shown.removesuffix(self._rest))
        self.screens.append(self.text())
        return bool(data)
