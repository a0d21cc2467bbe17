"""`profiles new --from-home`: a profile that does what a home does, without its keys and what belongs to its machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from seeded import token_hex

from provision.cli.main import run

KEY = "sk-aisa-" + token_hex(22)[:43]
CONFIG = """
model: {default: gpt-5.2, provider: custom, base_url: https://api.aisa.one/v1, api_key: <key>, context_length: 200000}
display: {compact: off, skin: mono}
terminal: {backend: local, cwd: HOME/work, timeout: 180}
security: {redact_secrets: false}
auxiliary: {vision: {provider: openrouter, model: x/y, timeout: 30}}
fallback_providers:
  - {provider: custom, model: deepseek-v4-pro, base_url: https://api.aisa.one/v1}
  - {provider: openrouter, model: x/y}
mcp_servers:
  github: {command: npx, env: {TOKEN: GH}}
  docs: {url: https://mcp.corp.example/docs}
providers: {other: {api: https://other.example/v1, api_key: <key>}}
_config_version: 33
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    assert run(["init", str(tmp_path / "ws")]) == 0
    monkeypatch.chdir(tmp_path / "ws")
    return tmp_path / "ws"


def home_of(folder: Path, config: str, env: str = "") -> Path:
    home = folder / ".hermes"
    home.mkdir(parents=True)
    text = config.replace("<key>", KEY).replace("GH", "ghp_" + token_hex(18)).replace("HOME", str(folder))
    (home / "config.yaml").write_text(text)
    (home / ".env").write_text(env.replace("<key>", KEY))
    return home


def test_a_profile_from_a_home_that_works(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = home_of(workspace.parent / "ada", CONFIG, "TERMINAL_TIMEOUT=90\nOTHER_API_KEY=<key>\nPLACE=/home/ada/x\n")
    before = {path: path.read_bytes() for path in home.iterdir()}
    assert run(["profiles", "new", "--from-home", str(home), "--dry-run"]) == 0
    assert not (workspace / "profiles" / "ada.yaml").exists()
    capsys.readouterr()
    assert run(["profiles", "new", "--from-home", str(home), "--format", "json"]) == 0
    told = capsys.readouterr()
    assert KEY not in told.out + told.err
    found = json.loads(told.out)
    assert found["schema"] == "provision/profiles-new/v1"
    text = (workspace / "profiles" / "ada.yaml").read_text()
    assert KEY not in text
    assert "ghp_" not in text
    assert yaml.safe_load(text) == {
        "model": "gpt-5.2",
        "base_url": "https://api.aisa.one/v1",
        "api_mode": "chat_completions",
        "context_length": 200000,
        "fallback_models": ["deepseek-v4-pro"],
        "hermes": {
            "display": {"compact": False, "skin": "mono"},
            "terminal": {"backend": "local", "timeout": 180},
            "auxiliary": {"vision": {"timeout": 30}},
            "mcp_servers": {"docs": {"url": "https://mcp.corp.example/docs"}},
        },
        "env": {"TERMINAL_TIMEOUT": "90"},
    }
    left = {each["where"] for each in found["left_out"]}
    assert left == {
        "terminal.cwd", "security.redact_secrets", "auxiliary.vision.provider", "auxiliary.vision.model",
        "fallback_providers[1]", "mcp_servers.github", "providers.other", ".env: OTHER_API_KEY", ".env: PLACE",
    }  # fmt: skip
    assert "mcp.corp.example" in told.err, "what leaves beside the main route is said"
    assert {path: path.read_bytes() for path in home.iterdir()} == before
    assert run(["profiles", "new", "--from-home", str(home)]) == 2, "a profile is never replaced"
    (workspace / "inventory.yaml").write_text("users:\n  - {id: ada, profile: ada, recipients: []}\n")
    assert run(["check"]) == 0


@pytest.mark.parametrize(
    ("config", "env", "url", "mode"),
    [
        (
            ("model: {default: claude-sonnet-5, provider: 'custom:aisa'}\n"
            "providers: {aisa: {api: https://api.aisa.one, key_env: AISA_API_KEY, api_mode: anthropic_messages}}\n"),
            "AISA_API_KEY=<key>\n", "https://api.aisa.one", "anthropic_messages",
        ),
        (
            ("model: {default: gpt-5.3-codex, provider: 'custom:x'}\n"
            "providers: {x: {api: https://api.aisa.one/v1/, api_key: <key>, api_mode: codex_responses}}\n"),
            "", "https://api.aisa.one/v1", "codex_responses",
        ),
    ],
    ids=["messages", "responses"],
)  # fmt: skip
def test_other_modes(config: str, env: str, url: str, mode: str, workspace: Path) -> None:
    home = home_of(workspace.parent / "bo", config, env)
    assert run(["profiles", "new", "team", "--from-home", str(home)]) == 0
    found = yaml.safe_load((workspace / "profiles" / "team.yaml").read_text())
    assert (found["base_url"], found["api_mode"]) == (url, mode)


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ("", 1, "it is not known where this home sends its requests"),
        ("model: {default: gpt-5.2, provider: openrouter, api_key: <key>}\n", 1, ""),
        ("model: {default: gpt-5.2, provider: custom, base_url: https://x.example, api_key: <key>}\n", 1, "not a gateway host"),
    ],
    ids=["nothing", "another provider", "another host"],
)  # fmt: skip
def test_homes_that_give_no_profile(
    config: str, code: int, said: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(workspace.parent / "cy", config)
    assert run(["profiles", "new", "--from-home", str(home)]) == code
    told = capsys.readouterr()
    assert said in told.err
    assert KEY not in told.out + told.err
    assert not (workspace / "profiles" / "cy.yaml").exists()
    assert run(["profiles", "new", "--from-home", str(workspace / "nothing")]) == 3


def test_settings_of_a_profile_change_in_place(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workspace / "profiles" / "base.yaml"
    for user in ("ada", "bob"):
        assert run(["users", "add", user, "--profile", "engineering" if user == "ada" else "support"]) == 0
    before = path.read_text()
    change = ("profiles", "set", "base", "api_mode=codex_responses", "context_length=128000")
    capsys.readouterr()
    assert run([*change, "--dry-run"]) == 0
    assert capsys.readouterr().out == "ada\nbob\n"
    assert path.read_text() == before
    assert run([*change]) == 0
    wanted = before.replace("chat_completions", "codex_responses").replace(
        "context_length: null", "context_length: 128000"
    )
    assert path.read_text() == wanted
    assert run([*change]) == 0
    for refused in ("model=true", "base_url=https://evil.example/v1", "extends=base", "nonsense=1", f"model={KEY}"):
        assert run(["profiles", "set", "base", "description=new", refused]) != 0
        assert path.read_text() == wanted
    told = capsys.readouterr()
    assert KEY not in told.out + told.err
    assert run(["profiles", "set", "bace", "model=gpt-5.2"]) == 3
