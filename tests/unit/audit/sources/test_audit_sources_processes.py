"""Environments and command lines, from a folder in the form of `/proc`."""

from __future__ import annotations

import os
from pathlib import Path

from leakcraft import match

from provision.audit.sources.processes import FoundProcess, list_processes, read_process
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


def test_without_proc_that_is_reported(tmp_path: Path) -> None:
    assert list(list_processes(tmp_path / "none")) == [
        Unreadable("processes", "running processes can be read on Linux only")
    ]
