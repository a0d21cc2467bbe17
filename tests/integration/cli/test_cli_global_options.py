"""The options of `provision` itself are understood before and behind the command's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.main import run


@pytest.mark.parametrize(
    "arguments",
    [["-q", "check"], ["check", "-q"], ["check", "--quiet"], ["check", "--strict", "-q", "-f", "table"]],
    ids=" ".join,
)
def test_quiet(workspace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code = run(arguments)
    assert code in {0, 10}
    assert capsys.readouterr().err == ""


def test_the_workspace_behind_the_command_and_below_a_group(
    operator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["show", "ada"], ["keys", "list"], ["keys", "log"]):
        assert run(command) == 1
        capsys.readouterr()
        assert run([*command, "-w", str(operator)]) == 0, capsys.readouterr().err
        assert run(["-w", "elsewhere", *command, "--workspace", str(operator)]) == 0, "the last one counts"
        capsys.readouterr()


def test_what_belongs_to_another_program_is_left_alone(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["redact", "--exec", "--", "echo", "-q", "-v", "--version"]) == 0
    assert capfd.readouterr().out.strip() == "-q -v --version"


def test_the_version_behind_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--version"]) == 0
    assert capsys.readouterr().out.startswith("provision ")


def test_the_help_of_a_command_does_not_repeat_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--help"]) == 0
    assert "--workspace" not in capsys.readouterr().out
