"""Complete lines in order: what is carried over to the next line, and what of an unfinished line is settled."""

from __future__ import annotations

import pytest
from detectcraft import aisa_key

from provision.detect.detector import Detector
from provision.detect.stream.lines import Lines

KEY = aisa_key()
DETECTOR = Detector()


def masked(lines: Lines, text: str) -> str:
    data = bytearray(text.encode())
    for start, end, _ in lines.masks(text.encode()):
        data[start:end] = b"*" * (end - start)
    return data.decode()


def test_a_cut_key_continues_in_the_next_line() -> None:
    lines = Lines(DETECTOR)
    assert masked(lines, f"{KEY[:20]}\n") == "*" * 20 + "\n"
    assert masked(lines, f"{KEY[20:40]}\n{KEY[40:]}\nend\n") == f"{'*' * 20}\n{'*' * 11}\nend\n"


def test_a_preview_changes_nothing() -> None:
    lines = Lines(DETECTOR)
    first = f"{KEY[:20]}\n".encode()
    assert [mask[:2] for mask in lines.preview(first)] == [(0, 20)]
    assert masked(lines, f"{KEY[20:40]}\n") == f"{KEY[20:40]}\n", "the previewed line was not fed"


def test_after_other_bytes_a_cut_key_does_not_continue() -> None:
    lines = Lines(DETECTOR)
    masked(lines, f"{KEY[:20]}\n")
    lines.forget()
    assert masked(lines, f"{KEY[20:40]}\n") == f"{KEY[20:40]}\n"


@pytest.mark.parametrize(
    ("line", "settled", "stuck"),
    [
        ("plain words and", 12, False),
        ("noword", 0, False),
        ("Enter the API_KEY: ", 19, False),  # a prompt
        ("the api_key=x y", 4, True),
        (f"a {KEY} b", 2, True),
        ("x sk-abc def", 2, True),
    ],
)
def test_an_unfinished_line_is_settled_up_to_a_possible_secret(line: str, settled: int, stuck: bool) -> None:
    assert Lines(DETECTOR).settled(line.encode(), 0) == (settled, stuck)


def test_nothing_settles_while_a_key_is_open() -> None:
    lines = Lines(DETECTOR)
    lines.masks(f"{KEY[:20]}\n".encode())
    assert lines.settled(b"some words ", 5) == (5, True)


def test_nothing_settles_while_a_keyword_may_continue() -> None:
    lines = Lines(DETECTOR)
    lines.masks(b"see sk-ai\n")
    assert lines.settled(b"sa-abc words ", 0)[0] == 0
