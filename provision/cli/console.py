"""The console window of Windows (conhost), which shows escape sequences as text until a program asks it not to."""

from __future__ import annotations

import sys
from typing import Any

_OUTPUT, _ERROR = -11, -12
_PROCESS_ESCAPES = 0x0004
"""ENABLE_VIRTUAL_TERMINAL_PROCESSING."""


def understand_escapes() -> None:
    """Let the console interpret escape sequences; without effect elsewhere, and for what is not a console."""
    platform: str = sys.platform  # or mypy checks the branch of this system only
    if platform != "win32":
        return
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined]  # only on Windows
    for number in (_OUTPUT, _ERROR):
        handle = kernel.GetStdHandle(number)
        mode = ctypes.c_uint32()
        if kernel.GetConsoleMode(handle, ctypes.byref(mode)):
            kernel.SetConsoleMode(handle, mode.value | _PROCESS_ESCAPES)
