"""A batch of lines: lists of keys, cut keywords, private keys, and what the last line carries over."""

from __future__ import annotations

from detectcraft import aisa_key

from provision.detect.detector import Detector
from provision.detect.stream.batch import LineBatch
from provision.detect.stream.carry_over import CarryOver

KEY = aisa_key()
DETECTOR = Detector()
SURE = frozenset(index for index, word in DETECTOR.prefixes.items() if word in DETECTOR.sure)


def decided(text: str, context: str = "") -> tuple[str, CarryOver]:
    state = CarryOver(DETECTOR, SURE)
    data = (context + text).encode()
    batch = LineBatch(state, data, len(context.encode()), DETECTOR.scan_window(data))
    batch.run()
    shown = bytearray(data)
    for start, end, _ in batch.masks():
        assert start >= len(context.encode()), "the context was decided before"
        shown[start:end] = b"*" * (end - start)
    return shown[len(context.encode()) :].decode(), state


def test_a_key_within_a_line_is_masked_and_nothing_is_carried_over() -> None:
    text, state = decided(f"key: {KEY} ok\nmore\n")
    assert text == f"key: {'*' * len(KEY)} ok\nmore\n"
    assert state.open is None


def test_the_beginning_of_a_key_at_the_end_of_the_batch_is_masked_and_carried_over() -> None:
    text, state = decided(f"$ echo {KEY[:16]}\n")
    assert text == f"$ echo {'*' * 16}\n"
    assert state.open is not None
    assert state.open.text.decode() == KEY[:16]
    assert (state.open.width, state.open.rows, state.open.whole) == (23, 1, False)


def test_a_keyword_at_a_line_end_that_no_key_follows_is_not_masked() -> None:
    text, state = decided("see sk-\nother\n")
    assert text == "see sk-\nother\n"
    assert state.open is None


def test_lines_of_the_context_are_never_masked_again() -> None:
    text, _ = decided("plain\n", context=f"key {KEY}\n")
    assert text == "plain\n"


def test_a_list_of_keys_is_masked_key_by_key() -> None:
    text, _ = decided(f"{KEY}\n{KEY}\nend\n")
    assert text == f"{'*' * len(KEY)}\n{'*' * len(KEY)}\nend\n"


def test_a_private_key_is_masked_until_its_end_and_stays_open_without_one() -> None:
    begin = f"-----BEGIN {'RSA PRIVATE'} KEY-----"
    text, state = decided(f"{begin}\n{'aB3d' * 16}\n")
    assert text.splitlines()[1] == "*" * 64
    assert state.pem is not None
    text, state = decided(f"{begin}\n{'aB3d' * 16}\n{begin.replace('BEGIN', 'END')}\nafter\n")
    assert text.endswith("\nafter\n")
    assert state.pem is None
