"""Random text without a name: keys are found although they contain words by chance, identifiers are not."""

from __future__ import annotations

import base64
import random
import string

import pytest

from provision.detect.entropy import HINT, case_changes, character_kinds, looks_random, word_share

CHANCE = random.Random(20)


def accepted(value: str) -> bool:
    assert HINT.accept is not None
    return HINT.accept(value.encode())


def test_of_thousands_of_random_keys_nearly_all_are_accepted() -> None:
    keys = [base64.urlsafe_b64encode(CHANCE.randbytes(32)).rstrip(b"=").decode() for _ in range(3000)]
    assert (
        sum(not accepted(key) for key in keys) <= 1
    )  # more than 15 when the limit of words does not depend on the case


def test_a_key_with_chance_words_is_accepted() -> None:
    body = "7Qx-" + "Kettle" + "q9Zr" + "Motor" + "W2pLx" + "Nest" + "hT8vBkYzQ3"
    assert accepted(body)
    assert word_share(body) > 0.2


@pytest.mark.parametrize(
    "value",
    [
        "Cryptography_HAS_POLY1305_AEAD",
        "Cryptography_HAS_PKCS12_SET_MAC",
        "TargetTracking-my-asg-AlarmHigh-139f9789-37b9-42ad-bea5-b5b147d7f473",
        "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06",
        "getAccessTokenFromRequestAndOtherParts",
        "PyArray_OverflowMultiplyList",
        "5f4dcc3b5aa765d61d8327deb882cf99aabbccdd",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789",
        "DB-GJMF75LM42IL6BTFRE4UZJ5YM4",
    ],
)
def test_identifiers_and_hashes_are_not_accepted(value: str) -> None:
    assert not accepted(value)


def test_letters_alone_need_many_changes_of_case() -> None:
    letters = "".join(CHANCE.choices(string.ascii_letters, k=40))
    assert case_changes(letters) >= 0.35
    assert accepted(letters)
    assert not accepted("WQxkvzjqWBFGHXkvzqjpwZTRKDHXqvkjzwXPBDFG")


def test_case_changes_ignore_everything_but_letters() -> None:
    assert case_changes("a1B2c3D") == 1.0
    assert case_changes("camelCase") == pytest.approx(2 / 8)
    assert case_changes("12") == case_changes("x") == 0.0


def test_kinds_of_characters() -> None:
    assert [character_kinds(value) for value in ("", "abc", "aB", "aB3", "aB3-")] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("value", ["5cb67121098433cc95c83c087dde11fe", "0cac7d17bf6deebe2ded0a152b8effea"])
def test_hexadecimal_text_with_chance_runs_and_words_looks_random(value: str) -> None:
    assert looks_random(value)


@pytest.mark.parametrize("value", ["0123456789abcdef0123456789abcdef", "0" * 32, "1111222233334444aaaabbbbccccdddd"])
def test_rows_of_digits_do_not_look_random(value: str) -> None:
    assert not looks_random(value)
