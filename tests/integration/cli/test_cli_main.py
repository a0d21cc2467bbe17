"""How a command line ends: exit codes, error lines, hint lines, and no value in the report of a bug."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from provision.cli import main
from provision.errors import Exit, InvalidFilesError, Place, Problem, ProvisionError


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Run a command that raises what the test puts into this list."""
    raised: list[BaseException] = []

    def tree() -> object:
        def command(*_: object, **__: object) -> None:
            raise raised[0]

        return command

    monkeypatch.setattr(main, "_tree", tree)
    return raised


def test_an_error_has_a_place_and_a_hint(ends_with: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    ends_with.append(ProvisionError("wrong \x1b[31m", hint="fix it", place=Place("a.yaml", 3, 4)))
    assert main.run([]) == 1
    assert capsys.readouterr().err == "error: a.yaml:3:4: wrong \\x1b[31m\nhint: fix it\n"


def test_an_error_without_a_hint_is_one_line(
    ends_with: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with.append(ProvisionError("wrong"))
    assert main.run([]) == 1
    assert capsys.readouterr().err == "error: wrong\n"


def test_invalid_files_list_their_problems_up_to_a_limit(
    ends_with: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with.append(InvalidFilesError(Problem("rule", f"wrong {n}", Place("a.yaml", n + 1)) for n in range(103)))
    assert main.run([]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a.yaml:1: error: wrong 0 [rule]"
    assert lines[main.MAX_PROBLEMS] == "… and 3 more"
    assert lines[-1].startswith("error: 103 errors")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["chekc"], "no such command 'chekc'. Did you mean 'check'?", "provision --help"),
        (["check", "--strcit"], "no such option: --strcit (Possible options: --strict)", "provision check --help"),
        (["show"], "missing argument 'user'", "provision show --help"),
        (
            ["check", "-f", "sarif"],
            "invalid value for '--format' / '-f': unknown format 'sarif': expected one of table, json",
            "provision check --help",
        ),
    ],
)
def test_a_wrong_command_line(
    arguments: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.run(arguments) == Exit.USAGE
    assert capsys.readouterr().err == f"error: {message}\nhint: {hint}\n"
    monkeypatch.setenv("PROVISION_ERRORS", "json")
    assert main.run(arguments) == Exit.USAGE
    fields = {"schema": "provision/error/v1", "error": "UsageError", "message": message, "hint": hint}
    assert json.loads(capsys.readouterr().err) == fields


def test_a_group_without_a_command_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["keys"]) == Exit.USAGE
    text = "".join(capsys.readouterr())
    assert "Commands:" in text
    assert "error:" not in text


def test_a_bug_is_reported_by_place_without_any_value(
    ends_with: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with.append(ValueError("sk-aisa-canary"))
    assert main.run([]) == 1
    err = capsys.readouterr().err
    assert "bug in provision (ValueError at main.py:" in err
    assert "canary" not in err


def test_the_system_names_the_file(
    ends_with: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ends_with.append(PermissionError(13, "Permission denied", str(tmp_path / "x")))
    assert main.run([]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'x'}: Permission denied\n"


@pytest.mark.parametrize(
    ("built_for", "hint"),
    [
        ("win-arm64", "use the x86-64 build of Python"),
        ("linux-x86_64 x86_64-alpine-linux-musl", "use a system with glibc"),
        ("linux-x86_64 x86_64-pc-linux-gnu", "pip install ./hermes_provision-"),
    ],
)
def test_a_missing_package_is_no_bug(
    ends_with: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    built_for: str,
    hint: str,
) -> None:
    platform, _, system = built_for.partition(" ")
    monkeypatch.setattr(main.sysconfig, "get_platform", lambda: platform)
    monkeypatch.setattr(main.sysconfig, "get_config_var", lambda _name: system)
    ends_with.append(ModuleNotFoundError("No module named 'pyrage'", name="pyrage"))
    assert main.run([]) == 1
    err = capsys.readouterr().err
    assert f"error: the package pyrage is not installed for this Python ({built_for})\n" in err
    assert f"hint: {hint}" in err
    ends_with[0] = ModuleNotFoundError("No module named 'provision.x'", name="provision.x")
    assert main.run([]) == 1
    assert "bug in provision (ModuleNotFoundError" in capsys.readouterr().err


def test_interrupts_and_exit_codes(ends_with: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    ends_with.append(typer.Abort())
    assert main.run([]) == Exit.PARTIAL
    assert capsys.readouterr().err == "interrupted\n"
    ends_with[0] = typer.Exit(Exit.FINDINGS)
    assert main.run([]) == Exit.FINDINGS


@pytest.mark.parametrize(
    ("raised", "name"), [(ValueError("sk-secret"), "UnexpectedError"), (OSError(28, "full", "x"), "ProvisionError")]
)
def test_a_crash_is_json_too(
    ends_with: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    name: str,
) -> None:
    monkeypatch.setenv("PROVISION_ERRORS", "json")
    ends_with.append(raised)
    assert main.run([]) == Exit.ERROR
    fields = json.loads(capsys.readouterr().err)
    assert (fields["schema"], fields["error"]) == ("provision/error/v1", name)
    assert "sk-secret" not in fields["message"]


@pytest.mark.parametrize(
    "refused",
    [
        OSError(5, "Input/output error"),
        OSError(28, "No space left on device"),
        PermissionError(1, "Operation not permitted"),
        FileNotFoundError(2, "No such file or directory"),
        TimeoutError("timed out"),
        OSError("something"),
        OSError(13, "Permission denied", b"/x"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
    ids=repr,
)
def test_what_the_system_refuses_is_no_bug(
    ends_with: list[BaseException], capsys: pytest.CaptureFixture[str], refused: Exception
) -> None:
    ends_with.append(refused)
    assert main.run([]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "bug in provision" not in err
    assert "None" not in err


def test_a_removed_folder_is_named(
    ends_with: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ends_with.append(FileNotFoundError(2, "No such file or directory"))
    assert main.run([]) == 1
    assert capsys.readouterr().err.startswith("error: the current folder no longer exists\nhint: ")
