"""A `.env` that is a named pipe (1Password provides one): never opened, never called clean, never overwritten."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from provision.cli.main import run

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / ".env", 0o600)
    return folder


def on_the_machine(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(fleet.parent / "machine"))


def test_audit_did_not_read_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(home), "-f", "json"]) == 4, "it is no home"
    found = json.loads(capsys.readouterr().out)
    assert [each["path"] for each in found["unreadable"]] == [str(home / ".env")]
    assert found["findings"] == []
    hermes = home.rename(home.with_name(".hermes"))
    (hermes / "config.yaml").write_text("model: {provider: openrouter, default: x}\n")
    (hermes / "config.yaml").chmod(0o600)
    code = run(["audit", str(hermes), "-f", "json"])
    found = json.loads(capsys.readouterr().out)
    assert {each["path"] for each in found["unreadable"]} == {str(hermes / ".env")}
    assert not any("not read" in each["message"] for each in found["findings"])
    assert code == (10 if found["findings"] else 4)


def test_the_checklist_cannot_tell(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checklist", str(home), "-f", "json"]) == 4
    items = {item["number"]: item["verdict"] for item in json.loads(capsys.readouterr().out)["items"]}
    assert items[2] == "cannot tell"


def test_install_points_to_delivery_in_memory_and_that_works(
    fleet: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-q", "render"]) == 0
    on_the_machine(fleet, monkeypatch)
    assert run(["install", str(fleet / "dist/ada"), "--home", str(home)]) == 1
    err = capsys.readouterr().err
    assert "secret_delivery: run" in err
    assert "overwritten" not in err
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(fleet.parent / "config"))
    profile = fleet / "profiles/engineering.yaml"
    profile.write_text(profile.read_text() + "\nsecret_delivery: run\n")
    assert run(["-q", "render"]) == 0
    on_the_machine(fleet, monkeypatch)
    assert run(["install", str(fleet / "dist/ada"), "--home", str(home)]) in {0, 10}, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "neither read nor changed" in out
    assert stat.S_ISFIFO((home / ".env").stat().st_mode)
    assert "x_provision" in (home / "config.yaml").read_text()


@pytest.mark.parametrize("value", ["D:\\hermes-desktop\\hermes", "~/.hermes", '"/x"', "hermes"])
def test_a_hermes_home_that_is_no_absolute_path_makes_no_folder(
    fleet: Path, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["-q", "render"]) == 0
    on_the_machine(fleet, monkeypatch)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HERMES_HOME", value)
    for command in (["install", str(fleet / "dist/ada")], ["status"], ["audit"]):
        assert run(command) == 1, command
        err = capsys.readouterr().err
        assert "HERMES_HOME is not an absolute path on this system" in err
        assert "bug" not in err
    assert list((tmp_path / "here").iterdir()) == []
