"""`provision --help` against `python -c "import typer"`, the floor of any typer program, alternating in one run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest


def _seconds(folder: Path, *arguments: str) -> float:
    """In a folder without sources, so that what is installed (and compiled) is measured, as a user meets it."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


@pytest.mark.bench
def test_help_starts_within_1_2_times_of_importing_typer(tmp_path: Path) -> None:
    help_, floor = [], []
    for _ in range(15):
        floor.append(_seconds(tmp_path, "-c", "import typer"))
        help_.append(_seconds(tmp_path, "-m", "provision", "--help"))
    ratio = min(help_) / min(floor)  # the fastest of each: other processes only make a run slower
    print(f"\n--help {min(help_):.3f} s, import typer {min(floor):.3f} s, ratio {ratio:.2f}")
    assert ratio <= 1.2
