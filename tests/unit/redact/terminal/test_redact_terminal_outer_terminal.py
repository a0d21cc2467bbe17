"""The size of the terminal, and modes that are restored."""

from __future__ import annotations

import os
import signal
import termios

import pytest

from provision.redact.terminal import outer_terminal
from provision.redact.terminal.outer_terminal import (
    CursorQuestion,
    TerminalModes,
    forwarded_signals,
    set_size,
    terminal_size,
)


@pytest.fixture
def pseudo_terminal() -> object:
    master, inner = os.openpty()
    yield inner
    os.close(master)
    os.close(inner)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"COLUMNS": "132", "LINES": "50"}, (132, 50)),
        ({"COLUMNS": "132"}, (132, 24)),
        ({"COLUMNS": "wide", "LINES": "0"}, (80, 24)),
        ({"COLUMNS": "10000", "LINES": "-5"}, (80, 24)),
        ({}, (80, 24)),
    ],
)
def test_without_a_terminal_the_environment_has_the_size(
    environ: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_terminal(*_: object) -> bytes:
        raise OSError("not a terminal")

    monkeypatch.setattr(outer_terminal.fcntl, "ioctl", no_terminal)
    assert terminal_size(environ) == expected


def test_a_size_that_was_set_is_the_size(pseudo_terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    set_size(pseudo_terminal, 101, 33)
    assert os.get_terminal_size(pseudo_terminal) == (101, 33)
    real = outer_terminal.fcntl.ioctl
    monkeypatch.setattr(outer_terminal.fcntl, "ioctl", lambda _, *rest: real(pseudo_terminal, *rest))
    assert terminal_size({"COLUMNS": "5", "LINES": "5"}) == (101, 33)


def test_modes_are_restored(pseudo_terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = termios.tcgetattr(pseudo_terminal)
    real_set, real_raw = termios.tcsetattr, outer_terminal.tty.setraw
    monkeypatch.setattr(outer_terminal.termios, "tcsetattr", lambda _, *rest: real_set(pseudo_terminal, *rest))
    monkeypatch.setattr(outer_terminal.tty, "setraw", lambda _, *rest: real_raw(pseudo_terminal, *rest))
    modes = TerminalModes(before)
    modes.raw()
    assert termios.tcgetattr(pseudo_terminal)[3] & termios.ECHO == 0
    modes.restore()
    assert termios.tcgetattr(pseudo_terminal) == before


def test_a_signal_arrives_as_its_number_and_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGWINCH)
    with forwarded_signals() as descriptor:
        assert os.read(descriptor, 1)[0] == signal.SIGCHLD, "a command that ended early is not missed"
        os.kill(os.getpid(), signal.SIGWINCH)
        assert os.read(descriptor, 1)[0] == signal.SIGWINCH
    assert signal.getsignal(signal.SIGWINCH) == before


def test_the_answer_about_the_cursor_is_taken_out_of_the_keys() -> None:
    question = CursorQuestion()
    assert question.answered(b"\x1b[5;7R") == (b"\x1b[5;7R", None), "it was not asked"
    question.ask()
    assert question.answered(b"a\x1b[5") == (b"a", None)
    assert question.answered(b";7Rb") == (b"b", (6, 4))
    assert question.answered(b"\x1b[5;7R") == (b"\x1b[5;7R", None), "the next is an answer to the program"


def test_a_late_answer_reaches_nothing_and_keys_held_back_are_passed_on() -> None:
    question = CursorQuestion()
    question.ask()
    assert question.answered(b"\x1b") == (b"", None)
    assert question.give_up() == b"\x1b"
    assert question.answered(b"x\x1b[5;7Ry") == (b"xy", None)
    assert question.answered(b"\x1b[5;7R") == (b"\x1b[5;7R", None)
