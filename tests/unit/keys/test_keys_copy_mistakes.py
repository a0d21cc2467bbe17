"""Evident copy mistakes are named; a key of another shape is not one of them."""

from __future__ import annotations

import pytest

from provision.keys.copy_mistakes import copy_mistake

KEY = "sk-aisa-" + "Ab3_Cd5eFg7hIj9kLm1nOp2qRs4tUv6wXy8zAbCdEfG"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (KEY, ""),
        ("sk-" + "a1B2" * 12 + "x", ""),
        ("gw_" + "9f8a7c6b5d4e3f21", ""),
        (KEY + "x", ""),
        (KEY.replace("aisa", "asia"), ""),
        ("sk-aisa-TEST-ada", ""),
        (f"AISA_API_KEY={KEY}", "has other text in front of it"),
        (f"export AISA_API_KEY={KEY}", "has other text in front of it"),
        (f"Bearer {KEY}", "has other text in front of it"),
        (f"x-api-key: {KEY}", "has other text in front of it"),
        (f"https://h/?key={KEY}", "has other text in front of it"),
        (KEY + KEY, "was pasted more than once"),
        (f"{KEY},{KEY}", "was pasted more than once"),
        ("a1B2c3D4e5F6" * 2, "was pasted more than once"),
        (KEY + ".", "has other text behind it"),
        (KEY[:-1], "is cut short"),
        (KEY[:20], "is cut short"),
        (KEY[1:], "is cut short at its beginning"),
        (KEY[3:], "is cut short at its beginning"),
        (KEY.upper(), "was changed to capital letters"),
    ],
)
def test_mistakes(text: str, mistake: str) -> None:
    assert copy_mistake(text) == mistake
