"""Where a process cannot be replaced (Windows), `run` waits for its command, and Ctrl-C is for the command alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

COMMAND = """
import signal, sys, time
def closing(number, frame):
    time.sleep(1)  # longer than the quarter of a second that subprocess.run grants
    sys.exit(7)
signal.signal(signal.SIGINT, closing)
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import os, sys
from provision.endpoint.run import run_and_wait
sys.exit(run_and_wait([sys.executable, "-c", sys.argv[1]], os.environ))
"""


@pytest.mark.skipif(os.name == "nt", reason="sends the signal to a process group of POSIX")
def test_a_command_closes_in_its_own_time() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (7, b"")
