"""Known keys: recognised by fingerprint and shape, never readable from the file that carries them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import seeded
from detectcraft import SALT, aisa_key, known

from provision.detect.detector import Detector
from provision.detect.fingerprint import fingerprint
from provision.detect.known import KNOWN_RULE, KnownKeys, shape_of
from provision.detect.known_file import parse_known_keys
from provision.detect.known_key import KnownKey
from provision.errors import ProvisionError

KEY = aisa_key()


@pytest.mark.parametrize(
    "bare",
    [seeded.token_hex(20), seeded.token_urlsafe(30), "pw+" + seeded.token_hex(8) + "/x=="],
    ids=["hex", "base64url", "base64"],
)
def test_a_key_without_a_usual_prefix_is_found_where_it_stands_alone(bare: str) -> None:
    detector = Detector((), known(bare))
    for text in (f"x {bare} y", f"key='{bare}'", f"[{bare}]", bare):
        assert [match.secret.reveal() for match in detector.scan(text.encode())] == [bare], text
    assert not detector.scan(f"{bare[:-1]}~".encode())


def test_a_key_is_found_glued_to_other_text() -> None:
    for text in (f"x{KEY}y", f"{KEY}{KEY}", f"sk-{KEY}", f"{KEY}-and-more"):
        assert {match.secret.reveal() for match in Detector((), known(KEY)).scan(text.encode())} == {KEY}, text


def test_other_keys_of_the_same_shape_are_not_known() -> None:
    assert not Detector((), known(KEY)).scan(aisa_key().encode())
    matches = Detector(known=known(KEY)).scan(aisa_key().encode())
    assert [match.known for match in matches] == [None]


def test_a_known_key_beats_a_rule() -> None:
    match = Detector(known=known(KEY)).scan(f"AISA_API_KEY={KEY}".encode())[0]
    assert match.rule == KNOWN_RULE
    assert match.known == KnownKey("u0", fingerprint(KEY, SALT), "current")


def test_the_file_says_nothing_of_the_key_and_comes_back_as_it_was() -> None:
    name = fingerprint(KEY, SALT)
    key = KnownKey("ada", name, "previous", datetime(2026, 3, 1, tzinfo=UTC), "ada-v2")
    keys = KnownKeys(SALT, frozenset({shape_of(KEY), ("", 40)}), {name: key})
    data = keys.dump()
    assert parse_known_keys(data) == keys
    assert not any(KEY[at : at + 4].encode() in data for at in range(8, len(KEY) - 4))
    assert json.loads(data)["schema"] == "provision/known-keys/v1"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "provision/known-keys/v2"},
        {"salt": "zz"},
        {"shapes": [["sk-aisa-"]]},
        {"keys": [{"user": "a", "fingerprint": "x", "stage": "current"}]},
        {"more": 1},
    ],
)
def test_a_file_of_another_form_is_refused_without_repeating_it(change: dict[str, object]) -> None:
    form = json.loads(known(KEY).dump()) | change
    with pytest.raises(ProvisionError, match="invalid file of known keys") as refused:
        parse_known_keys(json.dumps(form).encode())
    assert "zz" not in str(refused.value)


def test_a_prefix_that_is_part_of_the_secret_is_never_published() -> None:
    assert shape_of("hunter2-and-so-on") == ("", 17)
    assert shape_of(KEY) == ("sk-aisa-", 51)
