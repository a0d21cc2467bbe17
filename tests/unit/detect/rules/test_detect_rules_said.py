"""Several values in a sentence or a list of points."""

from __future__ import annotations

import random
import string

import pytest

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.rules.said import values_in_words

AUDIT, PUBLISHING = Detector(), Detector(policy=Policy.PUBLISHING)
FORMS = (
    "the tokens are {v} and {w}", "The API keys are {v} and {w}.", "Passwords: {v} or {w}", "our keys are `{v}`, `{w}`",
    "The passwords are {v}, {w}.", "Here are the tokens:\n{v}\n{w}\n", "Tokens:\n1. {v}\n2. {w}\n", "Secrets: {v} & {w}",
    "API keys:\r\n\r\n* {v}\r\n* {w}\r\n",
    "the old token was {v} and the new one is {w}", "my api keys: {v}; {w}", "tokens: {v}, {w}",
    "API keys: {v}, {w}",
)  # fmt: skip
MADE = random.Random(20261130)


def made() -> str:
    """A value that looks random, the same in every run."""
    return "q" + "".join(MADE.choices(string.ascii_letters + string.digits, k=24)) + "7"


@pytest.mark.parametrize("form", FORMS)
def test_each_of_several_random_values_is_found(form: str) -> None:
    for _ in range(5):
        v, w = made(), made()
        data = form.format(v=v, w=w).encode()
        for detector in (AUDIT, PUBLISHING):
            assert [data[m.start : m.end].decode() for m in detector.scan(data)] == [v, w]


@pytest.mark.parametrize("form", FORMS)
def test_ordinary_passwords_go_before_publishing(form: str) -> None:
    data = form.format(v="hunter22", w="monkey123").encode()
    assert [data[m.start : m.end] for m in PUBLISHING.scan(data)] == [b"hunter22", b"monkey123"]


@pytest.mark.parametrize(
    "text",
    [
        "The tokens are short and bound to 2 sessions.", "the keys are listed below:\n\n- the first2 key of the user\n",
        "The passwords are <first> and <second>.", "the token is expired and was replaced by another", "tokens: 12, 13\n",
        "secrets:\n\nSee chapter 3.\n",
    ],
)  # fmt: skip
def test_sentences_stay(text: str) -> None:
    assert [*AUDIT.scan(text.encode()), *PUBLISHING.scan(text.encode())] == []


def test_a_list_is_read_to_its_sixtieth_value() -> None:
    data = b"tokens are " + b", ".join(b"value-%d" % n for n in range(100))
    assert len(list(values_in_words(data, 0, 40))) == 60
