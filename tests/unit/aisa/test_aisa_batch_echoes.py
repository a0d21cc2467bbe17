"""A gateway chooses its ids and texts: no part of the key that it echoes is kept."""

from __future__ import annotations

import pytest

from provision.aisa.answers import clean_request_id
from provision.aisa.batch import _without

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
    assert _without(text, KEY) == shown


def test_long_ids_are_dropped() -> None:
    assert clean_request_id("r" * 64) == "r" * 64
    assert clean_request_id("r" * 65) == ""
