"""The process in which the real Hermes is loaded once, for many runs (`fork_server.py`, `side_driver.py`), as a test sees it."""

from __future__ import annotations

import atexit
import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from hermes_venvs import hermes_program


class HermesForks:
    """A started server. Its own environment is empty: what a run sees comes with its request."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            [hermes_program().with_name("python"), Path(__file__).with_name(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "HOME": "/", "HERMES_HOME": "/nowhere", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )  # fmt: skip
        atexit.register(self.stop)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def run(
        self,
        home: Path,
        environ: Mapping[str, str],
        act: Sequence[str],
        *,
        stdout: Path,
        stderr: Path,
        timeout_s: float,
    ) -> str:
        """Run `act` with `HERMES_HOME=home` and exactly `environ` besides; return `exit CODE` or `timeout`."""
        assert self._process.stdin
        assert self._process.stdout
        request = {
            "home": str(home), "environ": dict(environ), "act": [*act],
            "stdout": str(stdout), "stderr": str(stderr), "timeout_s": timeout_s,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End the server."""
        assert self._process.stdin
        assert self._process.stdout
        if not self._process.stdin.closed:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.kill()
            self._process.wait(10)


@cache
def hermes_forks(script: str = "fork_server.py") -> HermesForks:
    """The server of this process, started at its first use."""
    return HermesForks(script)
