"""One part of the index: strict, the same bytes for the same values, and names that are derived once and for all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.feed.index import (
    MAX_PART_BYTES,
    BadFeedError,
    address_of,
    bundle_name,
    endpoint_id,
    index_bytes,
    index_name,
    parse_index,
    part_of,
)

ADDRESS = "gdm2vvcymdjaqxcdrvy5ff6l557ykojh"
GOOD: dict[str, Any] = {
    "schema": "provision/feed/v1",
    "workspace": "0f" * 16,
    "part": "c07",
    "version": 1795365609,
    "created": "2026-11-22T16:40:09Z",
    "expires": "2026-11-29T16:40:09Z",
    "trust": None,
    "log_head": None,
    "endpoints": {
        "c078f7cc35b66936256ea14cd6e34f78": {
            "bundle": "1" * 64,
            "size": 10240,
            "manifest": "2" * 64,
            "generation": 1795365608,
        }
    },
}


def data(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_names_never_change() -> None:
    """Addresses are given out once: how names follow from a user and the secret is part of the format."""
    assert address_of(bytes(32), "ada") == "dtqvirclzvyonskmpxztagzhw5chnzeu"
    assert endpoint_id(ADDRESS) == "c078f7cc35b66936256ea14cd6e34f78"
    assert index_name(part_of(ADDRESS)) == "index/c07.json"
    assert bundle_name(ADDRESS, "1" * 64) == f"e/{ADDRESS}/{'1' * 64}.tar"


def test_one_endpoint_a_line_sorted() -> None:
    entry = GOOD["endpoints"]["c078f7cc35b66936256ea14cd6e34f78"]
    index = parse_index(data(endpoints={"c07" + "f" * 29: entry, "c07" + "0" * 29: entry}))
    text = index_bytes(index)
    assert parse_index(text) == index
    lines = text.decode().splitlines()
    assert [line.strip()[1:33] for line in lines if "bundle" in line] == ["c07" + "0" * 29, "c07" + "f" * 29]


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "provision/feed/v2"},
        {"more": 1},
        {"workspace": "ada"},
        {"part": "c0"},
        {"version": 0},
        {"version": 2**53},
        {"trust": "1"},
        {"log_head": {"count": 1}},
        {"endpoints": {"c07": GOOD["endpoints"]["c078f7cc35b66936256ea14cd6e34f78"]}},
        {"expires": GOOD["created"]},
    ],
)
def test_refuses(changes: dict[str, Any]) -> None:
    parse_index(data())
    with pytest.raises(BadFeedError):
        parse_index(data(**changes))


def test_refuses_a_missing_field_and_too_many_bytes() -> None:
    with pytest.raises(BadFeedError, match="workspace"):
        parse_index(json.dumps({k: v for k, v in GOOD.items() if k != "workspace"}).encode())
    with pytest.raises(BadFeedError, match="larger"):
        parse_index(b" " * (MAX_PART_BYTES + 1))
