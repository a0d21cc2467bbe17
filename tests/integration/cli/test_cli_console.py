"""What is different about output on Windows: escapes, closed pipes, and no output at all."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from provision.cli import main as command_line
from provision.cli.console import understand_escapes


def test_the_console_is_asked_to_interpret_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = {1: 0x3, 2: None}  # standard error is a file
    monkeypatch.setattr(sys, "platform", "win32")

    def get_mode(handle: int, into: Any) -> int:
        if modes[handle] is None:
            return 0
        into._obj.value = modes[handle]
        return 1

    kernel = SimpleNamespace(
        GetStdHandle={-11: 1, -12: 2}.__getitem__, GetConsoleMode=get_mode, SetConsoleMode=modes.__setitem__
    )
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    understand_escapes()
    assert modes == {1: 0x7, 2: None}


@pytest.mark.parametrize(("platform", "expected"), [("win32", BrokenPipeError), ("linux", OSError)])
def test_a_closed_pipe_of_windows_is_no_bug(
    platform: str, expected: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    refusing = os.eventfd(0)  # answers a single byte with EINVAL, as Windows does where the reader of a pipe has gone
    with command_line._StandardOutput(refusing, "w") as out, pytest.raises(expected) as caught:
        out.write(b"x")
    assert type(caught.value) is expected
    assert caught.value.errno == (errno.EPIPE if platform == "win32" else errno.EINVAL)
