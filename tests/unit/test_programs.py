"""A program is found in the folders of PATH, never in the folder that the command happens to run in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.programs import find_program, is_store_python, own_code


def program(folder: Path, name: str) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("entry", ["", ".", "bin", "~/bin"])
def test_entries_that_depend_on_the_current_folder_do_not_count(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / "bin"):
        program(folder, "git")
    right = program(tmp_path / "usr", "git")
    monkeypatch.chdir(tmp_path)
    assert find_program("git", {"PATH": entry}) is None
    assert find_program("git", {"PATH": os.pathsep.join([entry, str(tmp_path / "usr")])}) == right


def test_a_path_is_only_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "tool")
    monkeypatch.chdir(tmp_path)
    assert find_program(path, {}) == path
    assert find_program("./tool", {}) == "./tool"
    assert find_program("./other", {}) is None


def test_what_cannot_be_run_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a" / "git").mkdir(parents=True)
    Path(program(tmp_path / "b", "git")).chmod(0o644)
    right = program(tmp_path / "c", "git")
    environ = {"PATH": os.pathsep.join(str(tmp_path / each) for each in "abc")}
    assert find_program("git", environ) == right


@pytest.mark.parametrize(
    ("asked", "there", "found"),
    [("hermes", "hermes.CMD", True), ("git.exe", "git.exe", True), ("git", "git", False), ("git", "git.txt", False)],
)
def test_windows_adds_the_endings_of_programs(
    asked: str, there: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.chdir(tmp_path)
    program(tmp_path, there)
    path = program(tmp_path / "bin", there)
    environ = {"PATH": str(tmp_path / "bin")}
    assert find_program(asked, environ) == (path if found else None)
    assert find_program(asked, {"PATH": "."}) is None


@pytest.mark.parametrize(
    ("executable", "prefix", "store"),
    [
        (r"C:\Users\ada\AppData\Local\Microsoft\WindowsApps\python.exe", r"C:\Program Files\WindowsApps\X", True),
        (
            r"C:\Users\ada\venv\Scripts\python.exe",
            r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12_x",
            True,
        ),
        (
            r"C:\Users\ada\AppData\Local\Programs\Python\Python312\python.exe",
            r"C:\Users\ada\AppData\Local\Programs",
            False,
        ),
        ("/usr/bin/python3", "/usr", False),
    ],
)
def test_the_stores_python_is_known_by_its_folder(executable: str, prefix: str, store: bool) -> None:
    assert is_store_python(executable, prefix) is store


def test_a_folder_of_the_program_that_goes_while_it_is_listed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = own_code("detect"), os.scandir

    def gone(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("engines"):
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", gone)
    left = own_code("detect")
    assert before
    assert [file for file in before if "/engines/" not in file[0]] == left
