"""`provision keys log`: which events are shown, and what a verification says."""

from __future__ import annotations

import json
from pathlib import Path

import keysmith
import pytest

from provision.cli.context import Run
from provision.cli.keys.log import _say_verified
from provision.cli.main import run
from provision.keys.events.log import verify_log


def test_an_intact_log_and_a_changed_one(operator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = operator / "events.jsonl"
    _say_verified(Run(), "events.jsonl", verify_log(log), as_result=True)
    first = capsys.readouterr().out.splitlines()
    assert first[0].startswith("the chain is intact: 2 events since ")
    assert first[-1].startswith("head ")
    log.write_text(log.read_text().replace('"who":"', '"who":"x'))
    _say_verified(Run(), "events.jsonl", verify_log(log), as_result=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("events.jsonl:1: ")
    assert "intact" not in captured.err


def test_events_about_one_user(operator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (operator / "keys.csv").write_text(f"ada,{keysmith.key().reveal()}\nbob,{keysmith.key().reveal()}\n")
    assert run(["-q", "keys", "import", "keys.csv"]) == 0
    capsys.readouterr()
    assert run(["keys", "log", "ada", "-f", "json", "--verify"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {event["user"] for event in found["events"]} == {"ada"}
    assert found["verified"]["intact"]
    assert run(["keys", "log", "ada", "-f", "ecs"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["user"]["target"]["name"] for line in lines} == {"ada"}
    assert run(["keys", "log", "--last", "1"]) == 0
    assert "showing the newest 1 events; --last 0 shows all" in capsys.readouterr().err
    assert run(["keys", "log", "zoe"]) == 3
