"""One data key: lines are bound to where they are, subkeys are separate."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from provision.detect.secret import Secret
from provision.keys.vault.crypto import DATA_KEY_BYTES, BadTagError, DataKey
from provision.keys.vault.ledger import KeyVersion, Stage

ID, OTHER_ID = "0f" * 16, "1f" * 16
KNOWN = KeyVersion("ada", 1, Stage.CURRENT, "fp_aaaaaaaaaaaaaaaa", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
KEY = DataKey(bytes(DATA_KEY_BYTES), ID)


def test_a_line_opens_whatever_its_stage_label_and_demo_date() -> None:
    sealed = KEY.seal_line(KNOWN, Secret("value"))
    moved = dataclasses.replace(KNOWN, stage=Stage.RETIRED, label="x")
    assert KEY.open_line(moved, sealed) == Secret("value")


@pytest.mark.parametrize(
    "change",
    [
        {"user": "bob"},
        {"version": 2},
        {"fingerprint": "fp_bbbbbbbbbbbbbbbb"},
        {"created": datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)},
    ],
)
def test_a_line_moved_elsewhere_does_not_open(change: dict[str, object]) -> None:
    sealed = KEY.seal_line(KNOWN, Secret("value"))
    with pytest.raises(BadTagError):
        KEY.open_line(dataclasses.replace(KNOWN, **change), sealed)  # type: ignore[arg-type]


def test_a_line_of_another_workspace_or_data_key_does_not_open() -> None:
    sealed = KEY.seal_line(KNOWN, Secret("value"))
    for other in (DataKey(bytes(DATA_KEY_BYTES), OTHER_ID), DataKey(b"\1" * DATA_KEY_BYTES, ID)):
        with pytest.raises(BadTagError):
            other.open_line(KNOWN, sealed)
        assert other.seal_file(b"d" * 32) != KEY.seal_file(b"d" * 32)
        assert other.digest_key != KEY.digest_key


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "A" * 64])
def test_nonsense_in_a_line_is_a_bad_tag(sealed: str) -> None:
    with pytest.raises(BadTagError):
        KEY.open_line(KNOWN, sealed)


def test_equal_keys_are_sealed_differently_each_time() -> None:
    assert KEY.seal_line(KNOWN, Secret("value")) != KEY.seal_line(KNOWN, Secret("value"))


def test_the_data_key_shows_nothing_of_itself() -> None:
    assert bytes(DATA_KEY_BYTES).hex() not in repr(KEY)
    assert repr(bytes(DATA_KEY_BYTES)) not in repr(KEY)
