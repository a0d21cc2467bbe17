"""`provision check`: its table, its JSON and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run
from provision.cli.workspace import check


def test_exit_codes(workspace: Path) -> None:
    assert run(["check"]) == 0
    assert run(["check", "--strict"]) == 10, "users without recipients are a warning"
    (workspace / "profiles" / "team.yaml").write_text("model: gpt-image-2\n")
    assert run(["check"]) == 10


def test_problems_of_one_rule_are_cut_and_counted(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = "".join(f"  - {{id: u{n}, profile: team, recipients: []}}\n" for n in range(check._SHOWN_PER_RULE + 3))
    (workspace / "inventory.yaml").write_text(f"users:\n{users}")
    assert run(["check"]) == 0
    text = capsys.readouterr().out
    assert text.count("[not-enrolled]") == check._SHOWN_PER_RULE + 1
    assert "… and 3 more warnings [not-enrolled]: --all shows them" in text
    assert text.splitlines()[-1] == "13 users, 1 distinct configuration: 13 warnings"
    assert run(["check", "--all"]) == 0
    assert capsys.readouterr().out.count("[not-enrolled]") == check._SHOWN_PER_RULE + 3


def test_the_fix_is_a_hint_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "profiles" / "team.yaml").write_text("modle: gpt-5.2\nmodel: gpt-5.2\n")
    run(["check"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index(next(line for line in lines if "[unknown-key]" in line)) + 1].startswith("    hint: ")


def test_json_has_places_and_counts(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "inventory.yaml").write_text("users:\n  - {id: ada, profile: taem, recipients: []}\n")
    assert run(["check", "-f", "json"]) == 10
    found = json.loads(capsys.readouterr().out)
    assert (found["users"], found["refused"], found["counts"]["errors"]) == (0, ["ada"], 1)
    (problem,) = [p for p in found["problems"] if p["severity"] == "error"]
    assert (problem["file"], problem["line"]) == ("inventory.yaml", 2)
