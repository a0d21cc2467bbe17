"""A small workspace on disk: two users, one profile, a vault of operator 0."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bundlecraft import fresh_key

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
    (folder / "provision.toml").write_text("bundle_days = 90\n")
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


@pytest.fixture
def fleet(operator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The workspace of `operator` with one user, ada, whose machine has enrolled and whose key is in the vault.

    Ada's configuration folder is `machine` in tmp_path: set PROVISION_CONFIG_DIR to it to act on her machine.
    """
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    signer = (operator / "allowed_signers").read_text().strip().partition(" ")[2].partition(" ")[2]
    assert run(["--quiet", "enroll", "--user", "ada", "--signer", signer]) == 0
    snippet = capsys.readouterr().out.replace("TEAM-PROFILE", "engineering")
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    (operator / "inventory.yaml").write_text(snippet)
    (tmp_path / "keys.csv").write_text(f"user,key\nada,{fresh_key('ada').reveal()}\n")
    assert run(["--quiet", "keys", "import", str(tmp_path / "keys.csv")]) == 0
    capsys.readouterr()
    return operator
