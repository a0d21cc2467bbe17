"""What the system refuses, by the real program: closed streams, a full disk, a folder that is gone, root without its rights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROVISION = f"{sys.executable} -m provision"
ROOT_ONLY = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", "-c", line], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", ["schema profile", "--help", "models"])
@pytest.mark.parametrize("stdout", [">&-", ">/dev/full"])
def test_results_that_cannot_be_written(command: str, stdout: str, tmp_path: Path) -> None:
    done = shell(f"{PROVISION} init -q w && cd w && {PROVISION} {command} {stdout}", tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: cannot write standard output: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_errors_do_not_take_the_place_of_results(tmp_path: Path) -> None:
    done = shell(f"{PROVISION} show nobody 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    done = shell(f"{PROVISION} init -q w <&- && {PROVISION} -w w check <&-", tmp_path)
    assert "bug" not in done.stderr
    assert done.returncode in {0, 10}, done.stderr


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    for command in ("check", "audit .", "checklist .", "keys list"):
        done = shell(f"mkdir -p ../gone && cd ../gone && rmdir ../gone && {PROVISION} {command}", tmp_path / "gone")
        assert "bug in provision" not in done.stderr, (command, done.stderr)
        (tmp_path / "gone").mkdir(exist_ok=True)


@ROOT_ONLY
@pytest.mark.programs("setpriv")
def test_root_without_the_right_to_become_a_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 1234, 1234)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o022 and folder != Path("/tmp"):
            folder.chmod(0o755)
    bare = "setpriv --bounding-set=-all --inh-caps=-all"
    done = shell(f"{bare} {PROVISION} status --home {home}", tmp_path)
    assert "bug in provision" not in done.stderr
    assert done.returncode == 1
