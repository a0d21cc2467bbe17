"""`provision show`: every value with its place, secrets masked, the rendering."""

from __future__ import annotations

import json
from pathlib import Path

import keysmith
import pytest

from provision.cli.main import run
from provision.cli.workspace import show


def test_origins_and_defaults(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "profiles" / "team.yaml").write_text("model: gpt-5.2\nhermes:\n  display: {skin: mono}\n")
    assert run(["show", "ada", "-f", "json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["model"] == {"value": "gpt-5.2", "origin": "profiles/team.yaml:1:8"}
    assert settings["hermes.display.skin"] == {"value": "mono", "origin": "profiles/team.yaml:3:19"}
    assert settings["api_mode"] == {"value": "chat_completions", "origin": None}


def test_secrets_are_masked_in_values_and_rendering(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = keysmith.key("CANARY").reveal()
    (workspace / "profiles" / "team.yaml").write_text(
        f"model: gpt-5.2\nhermes:\n  web: {{auth_token: shortCANARY, note: 'uses {key}'}}\n"
    )
    run(["show", "ada"])
    run(["show", "ada", "-f", "json"])
    text = "".join(capsys.readouterr())
    assert "auth_token" in text
    assert "CANARY" not in text


def test_the_name_of_the_keys_variable_is_no_secret(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "ada"]) == 0
    assert "AISA_API_KEY" in capsys.readouterr().out
    assert show._masked("env.LANG", "C") == "C"
    assert show._masked("env.MY_TOKEN", "abcdef") != "abcdef"
    assert show._masked("tags.token", "abcdef") == "abcdef", (
        "only Hermes' settings and the environment hold values of secrets"
    )


def test_unknown_users_and_users_with_errors(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "adda"]) == 3
    assert "unknown user 'adda'" in (err := capsys.readouterr().err)
    assert "ada" in err.split("hint:")[1]
    (workspace / "inventory.yaml").write_text(
        "users:\n  - {id: ada, profile: taem, recipients: []}\n  - {id: bob, profile: team, recipients: []}\n"
    )
    assert run(["show", "ada"]) == 1
    assert "inventory.yaml:2" in capsys.readouterr().err
    assert run(["show", "bob"]) == 0
    assert capsys.readouterr().err == "note: 1 error in other workspace files; see: provision check\n"


def test_a_rendering_that_fails_is_said(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "templates" / "config.yaml.j2").write_text("{{ missing }}")
    assert run(["show", "ada"]) == 0
    assert "config.yaml cannot be rendered: " in capsys.readouterr().out
