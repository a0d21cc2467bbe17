"""A small workspace on disk: two users, one profile, a vault of operator 0."""

from __future__ import annotations

import shutil
from pathlib import Path

import keysmith
import pytest

from provision.cli.main import run
from provision.keys.vault.vault import Vault

ROOT = Path(__file__).parents[3]
PROFILE = "model: gpt-5.2\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fleet"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "team.yaml").write_text(PROFILE)
    shutil.copytree(ROOT / "templates", folder / "templates")
    users = "".join(f"  - {{id: {user}, profile: team, recipients: []}}\n" for user in ("ada", "bob"))
    (folder / "inventory.yaml").write_text(f"users:\n{users}")
    (folder / "provision.toml").write_text(f'operators = ["{keysmith.identity()[1]}"]\n')
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    return folder


def write_vault(folder: Path, made: Vault) -> None:
    """Store a vault of operator 0, whose identity is not on disk: commands can read it, but not open it."""
    (folder / "keys.vault").write_bytes(made.serialised())


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new workspace with a vault and the operator's identity, made by `init`."""
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "fleet"
    assert run(["--quiet", "init", str(folder)]) == 0
    users = "".join(f"  - {{id: {user}, profile: engineering, recipients: []}}\n" for user in ("ada", "bob"))
    (folder / "inventory.yaml").write_text(f"users:\n{users}")
    monkeypatch.chdir(folder)
    return folder
