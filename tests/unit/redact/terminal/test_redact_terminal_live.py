"""Covering live output: what is shown now, what waits, and that nothing of a key gets through in any cut."""

from __future__ import annotations

import pytest
from redactcraft import aisa_key, pieces_left, session

from provision.redact.session import Session
from provision.redact.terminal.live import NoSuchCommandError, _Covering, run_masked
from provision.redact.terminal.output_scanner import OutputScanner

KEY = aisa_key("live")


def covering(used: Session | None = None) -> _Covering:
    used = used or session()
    return _Covering(OutputScanner(used, 80, 24), used, "demo")


def test_the_last_word_of_an_unfinished_line_waits() -> None:
    output = covering()
    assert output.feed(b"one two") == b"one "
    assert output.waiting
    assert output.feed(b"three\r\n") == b"twothree\r\n"
    assert not output.waiting
    assert output.feed(b"$ ") == b"$ "


@pytest.mark.parametrize("size", [1, 7, 30, 200])
def test_a_key_is_masked_in_any_cut(size: int) -> None:
    data = f"before {KEY} after\r\n".encode()
    output = covering()
    shown = b"".join(output.feed(data[at : at + size]) for at in range(0, len(data), size)) + output.end()
    assert not pieces_left(KEY, shown)
    assert len(shown) == len(data)
    assert shown.startswith(b"before ")
    assert shown.endswith(b" after\r\n")


def test_letters_that_did_not_wait_any_longer_are_stars_when_they_begin_a_key() -> None:
    output = covering()
    shown = output.feed(b"$ export TOKEN=hunter") + output.flush()
    assert shown == b"$ export TOKEN=******"
    assert output.feed(b"\r\n") == b"\r\n"


def test_a_key_that_was_shown_in_part_is_noted_once() -> None:
    used = session()
    output = covering(used)
    shown = output.feed(KEY[:12].encode()) + output.flush()
    rest = output.feed(KEY[12:].encode() + b"\r\n")
    output.feed(b"next\r\n")
    assert not pieces_left(KEY, shown + rest)
    assert rest == b"*" * (len(KEY) - 12) + b"\r\n", "a tag must not begin in the middle"
    assert used.notes.total == 1


def test_bytes_that_are_not_utf8_pass_unchanged() -> None:
    output = covering()
    data = b"\xff\xfe \xc3\xa4 \xc3"
    assert output.feed(data) + output.end() == data


def test_a_missing_command_is_an_error() -> None:
    with pytest.raises(NoSuchCommandError, match="command not found: no-such-command-here"):
        run_masked(["no-such-command-here"], session(), {"PATH": ""})
