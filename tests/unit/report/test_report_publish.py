"""The result of `publish`. An address is secret to its user: only `--addresses` prints it."""

from __future__ import annotations

import json
from collections import Counter

from provision.feed.publish import PublishedBundle, PublishStatus, PublishSummary
from provision.report.publish import addresses_as_json, addresses_as_table, as_json, as_table

USERS = [
    PublishedBundle("ada", "secret-address-ada", PublishStatus.PUBLISHED, 7),
    PublishedBundle(
        "eve", "secret-address-eve", PublishStatus.NO_BUNDLE, message="is not in dist/", hint="provision render"
    ),
]
COUNTS = Counter({"published": 1, "no bundle": 1, "unchanged": 40})


def summary(parts_written: int) -> PublishSummary:
    return PublishSummary(parts_written, 15, 2, (), {})


def test_the_summary_counts_users_parts_and_uploads() -> None:
    text = as_table(USERS, COUNTS, summary(1), 0)
    assert text.endswith("1 no bundle, 1 published, 40 unchanged; index: 1 part signed, 15 kept\n")
    assert as_table(USERS, COUNTS, summary(2), 3).endswith("index: 2 parts signed, 15 kept; 3 files uploaded\n")


def test_results_hold_no_address() -> None:
    for text in (as_table(USERS, COUNTS, summary(1), 0), as_json(USERS, COUNTS, summary(1), 0)):
        assert "secret-address" not in text


def test_json() -> None:
    document = json.loads(as_json(USERS, COUNTS, summary(1), 4))
    assert document["index"] == {"signed": 1, "kept": 15}
    assert (document["removed"], document["uploaded"]) == (2, 4)
    assert document["users"] == [
        {"user": "ada", "status": "published", "generation": 7},
        {
            "user": "eve",
            "status": "no bundle",
            "generation": None,
            "message": "is not in dist/",
            "hint": "provision render",
        },
    ]


def test_addresses() -> None:
    found = [("ada", "https://feed.example.com/e/a"), ("eve", "https://feed.example.com/e/b")]
    assert addresses_as_table(found).splitlines()[1] == "ada   https://feed.example.com/e/a"
    assert json.loads(addresses_as_json(found))["users"][1] == {
        "user": "eve",
        "address": "https://feed.example.com/e/b",
    }
