"""A gateway chooses its ids and texts: no part of the key that it echoes is kept."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
import seeded

from provision.aisa.answers import clean_request_id
from provision.aisa.echoes import without_echoes

KEY = "sk-aisa-Zq3vT8mWx7RnB2kLp9YdHs4JcF6gUe1A"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"req_{KEY}", "req_sk-aisa-****"),
        (f"req_{KEY[8:16]}", "req_****"),
        (f"a{KEY[20:31].lower()}b{KEY[-8:]}", "a****b****"),
        (f"{KEY[10:18]}{KEY[10:18]}", "****"),
        (f"x{KEY[8:15]}y", f"x{KEY[8:15]}y"),  # 7 characters
        ("keys begin with sk-aisa-", "keys begin with sk-aisa-"),
        ("req_01HXYZ", "req_01HXYZ"),
        ("", ""),
    ],
)
def test_parts_of_the_key_are_masked(text: str, shown: str) -> None:
    assert without_echoes(text, KEY) == shown


def test_long_ids_are_dropped() -> None:
    assert clean_request_id("r" * 64) == "r" * 64
    assert clean_request_id("r" * 65) == ""


@pytest.mark.parametrize(
    "encoded",
    [
        str.upper,
        lambda key: key[::-1],
        lambda key: key.encode().hex(),
        lambda key: key.encode().hex(" "),
        lambda key: key.encode().hex().upper(),
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: base64.b64encode(b"Bearer " + key.encode()).decode(),
        lambda key: base64.urlsafe_b64encode(b"x" + key.encode()).decode(),
        lambda key: base64.b32encode(b"user:" + key.encode()).decode(),
        lambda key: "-".join(key[at : at + 4] for at in range(0, len(key), 4)),
        " ".join,
        lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
        lambda key: ":".join(f"{byte:02x}" for byte in key.encode()),
    ],
)
def test_an_encoded_key_is_masked(encoded: Callable[[str], str]) -> None:
    """Whatever is kept of it is shorter than what encodes 12 characters of the key."""
    for _ in range(50):
        key = "sk-aisa-" + seeded.token_urlsafe(32)
        body = encoded(key)
        shown = without_echoes(f"req_{body}", key)
        longest = max(len(piece.removeprefix("req_")) for piece in shown.split("****"))
        assert longest <= len(body) * 20 // len(key), shown


def test_ordinary_ids_and_texts_stay() -> None:
    for _ in range(200):
        key = "sk-aisa-" + seeded.token_urlsafe(32)
        for text in (
            f"req_{seeded.token_hex(16)}",
            f"the model {seeded.token_urlsafe(12)} was not found",
            seeded.token_hex(32),
        ):
            assert without_echoes(text, key) == text
