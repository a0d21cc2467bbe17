"""`checklist` as a gate: exit codes and the records of the vault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.txt").write_text("how to install it\n")
    return tmp_path / "site"


def verdicts(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [item["verdict"] for item in json.loads(capsys.readouterr().out)["items"]]


def test_nothing_exposed_is_undecided_about_demo_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checklist", "site", "-f", "json"]) == 0
    assert verdicts(capsys) == ["pass", "pass", "pass", "pass", "cannot tell"]
    assert run(["checklist", "site", "--strict"]) == 10


def test_missing_and_empty_paths(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checklist", "nowhere"]) == 1
    assert "path not found: nowhere" in capsys.readouterr().err
    (folder / "index.txt").unlink()
    assert run(["checklist", "site"]) == 3
    assert "no file found in site" in capsys.readouterr().err


def test_a_current_key_of_the_vault_is_named_by_its_user(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = (tmp_path / "keys.csv").read_text().split(",")[-1].strip()
    page = fleet / "page.txt"
    page.write_text(f"export AISA_API_KEY={key}\n")
    assert run(["checklist", "page.txt", "-f", "json"]) == 10
    captured = capsys.readouterr().out
    assert key not in captured
    rotated = json.loads(captured)["items"][3]
    assert rotated["verdict"] == "fail"
    assert "ada" in rotated["evidence"][0]["message"]


def test_the_html_page_is_written_to_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checklist", "site", "-f", "html", "-o", "checklist.html"]) == 0
    assert capsys.readouterr().out == ""
    assert "could not be decided" in Path("checklist.html").read_text()
