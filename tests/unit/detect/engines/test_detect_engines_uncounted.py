"""What is found without long counts is what the pattern itself finds."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from provision.detect.engines.patterns import RE2_INSTALLED, InvalidPatternError, compiled
from provision.detect.engines.uncounted import ConfirmingPattern
from provision.detect.rules.builtin import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.rule import Rule

MEMORY_BYTES = 32 << 20
pytestmark = pytest.mark.skipif(not RE2_INSTALLED, reason="without RE2 nothing is replaced")


def texts(rule: Rule, draw: random.Random) -> Iterator[bytes]:
    """A rule's examples, and the same with one of their bytes many times, with others and without a part."""
    examples = [each() if callable(each) else each for each in (*rule.examples, *rule.counter_examples)]
    for text in [each.encode() for each in examples if each]:
        yield text
        for _ in range(4):
            at, times = draw.randrange(len(text)), draw.choice([50, 59, 60, 61, 80, 248, 251, 400])
            longer = text[:at] + text[at : at + 1] * times + text[at:]
            yield longer
            yield text + draw.choice([b"\n", b" ", b""]) + longer + b"\n" + text


def spans(pattern: Any, data: bytes) -> list[list[tuple[int, int]]]:
    found, at = [], 0
    while match := pattern.search(data, at, len(data)):
        found.append([match.span(group) for group in range(pattern.groups + 1)])
        at = max(match.end(), at + 1)
    return found


@pytest.mark.parametrize("rule", BUILTIN, ids=lambda rule: rule.id)
def test_finds_what_the_pattern_finds(rule: Rule) -> None:
    pattern = rule.pattern.encode("latin-1")
    exact = compiled(pattern, memory_bytes=MEMORY_BYTES)
    ours = ConfirmingPattern(pattern, memory_bytes=MEMORY_BYTES)
    assert (ours.groups, ours.groupindex) == (exact.groups, exact.groupindex)
    for data in texts(rule, random.Random(rule.id)):
        assert spans(ours, data) == spans(exact, data), data


@pytest.mark.parametrize(
    ("pattern", "data"),
    [
        (rb"a{2,60}b", b"a" * 61 + b"b" + b"aab"),
        (
            rb"(?P<name>[a-z]{0,60}?key)=(?P<secret>\S{8,250}?);",
            b"x" * 70 + b"key=" + b"1" * 240 + b";" + b"2" * 99 + b";",
        ),
        (rb"(?:x{1,60}y){1,3}z", b"x" * 61 + b"y" + b"xyz" + b"x" * 60 + b"yz"),
        (rb"(?:(x{1,60})y)?z{1,60}", b"x" * 61 + b"yz" + b"xyz" + b"z" * 70),
        (rb"(?i:A{1,99})$", b"aA" * 60),
    ],
)
def test_counts_decide_where_they_matter(pattern: bytes, data: bytes) -> None:
    ours = ConfirmingPattern(pattern, memory_bytes=MEMORY_BYTES)
    assert ours._limits
    assert spans(ours, data) == spans(compiled(pattern), data)


@pytest.mark.parametrize(
    "pattern", [rb"(?:ab){1,99}", rb"[ab]{1,59}", rb"\Qa{1,99}\E", rb"a{60,}", rb"a{99}", rb"(?:(a{1,99})b){1,3}"]
)
def test_other_repeats_stay(pattern: bytes) -> None:
    assert not ConfirmingPattern(pattern)._limits


def test_an_expression_that_re2_refuses_is_refused() -> None:
    with pytest.raises(InvalidPatternError):
        ConfirmingPattern(rb"[ab]{1,1001}")
