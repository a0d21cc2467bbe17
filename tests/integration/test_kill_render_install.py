"""`render` and `install` killed at random instants leave the old or the new; see kill_driver.py for what is checked."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("kill_driver.py")
ROUNDS = 160


@pytest.mark.parametrize("what", ["render", "install"])
def test_a_kill_leaves_old_or_new(what: str, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    done = subprocess.run(
        [sys.executable, DRIVER, what, tmp_path, str(ROUNDS), str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert int(done.stdout) > ROUNDS / 3, "most kills came too late to mean anything"
