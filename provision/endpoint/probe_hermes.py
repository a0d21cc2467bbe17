"""Send one question through the real Hermes and classify its output, because its exit code is not reliable.

`hermes -z` exits with 0 after an HTTP 401 (which it prints on stdout) and after a failed connection, and with 1 when
it stops at the configuration before any request. So the output decides, and it is quoted with secrets masked.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.shapes import mask_secrets
from provision.hermes.facts import names as facts
from provision.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUESTION = "Reply with one short sentence to confirm that you are working."
TIMEOUT_S = 120.0
_FAILED = re.compile(
    r"(?im)^(?:.{0,40}\bHTTP [45]\d\d\b|API call failed|Error: |Unknown provider|No (?:LLM )?(?:inference )?provider"
    r"|.{0,80}package is required|.{0,60}context (?:window|length).{0,60}(?:minimum|below|at least)|Traceback )"
)
_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What Hermes did. `ok` is None when unknown: Hermes is missing, did not exit, or printed nothing."""

    ok: bool | None
    said: str
    exit_code: int | None = None


def ask_hermes(
    root: Path, hermes_profile: str | None, environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> ProbeAnswer:
    """Run `hermes -z` once on a home. The question goes to the real gateway with the real key, and costs a few tokens."""
    program = find_program("hermes", environ)
    if program is None:
        return ProbeAnswer(None, "`hermes` is not on the PATH")
    profile = ["-p", hermes_profile] if hermes_profile else []
    process = subprocess.Popen(  # noqa: S603  the machine's own Hermes, with a fixed question
        [program, *profile, "-z", QUESTION, "-t", "todo"],
        env={**environ, facts.HOME_ENV: str(root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=os.name != "nt",
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return ProbeAnswer(None, f"hermes did not exit within {timeout_s:.0f} s")
    return classify_answer(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def classify_answer(exit_code: int, stdout: str, stderr: str) -> ProbeAnswer:
    """Classify what `hermes -z` printed. Pure."""
    found = _FAILED.search(stdout)
    if found is None and (exit_code != 0 or not stdout.strip()):
        found = _FAILED.search(stderr)
    if found is not None:
        text = found.string[found.start() :]
        return ProbeAnswer(False, _shown(text), exit_code)
    if exit_code != 0:
        return ProbeAnswer(False, _shown(stderr.strip() or stdout.strip() or f"exit {exit_code}"), exit_code)
    if not stdout.strip():
        return ProbeAnswer(None, "hermes printed nothing", exit_code)
    return ProbeAnswer(True, _shown(stdout), exit_code)


def _shown(text: str) -> str:
    masked = mask_secrets(text.strip())
    return masked if len(masked) <= _SHOWN_CHARS else masked[:_SHOWN_CHARS] + "…"


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
