from __future__ import annotations

import pytest
from detectcraft import aisa_key

from provision.detect.detector import Detector
from provision.detect.views.apart import halves_on_a_line, rest_apart

KEY = aisa_key()[:30].replace("_", "x").replace("-", "y").replace("skyaisay", "sk-aisa-") + "aB3dE5gH7jK9mN1pQ3sT5"
HEAD, REST = KEY[:30], KEY[30:]


def found(text: str) -> list[str]:
    data = text.encode()
    ranges, _ = rest_apart(data, data.find(b"sk-"), ())
    return [data[slice(*span)].decode() for span in ranges[1:]]


def test_the_rest_has_the_missing_length_and_looks_random() -> None:
    assert found(f"<b>{HEAD}</b><i>{REST}</i>") == [REST]
    assert found(f"{HEAD}\nx\nthe rest\\n{REST}") == [REST]
    assert found(f"{HEAD} \x1b[0m{REST}") == [REST]


def test_the_rest_may_be_in_several_pieces() -> None:
    assert found(f"<b>{HEAD}</b><i>{REST[:9]}</i><i>{REST[9:]}</i>") == [REST[:9], REST[9:]]
    assert found(f"a {HEAD}\n\nb {REST[:7]}\n\nc {REST[7:14]} d {REST[14:]}") == [REST[:7], REST[7:14], REST[14:]]
    assert found(f"{HEAD} x9y8z7w {REST[:9]} {REST[9:]}") == []


@pytest.mark.parametrize(
    "after",
    ["aB3dE5gH7jK9mN1pQ3sT5x", "aB3dE5gH7jK9mN1pQ3sT", "internationalizations", "\n" * 7 + REST,
     "x " * 300 + REST, "\\u0041 " + REST],
)  # fmt: skip
def test_other_text_is_no_rest(after: str) -> None:
    assert found(f"{HEAD}{'' if after[0] == chr(92) else ' '}{after}") == []


def test_it_waits_only_for_lines_in_which_a_rest_may_be() -> None:
    data = HEAD.encode()
    assert rest_apart(data + b' "\n', 0, ())[1]
    assert not rest_apart(data + b' "\n' + b"a\n" * 6, 0, ())[1]
    assert not rest_apart(data + b' "\n' + REST.encode(), 0, ())[1]
    assert not rest_apart(KEY.encode() + b' "\n', 0, ())[1]


def test_another_key_is_no_rest() -> None:
    data = f"{HEAD} {REST}".encode()
    assert len(rest_apart(data, 0, frozenset({31}))[0]) == 1


def test_halves_are_on_one_line_and_near() -> None:
    data = b"| q7Vh2LmZp0XcT9bR | k4wYs8NdJf3GuEa6 |\n"
    assert list(halves_on_a_line(data, 0, 32)) == [[(2, 18), (21, 37)]]
    assert list(halves_on_a_line(data, 0, 33)) == []
    assert list(halves_on_a_line(data.replace(b" | k", b"\nk"), 0, 32)) == []


def test_masks_cover_no_empty_range() -> None:
    data = f"{KEY}\x1b[31m\x1b[31mA=1\n".encode()
    assert all(start < end for match in Detector().scan(data) for start, end in match.spans)
