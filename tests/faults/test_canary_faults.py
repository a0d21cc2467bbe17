"""No byte of a key on a full disk, in a closed pipe or after a signal but where keys belong: see canary_driver.py."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).resolve().with_name("canary_driver.py")

pytestmark = [
    pytest.mark.programs("ffmpeg"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="a full disk is a small tmpfs: root on Linux"
    ),
]


def canaries(folder: Path, count: int, *commands: str, timeout_s: int = 280) -> dict[str, Any]:
    seed = random.randrange(2**32)
    done = subprocess.run(
        [sys.executable, DRIVER, folder, str(count), str(seed), *commands],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-2000:]}"
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert said["problems"] == [], f"seed {seed}"
    return said


def test_keys_stay_where_they_belong_in_trouble(tmp_path: Path) -> None:
    assert set(canaries(tmp_path, 1, "run")["tried"].values()) == {1}


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpmbuild")
def test_keys_of_every_command_that_holds_them(tmp_path: Path) -> None:
    print(canaries(tmp_path, 3, timeout_s=7000))
