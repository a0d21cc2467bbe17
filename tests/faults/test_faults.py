"""Writing commands whose writes fail or kill them; see fault_driver.py for what is checked, docs/security.md for the long run."""

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

FOLDER = Path(__file__).resolve().parent
QUICK = ("import", "publish", "receipts", "batch", "enroll", "install", "undo", "redact", "order")
"""Scenarios of every run: one for each way to write. Kills of rotations and of rendering have tests of their own."""

pytestmark = [
    pytest.mark.programs("cc"),
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD, and RENAME_EXCHANGE"),
]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    words = [
        shutil.which("cc") or "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Werror",
        "-o",
        made,
        FOLDER / "shim.c",
        "-ldl",
    ]
    subprocess.run(words, check=True, timeout=60)
    return made


def faults(shim: Path, folder: Path, count: str, *scenarios: str, timeout_s: int = 280) -> dict[str, Any]:
    seed = random.randrange(2**32)
    environ = os.environ | {"LD_PRELOAD": str(shim), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, FOLDER / "fault_driver.py", folder, count, str(seed), *scenarios],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert said["problems"] == [], f"seed {seed}"
    return said


ACTS = (
    *(
        "upgrade",
        "recovery-set",
        "join",
        "add-signer",
        "remove-signer",
        "revoke",
        "threshold",
        "renew",
        "sign",
        "accept",
    ),
    *("approve", "order", "order-back", "order-pushed", "publish-order", "recover", "recovery-test"),
)
"""The acts of operators."""


def test_the_n_th_write_fails_or_kills(shim: Path, tmp_path: Path) -> None:
    said = faults(shim, tmp_path, "3", *QUICK)
    assert said["tried"]["kill"] >= len(QUICK)
    assert sum(said["tried"].values()) >= 2 * len(QUICK)
    assert min(said["calls"].values()) > 4, "the shim sees the writes"


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_kill_at_each_write_of_every_act_of_an_operator(shim: Path, tmp_path: Path) -> None:
    """Each leaves the old or the new state, and the same command ends where it would have without a kill."""
    said = faults(shim, tmp_path, "kills", *ACTS, timeout_s=2300)
    assert said["tried"] == {"kill": sum(said["calls"].values())}
    print(said["tried"], said["calls"])


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_write_of_every_command(shim: Path, tmp_path: Path) -> None:
    said = faults(shim, tmp_path, "all", timeout_s=7000)
    assert said["tried"]["kill"] > 1000
    print(said["tried"], said["calls"])
