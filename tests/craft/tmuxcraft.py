"""A terminal for tests: tmux with a server of its own, whose screen can be read and whose raw output is kept."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class Terminal:
    """One window. `raw` is the file with every byte that the program in it wrote to the terminal."""

    def __init__(self, folder: Path, columns: int = 100, rows: int = 30) -> None:
        self._folder, self._size = folder, (columns, rows)
        self._environ = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TMUX_TMPDIR": str(folder), "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }  # fmt: skip
        self.raw = folder / "raw"

    def _tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", "test", "-f", "/dev/null", *args],
            env=self._environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout

    def __enter__(self) -> Terminal:
        columns, rows = map(str, self._size)
        self._tmux("new-session", "-d", "-x", columns, "-y", rows, "sh -c 'PS1=\"> \" exec sh -i'")
        self._tmux("pipe-pane", f"cat > {self.raw}")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            ["tmux", "-L", "test", "kill-server"], env=self._environ, capture_output=True, check=False, timeout=20
        )

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names (`Enter`, `C-c`)."""
        self._tmux("send-keys", *keys)

    def type(self, text: str, *, slowly: bool = False) -> None:
        """Type a text; slowly, as a person does, letter by letter."""
        for piece in text if slowly else (text,):
            self._tmux("send-keys", "-l", "--", piece)

    def run(self, command: Sequence[str] | str) -> None:
        """Type a command and Enter."""
        self.type(command if isinstance(command, str) else " ".join(command))
        self.keys("Enter")

    def screen(self, *, colours: bool = False) -> str:
        """What stands on the screen."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, holds: Callable[[str], bool] | str, timeout_s: float = 45.0) -> str:
        """The screen, once it holds a text or fulfils a condition."""
        fulfilled = holds if callable(holds) else lambda screen: holds in screen
        end = time.monotonic() + timeout_s
        while not fulfilled(screen := self.screen()):
            assert time.monotonic() < end, f"never came: {holds!r}\n{screen}"
            time.sleep(0.05)
        return screen

    def settled(self, timeout_s: float = 45.0) -> str:
        """The screen with its colours, once it stays the same for a while."""
        end, before = time.monotonic() + timeout_s, ""
        while (now := self.screen(colours=True)) != before:
            assert time.monotonic() < end, "never came to rest"
            before = now
            time.sleep(0.3)
        return now
