"""Run the real Hermes once, in a home and an environment of its own, within a bounded time.

Nothing of the caller's environment leaks in but what `environment` puts there. Exit codes of `hermes -z` say little (a 401
ends with 0): what counts is what the gateway saw.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hermes_forks import hermes_forks
from hermes_venvs import hermes_program
from recording_gateway import Gateway

HERMES = hermes_program()
ONE_SHOT = ("-z", "hi", "-t", "todo")
"""The lightest question there is: one request to the model, one toolset."""
TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class HermesRun:
    """How a run ended; `exit_code` is None when it was killed for taking too long."""

    exit_code: int | None
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    seconds: float

    def __str__(self) -> str:
        return f"exit {self.exit_code} after {self.seconds:.1f} s\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def environment(scratch: Path, gateway: Gateway | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a run: a home folder of its own, the gateway as proxy and authority, no telemetry, `extra`.

    `HERMES_HOME` is not among it: `run_hermes` adds it. With `gateway` None the proxy leads nowhere.
    """
    home = scratch / "user"
    home.mkdir(parents=True, exist_ok=True)
    proxy = gateway.proxy_url if gateway else "http://127.0.0.1:9"
    environ = {
        "HOME": str(home),
        "PATH": f"{_answering(scratch / 'bin')}:{HERMES.parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy),
    }
    if gateway:
        environ |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HERMES_CA_BUNDLE"), str(gateway.ca_file))
    if Path("/etc/hermes").exists():
        environ["HERMES_MANAGED_DIR"] = str(scratch / "no-managed-scope")
    platform = {"TEST_PLATFORM": os.environ["TEST_PLATFORM"]} if "TEST_PLATFORM" in os.environ else {}
    return environ | platform | dict(extra or {})


def _answering(folder: Path) -> Path:
    """Programs that answer at once what Hermes asks of pip at each start, for a line of its prompt, and else run the real."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name, question, answer in (
        ("python3", "-m pip --version", "true"),
        ("pip", "--version", f"echo 'pip 0 from nowhere (python {version})'"),
    ):
        path = folder / name
        if not path.exists():
            folder.mkdir(exist_ok=True)
            path.write_text(
                f'#!/bin/sh\n[ "$*" = "{question}" ] && exec {answer}\nexec {HERMES.with_name(name)} "$@"\n'
            )
            path.chmod(0o755)
    return folder


def run_hermes(
    home: Path,
    environ: Mapping[str, str],
    args: Sequence[str] = ONE_SHOT,
    *,
    timeout_s: float = TIMEOUT_S,
    command: Sequence[str | Path] = (),
) -> HermesRun:
    """Run `hermes args` (by default `hermes -z hi -t todo`) with `HERMES_HOME=home` and exactly `environ` besides.

    With `command`, run that program with `args` in a process of its own; without, in a fork of a process with Hermes' libraries.
    The whole process group is killed when `timeout_s` is over, and also when the run has ended, so that nothing stays.
    """
    started = time.monotonic()
    if not command:
        with tempfile.TemporaryDirectory(prefix="hermes-run-") as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            ended = hermes_forks().run(home, environ, args, stdout=out, stderr=err, timeout_s=timeout_s)
            code = int(ended.removeprefix("exit ")) if ended.startswith("exit ") else None
            printed, complained = out.read_text(errors="replace"), err.read_text(errors="replace")
            return HermesRun(code, printed, complained, time.monotonic() - started)
    process = subprocess.Popen(
        [*map(str, command), *args],
        env={"HERMES_HOME": str(home), **environ},
        cwd=environ["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    exit_code: int | None
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
        exit_code = process.returncode
    except subprocess.TimeoutExpired:
        _kill_group(process.pid)
        stdout, stderr = process.communicate()
        exit_code = None
    finally:
        _kill_group(process.pid)
    return HermesRun(exit_code, stdout, stderr, time.monotonic() - started)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
