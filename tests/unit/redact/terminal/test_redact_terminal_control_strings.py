"""Copied texts and pictures in terminal output: covered if they hold a secret or are not read, wherever the output is cut."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from redactcraft import aisa_key, opaque, session

from provision.redact.terminal.control_strings import LIMIT_CHARACTERS, ControlStrings
from provision.redact.terminal.output_scanner import RecordingScanner, lay_covers

KEY = aisa_key("strings")
OPAQUE = opaque("strings", 36)


def _copied(text: str, head: str = "\x1b]52;c;", end: str = "\x07") -> str:
    return head + base64.b64encode(text.encode()).decode() + end


SHOWN = [
    "\x1b]0;a title\x07",
    _copied("only words"),
    "\x1b]52;c;?\x07",
    "\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP$q q\x1b\\",
    "\x1b[31mred\x1b[0m",
    "\x1b_G;****\x1b\\",
]
COVERED = {
    "copied": (_copied(f"key {KEY}"), "a copied text (OSC 52) holds a secret"),
    "copied, without a prefix": (_copied(OPAQUE), "a copied text (OSC 52) holds a secret"),
    "copied by iTerm2": (_copied(KEY, "\x1b]1337;Copy=:", "\x1b\\"), "a copied text (OSC 52) holds a secret"),
    "not base64": ("\x1b]52;c;a key!\x07", "a copied text is not base64, and is not read"),
    "sixel": ("\x1bP0;0;0q#0;2;0;0;0#0~~@@vv$-\x1b\\", "a picture is not read"),
    "kitty": ("\x1b_Gf=100,a=T,m=1;AAAA\x1b\\", "a picture is not read"),
    "iTerm2": ("\x1b]1337;File=inline=1:AAAA\x07", "a picture is not read"),
    "passed through tmux": ("\x1bPtmux;\x1b\x1b]52;c;AAAA\x07\x1b\\", "data for another program is not read"),
}


_C1 = {"\x1b]": "\x9d", "\x1bP": "\x90", "\x1b_": "\x9f", "\x1b\\": "\x9c"}


def _short(string: str) -> str:
    """A string whose introducer and end are one character, as in ISO 8859 and as U+0080 to U+009F."""
    return _C1[string[:2]] + string[2:].removesuffix("\x1b\\").removesuffix("\x07") + "\x9c"


def _eight_bit(string: str) -> str:
    """The same as bytes that are no UTF-8."""
    return _short(string).encode("latin-1").decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("form", [str, _short, _eight_bit])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("name", COVERED)
def test_what_must_not_be_shown_is_covered_and_noted_once(name: str, size: int, form: Callable[[str], str]) -> None:
    string, message = form(COVERED[name][0]), COVERED[name][1]
    used = session(OPAQUE)
    strings = ControlStrings(used, "demo")
    output = f"before {string}{string}after"
    parts = [part for at in range(0, len(output), size) for part in strings.take(output[at : at + size])]
    parts += strings.take("", last=True)
    shown = "".join(part.text for part in parts if not part.covered)
    assert shown.replace("\x1b\\", "") == "before after"
    assert "".join(part.text for part in parts) == output
    assert [remark.message for remark in used.notes.left_out] == [message]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_letters_of_other_encodings_are_no_strings(size: int) -> None:
    text = "\u00e2\u20ac\x9dquoted\u00e2\u20ac\x9d 5\udc9d2 \udc9e \udc90 \udc9fx \x9d7 \x90 " + "x" * 3000
    strings = ControlStrings(session(), "demo")
    parts = [part for at in range(0, len(text), size) for part in strings.take(text[at : at + size])]
    assert "".join(part.text for part in parts) == text, "nothing waits for an end"
    assert not [part for part in parts if part.covered]


@pytest.mark.parametrize("size", [1, 1000])
def test_other_strings_pass(size: int) -> None:
    used = session()
    strings = ControlStrings(used, "demo")
    output = "".join(SHOWN)
    parts = [part for at in range(0, len(output), size) for part in strings.take(output[at : at + size])]
    assert "".join(part.text for part in parts if not part.covered) == output
    assert not used.notes.left_out


def test_a_string_without_an_end_is_kept_until_the_last_output() -> None:
    strings = ControlStrings(session(), "demo")
    assert not strings.take("\x1b]0;a tit")
    assert [part.text for part in strings.take("", last=True)] == ["\x1b]0;a tit"]


@pytest.mark.parametrize("name", COVERED)
def test_a_recording_keeps_its_length_and_is_clean_afterwards(name: str) -> None:
    output = f"before {COVERED[name][0]} after"
    for expected in (True, False):
        used = session(OPAQUE)
        recording = RecordingScanner(used, 80, 24, "demo")
        for letter in output:
            recording.take(letter)
        result = lay_covers(output, 0, recording.covers(str))
        assert (result != output) is expected
        assert bool(used.notes.left_out) is expected
        assert len(result) == len(output)
        output = result


def test_a_copied_text_without_an_end_is_covered_also_in_what_follows() -> None:
    strings = ControlStrings(session(), "demo")
    first = strings.take("\x1b]52;c;" + "A" * LIMIT_CHARACTERS + "A")
    following = strings.take(base64.b64encode(KEY.encode()).decode() + "\x07after")
    assert [part.covered for part in (*first, *following)] == [True, True, False]
    assert following[1].text == "after"
