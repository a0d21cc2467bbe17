"""Secrets in terminal output: as text, on the screen, and while they are being written."""

from __future__ import annotations

import pytest
from redactcraft import aisa_key, opaque, session

from provision.redact.terminal.output_scanner import OutputScanner, RecordingScanner, lay_covers

KEY = aisa_key("scanner")
FLEET_KEY = opaque("scanner", 36)


def test_a_key_painted_in_pieces_is_found_with_the_origins_of_its_letters() -> None:
    scanner = OutputScanner(session(), 80, 4)
    output = "".join(f"\x1b[2;{at + 1}H{KEY[at : at + 10]}" for at in reversed(range(0, len(KEY), 10)))
    [found] = {each.first_origin: each for each in scanner.take(output)}.values()
    assert "".join(output[origin] for origin in found.origins) == KEY
    assert list(scanner.matches_in_text()) == []


def test_a_key_that_is_erased_before_it_is_seen_is_found_in_the_text() -> None:
    scanner = OutputScanner(session(), 80, 4)
    output = f"{KEY}\x1b[2K\r\n"
    list(scanner.take(output))
    [found] = scanner.matches_in_text()
    assert found.origins == list(range(len(KEY)))
    assert scanner.unread == 0


@pytest.mark.parametrize(
    ("output", "hidden"),
    [
        ("echo sk-" + "aisa-Ab3", "Ab3"),
        ("export API_TOKEN=hunter", "hunter"),
        ("password: tr0ub", "tr0ub"),
        ("gh" + "p_1a2B", "1a2B"),
        ("-----BEGIN PRIVATE KEY-----\r\nMIIEab+/", "MIIEab+/"),
        ("the tokens are", ""),
        ("ask-me", ""),
        ("TOKEN=$VALUE", ""),
    ],
)
def test_the_beginning_of_a_secret_before_the_cursor(output: str, hidden: str) -> None:
    scanner = OutputScanner(session(), 80, 4)
    list(scanner.take(output))
    assert "".join(output[origin] for origin in sorted(scanner.unfinished())) == hidden


def test_a_recording_covers_a_key_from_its_first_letter() -> None:
    used = session(FLEET_KEY)
    recording = RecordingScanner(used, 80, 4, "demo")
    output = f"$ {FLEET_KEY}\r\n"
    for character in output:
        recording.take(character)
    covers = recording.covers(str)
    assert sorted(covers) == list(range(2, 2 + len(FLEET_KEY)))
    assert lay_covers(output, 0, covers).startswith("$ [REDACTED:known-key#")
    assert [(place.where, place.owner) for place in used.notes.places] == [("2", "user0")]


@pytest.mark.parametrize(
    "between", ["\x9b31m", "\udc9b1;31m", "\x9d0;title\x9c", "\udc9d2;title\udc9c", "\x9d8;;https://x.example\x07"]
)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_key_that_control_characters_of_one_character_divide_is_covered(between: str, size: int) -> None:
    recording = RecordingScanner(session(), 80, 4, "demo")
    output = f"a {KEY[:20]}{between}{KEY[20:]} b\r\n"
    for at in range(0, len(output), size):
        recording.take(output[at : at + size])
    shown = lay_covers(output, 0, recording.covers(str)).replace(between, "")
    assert shown.startswith("a [REDACTED:aisa-key#")
    assert len(shown) == len(f"a {KEY} b\r\n")
    assert shown.endswith("* b\r\n")


def test_a_key_that_grows_while_it_is_typed_is_covered_to_its_end() -> None:
    recording = RecordingScanner(session(), 80, 4, "demo")
    for character in f"$ {KEY}":
        recording.take(character)
    assert sorted(recording.covers(str)) == list(range(2, 2 + len(KEY)))


def test_covers_keep_the_number_of_bytes() -> None:
    assert lay_covers("aäb", 10, {10: "*", 11: "x", 12: "y", 99: "z", 3: "z"}) == "***y"
    assert lay_covers("aäb", 10, {}) == "aäb"


def test_a_letter_that_the_terminal_repeats_is_covered_with_the_letter_it_repeats() -> None:
    scanner = OutputScanner(session(), 80, 4)
    found = list(scanner.take(f"{KEY}\x1b[2b\r\n"))
    longest = max(found, key=lambda each: len(each.origins))
    assert longest.origins == [*range(len(KEY)), len(KEY) - 1, len(KEY) - 1]
    assert sorted(longest.covers(session())) == list(range(len(KEY)))
