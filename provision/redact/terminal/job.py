"""The command under `redact --exec` as a job of its own terminal, so that Ctrl-Z stops it.

The kernel does not stop a group of processes whose parents are all in other sessions. So the leader of the terminal's
session stays, with the command in a group below it, as a shell does for its jobs.
"""

from __future__ import annotations

import contextlib
import os
import signal

_LEFT_TO_THE_COMMAND = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def own_group() -> int:
    """Fork in the leader of a session. Returns 0 in the new process, which leads the foreground group; else its pid."""
    before = [signal.signal(number, signal.SIG_IGN) for number in _LEFT_TO_THE_COMMAND]
    job = os.fork()
    if job:
        with contextlib.suppress(OSError):  # it has done so itself, or has ended
            os.setpgid(job, job)
        return job
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    for number, handler in zip(_LEFT_TO_THE_COMMAND, before, strict=True):
        signal.signal(number, handler)
    return 0


def end_like(job: int) -> None:
    """Wait for a process; stop when it stops, and end with its exit code or signal. Does not return."""
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            os.killpg(job, signal.SIGCONT)
        elif os.WIFSIGNALED(status):
            with contextlib.suppress(OSError):  # SIGKILL has no handler
                signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
            os.kill(os.getpid(), os.WTERMSIG(status))
        else:
            os._exit(os.WEXITSTATUS(status))
