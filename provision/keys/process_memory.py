"""Keep the keys that a process holds out of core dumps, other processes of the user, and TLS key logs.

Every `provision` process calls `protect_process` first, and so does every worker that gets keys.
"""

from __future__ import annotations

import contextlib
import os
import sys

KEY_LOG = "SSLKEYLOGFILE"
_PR_SET_DUMPABLE = 4


def protect_process() -> tuple[str, ...]:
    """Switch core dumps off, and make this process unreadable to debuggers of the same user (Linux). Returns warnings.

    The limit of core dumps is inherited by programs that this process starts, which may raise it again. `SSLKEYLOGFILE`,
    which makes Python's TLS write the secrets of each connection to a file, is removed from the environment.
    """
    _no_core_dumps()
    if os.environ.pop(KEY_LOG, None) is None:
        return ()
    return (f"{KEY_LOG} is ignored: it would write the secrets of TLS connections, and so keys, to a file",)


def _no_core_dumps() -> None:
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):  # a system may refuse even to lower it
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":  # where a core is piped to a program, its size has no limit
        import ctypes  # noqa: PLC0415  only here

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
