"""`deploy` before anything is contacted: the machines it would push to, and what it refuses. Pushing is tested in `bed`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.context import Run
from provision.cli.delivery import deploy
from provision.cli.main import run


def set_host(fleet: Path, host: str) -> None:
    inventory = fleet / "inventory.yaml"
    text = "".join(line for line in inventory.read_text().splitlines(True) if "host:" not in line)
    inventory.write_text(text + (f"    host: {host}\n" if host else ""))


def test_the_list_is_an_ansible_inventory(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_host(fleet, "ada-mbp.corp")
    assert run(["deploy", "--list"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["_meta"]["hostvars"]["ada"]["ansible_host"] == "ada-mbp.corp"
    assert found["profile_engineering"]["hosts"] == ["ada"]


def test_users_without_a_host_are_named_and_nothing_is_contacted(
    fleet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # no ansible-playbook is needed either
    set_host(fleet, "")
    assert run(["deploy", "-f", "json"]) == 3
    captured = capsys.readouterr()
    assert "ada: not pushed to: " in captured.err
    assert "no machine can be pushed to" in captured.err
    assert json.loads(captured.out)["not_pushed"][0]["user"] == "ada"


def test_there_is_nothing_to_resume(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_host(fleet, "ada-mbp.corp")
    assert run(["deploy", "--resume"]) == 1
    assert "hint: run without --resume" in capsys.readouterr().err


def test_users_without_a_bundle_are_sent_where_they_can_go_on(
    fleet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "ansible-playbook"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 9\n")  # never called: no user has a bundle
    program.chmod(0o755)
    monkeypatch.setattr("provision.push.engine.find_playbook_command", lambda _: program)
    inventory = fleet / "inventory.yaml"
    set_host(fleet, "ada-mbp.corp")
    recipient = (
        next(line for line in inventory.read_text().splitlines() if "age1" in line).split("age1")[1].strip("]\"' ")
    )
    with inventory.open("a") as file:
        file.write(f"  - {{id: bob, profile: engineering, host: b, recipients: [age1{recipient}]}}\n")
        file.write("  - {id: cy, profile: engineering, host: c, recipients: []}\n")
    assert run(["deploy", "-f", "json"]) == 4
    cures = {user["user"]: user["cure"] for user in json.loads(capsys.readouterr().out)["users"]}
    assert cures == {
        "ada": "run `provision render --limit ada`",
        "bob": "import a key (`provision keys import FILE`), then `provision render --limit bob`",
        "cy": "run `provision enroll` on the user's machine, add its recipient, then `provision render --limit cy`",
    }
    assert run(["render", "--limit", "ada"]) == 0, "ada's cure works"


@pytest.mark.parametrize("waves", ["x", "1,0", "200%"])
def test_wrong_waves_are_named(fleet: Path, waves: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "--waves", waves]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (fleet / ".provision/deploy.jsonl").exists()


def test_the_collection_needs_no_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["deploy", "--collection"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "galaxy.yml").is_file()


def test_many_users_who_cannot_be_pushed_to_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    deploy._report_not_pushed(Run(), [(f"u{n}", "is on Windows") for n in range(7)])
    lines = capsys.readouterr().err.splitlines()
    assert lines[:5] == [f"u{n}: not pushed to: is on Windows" for n in range(5)]
    assert lines[5:] == ["2 more users are not pushed to: they pull, or get a package"]
