"""Values of names such as `password`: secrets, passwords that users chose, and program code."""

from __future__ import annotations

import random
import re
import string

import pytest

from provision.detect.assignments import plausible_bare, plausible_quoted, prefix_pattern

CHANCE = random.Random(3)
RANDOM = "".join(CHANCE.choices(string.ascii_letters + string.digits, k=32))


@pytest.mark.parametrize("value", [RANDOM, "q7!Bx2#Kd9", "Zz7-kk-41-Bq", "h$Rr4tYvv"])
def test_random_values_and_strong_passwords_are_plausible(value: str) -> None:
    assert plausible_quoted(value.encode())


@pytest.mark.parametrize(
    "value",
    [
        "correcthorse",  # words only
        "get_token(x1)",  # code
        "os.environ.get1",
        "https://h.example/1a2b3c",
        "_pep_440_key",  # words and numbers
        "Abc1",  # short
        "x\x01y7Kd93jd8",  # not printable
    ],
)
def test_code_words_and_addresses_are_not_plausible(value: str) -> None:
    assert not plausible_quoted(value.encode())


def test_bytes_that_are_not_text_are_not_plausible() -> None:
    assert not plausible_quoted(b"a1\xff\xfeB2c3D4e5F6")


def test_a_bare_value_must_look_random() -> None:
    assert plausible_bare(RANDOM.encode())
    assert plausible_quoted(b"q7!Bx2#Kd9")
    assert not plausible_bare(b"q7!Bx2#Kd9")
    assert not plausible_bare(b"access_token_value2")


def test_the_prefix_pattern_matches_the_beginning_of_every_plausible_value() -> None:
    pattern = re.compile(prefix_pattern().encode("latin-1"))
    for _ in range(500):
        value = "".join(CHANCE.choices(string.ascii_letters + string.digits + "!$_-", k=20)).encode()
        assert pattern.match(value) or not plausible_quoted(value), value
    assert not pattern.match(b"camelCase")
    assert not re.match(prefix_pattern('"').encode("latin-1"), b'ab"1')
