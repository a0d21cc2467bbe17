"""The state of the workspace in git: what is not committed, and what a merge left unfinished."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from provision.doctor.health import HealthFinding, failed, fine, skipped, warning
from provision.files import FileProblemError, open_regular
from provision.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_TIMEOUT_S = 60
_MARKS = (b"<<<<<<< ", b">>>>>>> ")
_NAMED = 5


def git_findings(root: Path, names: Sequence[str], environ: Mapping[str, str]) -> Iterator[HealthFinding]:
    """Yield whether these files of the workspace are committed. git runs without the hooks of a repository."""
    git = find_program("git", environ)
    if git is None:
        yield skipped("git.committed", "git is not on PATH")
        return
    line = [
        git,
        "-c",
        "core.fsmonitor=false",
        "-C",
        str(root),
        "status",
        "--porcelain",
        "-z",
        "--ignored=matching",
        "--",
        *names,
    ]
    quiet = {**environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments
            line, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False, env=quiet
        )
    except (OSError, subprocess.TimeoutExpired):
        yield skipped("git.committed", "git did not answer")
        return
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        fix = "keep it in git, so that nothing is lost: git init"
        if "not a git repository" in said[-1]:
            yield warning("git.committed", "the workspace is not in git", fix)
        else:
            yield skipped("git.committed", f"git: {said[-1][:200]}")
        return
    changed = [os.fsdecode(entry[3:]) for entry in done.stdout.split(b"\0") if len(entry) > 3]
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        fix = "other operators and your backup lack it; look and commit: git status"
        yield warning("git.committed", f"not committed: {', '.join(changed[:_NAMED])}{more}", fix, *changed)
    else:
        yield fine("git.committed", "vault, trust list and settings are committed")


def merge_findings(root: Path, names: Sequence[str]) -> Iterator[HealthFinding]:
    """Yield files with the marks of an unfinished merge."""
    found = [path for name in names for path in _below(root / name) if _has_marks(path)]
    for path in found:
        name = path.relative_to(root).as_posix()
        fix = "merge it: provision keys merge --help" if name.endswith(".vault") else "edit it, then: git add " + name
        yield failed("git.merge-marks", f"{name} has the marks of an unfinished merge", fix, name)
    if not found:
        yield fine("git.merge-marks", "no file with the marks of an unfinished merge")


def _below(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] if path.is_file() else []


def _has_marks(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return any(line.startswith(_MARKS) for line in file)
    except (FileNotFoundError, FileProblemError):
        return False
