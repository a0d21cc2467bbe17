"""Known keys are recognised although the reader took some characters for others, lost a dash, or read one too many."""

from __future__ import annotations

import random
import string

import pytest

from provision.detect.fingerprint import fingerprint
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey
from provision.redact.pictures.misread import MisreadKeys

SALT = b"s" * 16
_RNG = random.Random("misread")
OPAQUE = "k3Jd9Qp-7wLmN2xRvT4c_8hBaG5sFzW1tYoE06uM"
AISA = "sk-" + "aisa-" + "".join(_RNG.choice(string.ascii_letters + string.digits) for _ in range(43))


def keys(*values: str) -> MisreadKeys:
    known = {fingerprint(v, SALT): KnownKey(f"user{n}", fingerprint(v, SALT), "current") for n, v in enumerate(values)}
    return MisreadKeys(KnownKeys(SALT, frozenset(map(shape_of, values)), known))


@pytest.mark.parametrize(
    "read",
    [
        OPAQUE,
        OPAQUE.replace("1", "l").replace("0", "O"),
        OPAQUE.replace("5", "S").replace("_", "-").replace("o", "0"),
        OPAQUE.replace("-", ""),
        OPAQUE.replace("-", "").replace("_", ""),
        OPAQUE.replace("h", "M"),
        OPAQUE + ".",
        "l" + OPAQUE,
    ],
)
def test_a_misread_key_is_found_with_its_owner_and_its_true_value(read: str) -> None:
    found = keys("an-other-key-of-another-length", OPAQUE).find(read, [0.9] * len(read))
    assert found
    assert (found[0], found[1].user) == (OPAQUE, "user1")


def test_a_key_with_a_prefix_is_found_too() -> None:
    read = AISA.replace("sk-", "sk", 1)
    assert (found := keys(AISA).find(read, [0.9] * len(read)))
    assert found[0] == AISA


def test_other_words_are_no_key() -> None:
    misread = keys(OPAQUE)
    assert misread.find(OPAQUE[::-1], [0.9] * len(OPAQUE)) is None
    assert misread.find("short", [0.9] * 5) is None


def test_only_words_of_about_the_length_of_a_key_without_a_prefix_are_looked_at() -> None:
    line = f"$ login {OPAQUE} {OPAQUE[:-3]} x"
    assert [line[start:end] for start, end in keys(OPAQUE).words(line)] == [OPAQUE]
    assert list(keys(AISA).words(f"login {AISA}")) == []
