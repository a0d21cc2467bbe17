"""`uninstall`: what installs set goes, what is the user's stays, what was replaced comes back, secrets are listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundlecraft import NOW, Shop
from test_receipts import Machine

from provision.cli.main import run

CONFIG = """\
# my settings
display:
  compact: true   # small screen
model:
  default: my-model
  provider: openrouter
  context_length: 99000
fallback_providers:
  - provider: openrouter
    model: other
security:
  redact_secrets: false
"""
ENV = (
    "MINE=1\nCUSTOM_BASE_URL=https://elsewhere.example\n# a remark\n"
    "OPENROUTER_API_KEY=sk-or-v1-0123456789abcdef0123456789abcdef\n"
)


@pytest.fixture
def shop() -> Shop:
    return Shop(users=("ada",))


@pytest.fixture
def ada(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path / "ada", shop, "ada")
    machine.home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(machine.folder))
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(machine.config.root))
    return machine


def uninstall(machine: Machine, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run(["uninstall", "--home", str(machine.home), "--format", "json", *arguments])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def settings(machine: Machine) -> dict[str, Any]:
    found = yaml.safe_load((machine.home / "config.yaml").read_text())
    found.pop("_config_version", None)
    return found  # type: ignore[no-any-return]


def test_a_home_is_as_before_but_for_secrets(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (ada.home / "config.yaml").write_text(CONFIG)
    (ada.home / ".env").write_text(ENV)
    ada.install()
    assert settings(ada)["model"]["default"] == "gpt-5.2"
    key = ada.shop.keys["ada"].reveal()
    assert key in (ada.home / ".env").read_text()

    before = {path: path.read_bytes() for path in ada.home.rglob("*") if path.is_file()}
    code, found = uninstall(ada, "--dry-run", capsys=capsys)
    assert code == 0
    assert {path: path.read_bytes() for path in ada.home.rglob("*") if path.is_file()} == before

    code, found = uninstall(ada, capsys=capsys)
    assert (code, found["schema"]) == (0, "provision/uninstall/v1")
    assert settings(ada) == yaml.safe_load(CONFIG)
    text = (ada.home / "config.yaml").read_text()
    assert text.startswith("# my settings\n")
    assert "compact: true   # small screen" in text
    env = (ada.home / ".env").read_text()
    assert key not in env
    assert "MINE=1\n" in env
    assert "# a remark\n" in env
    assert not (ada.home / ".provision").exists()
    assert any("CUSTOM_BASE_URL" in each["where"] for each in found["not_restored"] if each["file"] == ".env")
    assert all(key not in json.dumps(each) for each in found["not_restored"])

    code, _ = uninstall(ada, capsys=capsys)
    assert code == 1, "nothing is installed any more"


def test_a_home_that_had_nothing_has_nothing_again(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    ada.install()
    (ada.home / "SOUL.md").write_text("mine")
    assert uninstall(ada, capsys=capsys)[0] == 0
    assert [path.name for path in ada.home.iterdir()] == ["SOUL.md"]


def test_what_the_user_changed_since_stays(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (ada.home / "config.yaml").write_text(CONFIG)
    ada.install()
    path = ada.home / "config.yaml"
    path.write_text(path.read_text().replace("gpt-5.2", "chosen-since").replace("compact: true", "compact: false"))
    env = ada.home / ".env"
    env.write_text(env.read_text().replace("TEAM=engineering", "TEAM=mine") + "LATER=2\n")
    code, found = uninstall(ada, capsys=capsys)
    assert code == 0
    assert settings(ada)["model"]["default"] == "chosen-since"
    assert settings(ada)["display"] == {"compact": False}
    assert env.read_text() == "TEAM=mine\nLATER=2\n"
    assert "model.default" in [each["where"] for each in found["not_restored"]]


def test_the_first_values_come_back_after_several_installs(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import timedelta

    (ada.home / "config.yaml").write_text(CONFIG)
    ada.install()
    path = ada.home / "config.yaml"
    path.write_text(path.read_text().replace("gpt-5.2", "tried-in-between"))
    ada.now = ada.shop.now = NOW + timedelta(days=1)
    ada.install()
    assert settings(ada)["model"]["default"] == "gpt-5.2"
    assert uninstall(ada, capsys=capsys)[0] == 0
    assert settings(ada)["model"]["default"] == "my-model"


def test_keys_and_address_of_the_machine_go(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    ada.install()
    (ada.config.root / "pull.json").write_text("{}")
    assert uninstall(ada, capsys=capsys)[0] == 0
    assert not (ada.config.root / "pull.json").exists()
    assert ada.config.identity.exists()
    ada.install()
    assert uninstall(ada, "--keys", capsys=capsys)[0] == 0
    left = [path.name for path in ada.config.root.iterdir() if not path.name.startswith(".")]
    assert not {"identity.txt", "endpoint_key", "allowed_signers"} & set(left)


def test_copies_of_the_key_in_hermes_profiles_go(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    ada.install()
    profile = ada.home / "profiles" / "blue"
    profile.mkdir(parents=True)
    (profile / ".env").write_text(f"OTHER=1\nMY_COPY={ada.shop.keys['ada'].reveal()}\n")
    code, found = uninstall(ada, capsys=capsys)
    assert code == 0
    assert (profile / ".env").read_text() == "OTHER=1\n"
    assert "profiles/blue/.env: MY_COPY" in found["removed"]


def test_the_url_of_a_job_comes_back(ada: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    path = ada.home / "cron" / "jobs.json"
    path.parent.mkdir()
    path.write_text('{"jobs": [{"id": "j", "provider": "custom", "base_url": "https://api.aisa.example/v1"}]}')
    before = path.read_bytes()
    ada.install()
    assert json.loads(path.read_text())["jobs"] == [{"id": "j", "provider": None, "base_url": None}]
    code, found = uninstall(ada, capsys=capsys)
    assert (code, path.read_bytes()) == (0, before)
    assert found["restored"] == ["cron/jobs.json: jobs[0].base_url", "cron/jobs.json: jobs[0].provider"]
