"""`diff`: what render would change, and nothing after it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run


def test_a_fleet_that_was_never_rendered_has_drifted(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "-f", "json"]) == 10
    document = json.loads(capsys.readouterr().out)
    assert (document["drift"], [user["user"] for user in document["users"]]) == (True, ["ada"])
    assert not (fleet / "dist/ada").exists()


def test_a_changed_setting_is_named(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "render"]) == 0
    capsys.readouterr()
    assert run(["diff"]) == 0
    assert capsys.readouterr().out == "no drift: dist/ matches the workspace for 1 user\n"
    profile = fleet / "profiles/engineering.yaml"
    lines = [line for line in profile.read_text().splitlines() if not line.startswith("context_length:")]
    profile.write_text("\n".join([*lines, "context_length: 99999", ""]))
    assert run(["diff"]) == 10
    out = capsys.readouterr().out
    assert "context_length" in out
    assert "99999" in out
    assert "1 changed, 0 as they are" in out
    assert run(["diff", "--user", "ada"]) == 10
    assert "99999" in capsys.readouterr().out
    assert run(["diff", "--user", "ada", "-l", "ada"]) == 2
    assert run(["diff", "--user", "zoe"]) == 3
