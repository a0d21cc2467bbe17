"""SIGKILL at any instant of `keys import` leaves the old vault or the new one, opens, and leaves no key in clear."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import seeded

from provision.cli.main import run

DRIVER = Path(__file__).with_name("kill_keys_import_driver.py")
CANARY = "Canary"


def _keys(users: int, turn: str) -> str:
    return "".join(f"user-{n:03},sk-aisa-{CANARY}{turn}{seeded.token_urlsafe(27)}\n" for n in range(users))


@pytest.mark.skipif(os.name == "nt", reason="forks and POSIX signals")
def test_a_killed_import_leaves_the_old_or_the_new_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, workspace = tmp_path / "config", tmp_path / "workspace"
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(config))
    assert run(["init", str(workspace)]) == 0
    users = "".join(f"  - id: user-{n:03}\n    profile: engineering\n    recipients: []\n" for n in range(60))
    (workspace / "inventory.yaml").write_text(f"users:\n{users}")
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(_keys(60, "1"))
    second.write_text(_keys(60, "2"))
    assert run(["--workspace", str(workspace), "keys", "import", str(first)]) == 0

    done = subprocess.run(
        [sys.executable, str(DRIVER), str(workspace), str(second), str(config / "identity.txt"), CANARY, "160", "7"],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["bad"] == []
    assert said["killed"] >= 150
    assert said["old"] > 20, said
    assert said["new"] >= 1, said
    assert said["steps"] >= 5, said
    assert said["resumed"] >= 5, said
