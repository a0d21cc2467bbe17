"""A rotation that is killed anywhere ends as one that is not; what must hold meanwhile is said in kill_rotate_driver.py."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("kill_rotate_driver.py")
USERS, FEW = 50, 12
KILLS = 3
PARTS = 12


def killed(folder: Path, how: str, users: int = USERS) -> dict[str, Any]:
    seed = random.randrange(2**32)
    done = subprocess.run(
        [sys.executable, DRIVER, folder, str(users), how, str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["bad"] == [], f"seed {seed}"
    assert said["killed"] == said["runs"], said
    return said  # type: ignore[no-any-return]


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and asks /proc which file a descriptor is")
def test_a_rotation_that_is_killed_ends_as_one_that_is_not(tmp_path: Path) -> None:
    said = killed(tmp_path, str(KILLS), FEW)
    assert said["runs"] == KILLS
    assert said["steps"] > 50 * FEW


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(1, PARTS + 1))
def test_killed_at_every_kind_of_write(tmp_path: Path, part: int) -> None:
    assert killed(tmp_path, f"{part}/{PARTS}")["runs"] > 30
