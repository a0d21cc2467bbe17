"""Keys in text as OCR gives it: found although misread, and nothing else taken for one."""

from __future__ import annotations

import random

import picturecraft
import pytest

from provision.redact.pictures.lookalike import find_keys, key_forms_of, random_words
from provision.redact.pictures.named_values import find_named_values

MISREAD = {
    "as it is": lambda key: key,
    "capital I for l": lambda key: key.replace("aisa", "aIsa"),
    "one for i": lambda key: key.replace("aisa", "a1sa"),
    "lost dashes": lambda key: key.replace("sk-aisa-", "skaisa"),
    "underscores for dashes": lambda key: key.replace("sk-aisa-", "sk_aisa_"),
    "S and five": lambda key: key.replace("sk-aisa-", "5k-ai5a-"),
    "one letter wrong": lambda key: key.replace("sk-aisa-", "sk-aiea-"),
    "one letter too many": lambda key: key.replace("sk-aisa-", "sk-aiisa-"),
    "a space for the first dash": lambda key: key.replace("sk-aisa-", "sk aisa-"),
}


def aisa(seed: int) -> str:
    return picturecraft.aisa_key(random.Random(seed))


@pytest.mark.parametrize("misread", MISREAD)
@pytest.mark.parametrize("seed", range(8))
def test_a_misread_prefix_is_still_one(misread: str, seed: int) -> None:
    key = MISREAD[misread](aisa(seed))
    for before, after in (("", ""), ("AISA_API_KEY=", ""), ('api_key: "', '"'), ("Bearer ", " ok")):
        [hit] = find_keys(before + key + after)
        assert (before + key + after)[hit.start : hit.end] == key


def test_a_space_inside_a_key_is_an_overlooked_underscore() -> None:
    key = "sk-" + "aisa-" + "k3Jd9QpZ7wLmN2xRvT4cY8hB" + " " + "G5sFqX1zK6uA0eWoHnM9"
    [hit] = find_keys(f"key {key} was created")
    assert (hit.start, hit.end) == (4, 4 + len(key))


def test_a_lost_space_does_not_cover_the_next_word() -> None:
    key = "sk-" + "aisa-" + "k3Jd9QpZ7wLmN2xRvT4cY8hBaG5sFqX1zK6uA0eWoHn"
    [hit] = find_keys(f"{key}wascreated")
    assert hit.end == len(key) == 51


@pytest.mark.parametrize("key", ["gh" + "p_k3Jd9QpZ7wLmN2xRvT4cY8hBaG5sFqX1zK6u", "AK" + "IA2J5XQWZ7TNB4RKVY"])  # fmt: skip
def test_other_kinds_of_keys_are_known_by_their_prefixes(key: str) -> None:
    [hit] = find_keys(f"token {key} end")
    assert (hit.start, hit.end) == (6, 6 + len(key))


def test_a_key_of_capitals_is_found_after_a_word_without_the_space_between() -> None:
    key = "AK" + "IA2J5XQWZ7TNB4RKVY"
    [hit] = find_keys(f"mykeyis{key}, please")
    assert (hit.start, hit.end) == (7, 7 + len(key))
    assert find_keys(f"MYKEYIS{key}") == []


@pytest.mark.parametrize(
    "text",
    [
        "sk-aisa-...",
        "sk-aisa-xxxxxxxxxxxxxxxxxxxx",
        "sk-aisa-YOUR_KEY_HERE",
        "ask aisa about the task-list",
        "risk-averse disk-usage task-manager-with-a-long-name",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "request 9e967211-8401-7e7f-9972-fdb74166ded1 took 15 ms",
        "base_url: https://api.aisa.one/v1/chat/completions",
        "Successfully installed pydantic-core-2.41.5 typing-extensions-4.15.0",
        "model: claude-sonnet-5 context_length: 200000",
        "AISA_API_KEY is read from the .env file",
    ],
)
def test_what_only_resembles_a_key_is_none(text: str) -> None:
    assert find_keys(text) == []
    assert list(find_named_values(text)) == []
    assert list(random_words(text)) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("APl_KEY = Zk3Jd9QpZ7wLmN2x", "Zk3Jd9QpZ7wLmN2x"),
        ("passw0rd: Tr0ub4dor&3", "Tr0ub4dor&3"),
        ('"clientSecret": "8Q~aB3kd9ZpLmN2xRv"', "8Q~aB3kd9ZpLmN2xRv"),
        ("Authorization: Bearer 7wLmN2xRvT4cY8hBaG5sFqX1", "7wLmN2xRvT4cY8hBaG5sFqX1"),
    ],
)
def test_values_beside_a_telling_name_are_found(text: str, value: str) -> None:
    hits = list(find_named_values(text))
    assert {text[h.start : h.end] for h in hits} == {value}


def test_a_random_word_without_a_name_is_a_doubt() -> None:
    word = "k3Jd9QpZ7wLmN2xRvT4cY8hBaG5sF"
    assert [f"see {word} there"[a:b] for a, b in random_words(f"see {word} there")] == [word]


def test_own_prefixes_are_found() -> None:
    kinds = key_forms_of([("acme-live-", 34)])
    [hit] = find_keys("x acme-1ive-k3Jd9QpZ7wLmN2xRvT4cY8hB y", kinds)
    assert (hit.rule, hit.start, hit.end) == ("own-key", 2, 36)
