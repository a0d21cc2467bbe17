"""Which Hermes the acceptance tests run: the one of this venv, or the release of `--hermes-version`, in a venv of its own.

A venv is made on demand and kept in `$HERMES_VENVS` (else below the cache folder of the user), one folder per release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

_CHOSEN = "ACCEPTANCE_HERMES"
_ANTHROPIC = "anthropic==0.87.0"
"""What Hermes would pip-install at its first use of Messages mode."""


def choose_hermes(release: str) -> None:
    """Make the tests of this process, and of processes it starts, run this release of Hermes. Installs it if it is missing."""
    program = _folder() / release / "bin" / "hermes"
    if not program.exists():
        shutil.rmtree(program.parents[1], ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", program.parents[1]], check=True)
        pip = [program.with_name("pip"), "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, f"hermes-agent=={release}", _ANTHROPIC], check=True)
    os.environ[_CHOSEN] = f"{release} {program}"


def hermes_program() -> Path:
    """The `hermes` to run."""
    chosen = os.environ.get(_CHOSEN, "").partition(" ")[2]
    return Path(chosen) if chosen else Path(sys.executable).with_name("hermes")


def hermes_release() -> str:
    """The version of the Hermes to run."""
    return os.environ.get(_CHOSEN, "").partition(" ")[0] or version("hermes-agent")


def _folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HERMES_VENVS") or cache / "provision-hermes")
