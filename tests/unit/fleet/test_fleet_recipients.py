"""Files of recipients, as age reads them."""

from __future__ import annotations

import pytest
from fleet_texts import ALICE, BOB

from provision.errors import Place, Problem
from provision.fleet.recipients import read_recipients


def test_recipients_and_their_places() -> None:
    found = read_recipients(f"\ufeff# team\r\n{ALICE}\r\n\r\n  {BOB}\r\n".encode(), "team.txt")
    places = {"recipients.0": Place("team.txt", 2, 1), "recipients.1": Place("team.txt", 4, 3)}
    assert found == ((ALICE, BOB), {**places, "recipients": places["recipients.0"]})


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        (b"", "no-recipients", 0),
        (b"# only a comment\n", "no-recipients", 0),
        (f"{ALICE} # x\n".encode(), "bad-recipient", 1),
        (f"{ALICE}\n {ALICE[:-1]}\n".encode(), "bad-recipient", 2),
        (b"age-secret-key-1qqq\n", "private-key", 1),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "private-key", 1),
        (b"\xff\n", "not-utf8", 1),
        (b"# x\n\x1b[2J\n", "control-character", 2),
    ],
)
def test_a_file_that_is_refused(text: bytes, rule: str, line: int) -> None:
    found = read_recipients(text, "team.txt")
    assert isinstance(found, Problem)
    assert (found.rule, found.place.line if found.place else None) == (rule, line)


def test_no_message_shows_a_private_key() -> None:
    found = read_recipients(b"AGE-SECRET-KEY-1VERYSECRET\n", "team.txt")
    assert "VERYSECRET" not in str(found)
