"""Other programs: which are on PATH, in which version, and what needs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from provision.doctor.health import HealthFinding, fine, warning
from provision.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 20


class _Program(NamedTuple):
    """A program, how to ask for its version, and what does not work without it."""

    name: str
    asking: tuple[str, ...]
    needed_for: str


OPERATOR_PROGRAMS = (
    _Program("git", ("--version",), "the workspace's history"),
    _Program("age", ("--version",), "opening bundles without provision"),
    _Program("ssh", ("-V",), "`provision deploy`"),
    _Program("ssh-keygen", (), "verifying signatures without provision"),
    _Program("ansible-playbook", ("--version",), "`provision deploy`"),
)


def program_findings(environ: Mapping[str, str]) -> Iterator[HealthFinding]:
    """Yield version and place of each program that operators use; a warning for one that is missing or does not answer."""
    for program in OPERATOR_PROGRAMS:
        id_ = f"programs.{program.name}"
        path = find_program(program.name, environ) or _beside_python(program.name)
        if path is None:
            fix = f"install {program.name} if you need {program.needed_for}"
            yield warning(id_, f"{program.name} is not on PATH; it is used for {program.needed_for}", fix)
            continue
        version = _version(path, program.asking, environ) if program.asking else "found"
        if version:
            yield fine(id_, f"{version} ({path})")
        else:
            yield warning(id_, f"{path} does not say its version", f"try it by hand: {program.name} --help", path)


def _beside_python(name: str) -> str | None:
    """A program that was installed with provision, as `deploy` finds Ansible."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() and os.access(beside, os.X_OK) else None


def _version(path: str, asking: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """The first line that the program answers; empty without one."""
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments
            [path, *asking],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            env=dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = (done.stdout or done.stderr).decode("utf-8", "replace").strip().splitlines()
    return said[0][:120] if said and done.returncode == 0 else ""
