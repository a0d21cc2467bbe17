"""Versions of Hermes and ranges of them."""

from __future__ import annotations

import re

import pytest

from provision.fleet.version_range import RANGE, is_in_range, parse_version


@pytest.mark.parametrize(
    ("version", "versions", "inside"),
    [
        ("0.19.0", ">=0.19,<0.23", True),
        ("0.22.6", ">=0.19,<0.23", True),
        ("0.23", ">=0.19,<0.23", False),
        ("0.23.0", "<=0.23", True),
        ("0.9.1", ">=0.19", False),  # by numbers, not by letters
        ("0.19.0.1", ">0.19", True),
        ("0.19.0", "==0.19", True),
        ("0.19.0", " != 0.19.0 ", False),
        ("0.20.1rc1", ">=0.20", True),
        ("v0.21.3", ">=0.21", True),
        ("unknown", ">=0.19", None),
        ("", ">=0.19", None),
    ],
)
def test_is_in_range(version: str, versions: str, inside: bool | None) -> None:
    assert is_in_range(version, versions) is inside


@pytest.mark.parametrize("versions", ["", "0.19", ">=", ">=0.19,", "~=0.19", ">=0.19;<0.2", ">=0.19 <0.23", "=>0.19"])
def test_an_invalid_range_is_refused(versions: str) -> None:
    assert not re.match(RANGE, versions)
    with pytest.raises(ValueError, match="invalid range"):
        is_in_range("0.19.0", versions)


def test_a_version_has_four_numbers() -> None:
    assert parse_version("0.19") == (0, 19, 0, 0)
    assert parse_version("0.18.2+local") == (0, 18, 2, 0)
    assert parse_version("x0.19") is None
