"""What a command gets from the options before its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.context import Run


def test_the_workspace_is_found_from_a_folder_inside_or_named(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace / "profiles")
    assert Run().open_workspace().root == workspace
    monkeypatch.chdir(tmp_path)
    assert Run(workspace=workspace).open_workspace().root == workspace


def test_problems_of_the_settings_are_returned_not_raised(workspace: Path) -> None:
    (workspace / "provision.toml").write_text("bundle_dyas = 3\n")
    found, problems = Run().read_workspace()
    assert found.root == workspace
    assert [problem.rule for problem in problems] == ["unknown-key"]


def test_file_names_are_valid_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Run().path_prefix(tmp_path) == ""
    assert Run().path_prefix(tmp_path / "a" / "b") == "a/b/"
    assert Run().path_prefix(tmp_path.parent) == f"{tmp_path.parent}/"


def test_who_sees_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run in (Run(), Run(verbose=True), Run(quiet=True, verbose=True)):
        run.say("remark")
        run.detail("detail\x1b")
        run.result("result\n")
    captured = capsys.readouterr()
    assert captured.out == "result\n" * 3
    assert captured.err == "remark\nremark\ndetail\\x1b\n"


def test_a_result_in_a_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run().result("text\n", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "text\n"
    assert capsys.readouterr() == ("", f"wrote {tmp_path / 'out'}\n")
