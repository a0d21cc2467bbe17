"""Environments and command lines, from a folder in the form of `/proc`."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from leakcraft import match

from provision.audit.sources.processes import FoundProcess, list_processes, read_process, read_user_variables
from provision.containers.blob import Blob, MatchPosition, Unreadable


def test_variables_are_named_and_line_breaks_in_values_stay_in_their_variable(tmp_path: Path) -> None:
    folder = tmp_path / "12"
    folder.mkdir()
    (folder / "environ").write_bytes(b"A=1\0KEY=two\nlines\0LAST=x\0")
    (folder / "cmdline").write_bytes(b"run\0--key\0abc\0")
    environ, command = read_process(12, tmp_path)
    assert isinstance(environ, Blob)
    assert isinstance(command, Blob)
    assert environ.data == b"A=1\nKEY=two lines\nLAST=x\n"
    assert environ.locate is not None
    assert environ.locate(match("lines", start=12)) == MatchPosition("pid 12:KEY")
    assert environ.locate(match("x", start=23)) == MatchPosition("pid 12:LAST")
    assert command.data == b"run --key abc "
    assert command.locate is not None
    assert command.locate(match("abc", start=10)) == MatchPosition("pid 12:command line")


def test_a_process_that_has_ended_holds_nothing(tmp_path: Path) -> None:
    assert list(read_process(13, tmp_path)) == []


def test_the_users_other_processes_in_order(tmp_path: Path) -> None:
    for name in ("10", "9", "self", str(os.getpid())):
        (tmp_path / name).mkdir()
    assert list(list_processes(tmp_path)) == [FoundProcess(9), FoundProcess(10)]


def test_what_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (unread,) = list_processes(tmp_path / "none")
    assert unread == Unreadable("processes", "running processes cannot be listed here: ps is missing or fails")
    monkeypatch.setattr(sys, "platform", "win32")
    (unread,) = list_processes(tmp_path / "none")
    assert isinstance(unread, Unreadable)
    assert "Windows does not show the variables of running processes" in unread.reason


def test_the_stored_variables_of_a_windows_user(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [("Path", "C:\\x"), ("OPENAI_API_KEY", "sk-not-a-real-key"), ("N", 3)]
    registry = SimpleNamespace(
        HKEY_CURRENT_USER="HKCU",
        OpenKey=lambda root, name: contextlib.nullcontext((root, name)),
        QueryInfoKey=lambda key: (0, len(values), 0),
        EnumValue=lambda key, number: (*values[number], 1),
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    (blob,) = read_user_variables()
    assert isinstance(blob, Blob)
    assert blob.data == b"Path=C:\\x\nOPENAI_API_KEY=sk-not-a-real-key\nN=3"
    assert blob.locate is not None
    position = blob.locate(SimpleNamespace(start=blob.data.index(b"sk-not")))  # type: ignore[arg-type]
    assert position.where == "OPENAI_API_KEY"
