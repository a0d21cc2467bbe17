"""Receipts as results: imports, stored receipts, and which endpoints are current."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from provision.bundle.peek import Released
from provision.receipts.fleet import EndpointStanding, Standing, StandingCounts
from provision.receipts.receipt import Receipt
from provision.receipts.store import ImportedReceipt, ImportResult
from provision.report import receipts as report

ROUTE: dict[str, Any] = {
    "url": "https://api.aisa.one/v1/chat/completions",
    "path": "/v1/chat/completions",
    "model": "gpt-5.2",
    "api_mode": "chat_completions",
    "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
    "as_expected": "yes",
}


def receipt(as_expected: str = "yes") -> Receipt:
    return Receipt.model_validate(
        {
            "schema": "provision/receipt/v1",
            "workspace": "0f" * 16,
            "user": "ada",
            "machine": None,
            "profile": "engineering",
            "bundle": "a" * 64,
            "generation": 7,
            "expires": "2026-09-01T00:00:00Z",
            "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
            "route": ROUTE | {"as_expected": as_expected},
            "hazards": (),
            "drift": (),
            "destinations": None,
            "policy": None,
            "hermes_version": "0.19.0",
            "hermes_verified": None,
            "provision_version": "0.1.0",
            "host": "ada-mbp",
            "made": "2026-06-08T11:00:00Z",
            "counter": 12,
        }
    )


def test_an_import_that_names_no_user_is_still_listed() -> None:
    imported = [
        ImportedReceipt("a.receipt", ImportResult.IMPORTED, "ada", receipt=receipt()),
        ImportedReceipt("bad.receipt", ImportResult.REFUSED, message="not signed", hint="fetch it again"),
    ]
    counts = Counter({"imported": 1, "refused": 1, "unchanged": 5})
    lines = report.import_as_table(imported, counts).splitlines()
    assert lines[1].split() == ["ada", "imported", "7", "a.receipt"]
    assert lines[2].split() == ["?", "refused", "bad.receipt"]
    assert lines[-1] == "1 imported, 1 refused, 5 unchanged"
    ada, bad = json.loads(report.import_as_json(imported, counts))["receipts"]
    assert (ada["generation"], ada["made"]) == (7, "2026-06-08T11:00:00Z")
    assert (bad["user"], bad["generation"], bad["hint"]) == (None, None, "fetch it again")


@pytest.mark.parametrize(("as_expected", "shown"), [("yes", "as expected"), ("no", "WRONG"), ("unknown", "unknown")])
def test_a_stored_receipt_says_whether_the_route_is_right(as_expected: str, shown: str) -> None:
    row = report.stored_row(receipt(as_expected))
    assert row["route"] == shown
    text = report.stored_as_table([row, report.refused_row("eve", "another key signed it")])
    assert text.splitlines()[1].endswith(f"ada-mbp  {shown}")
    assert text.splitlines()[2].split(maxsplit=1) == ["eve", "not believed: another key signed it"]
    assert json.loads(report.stored_as_json([row]))["receipts"][0]["counter"] == 12


ENDPOINTS = [
    EndpointStanding("ada", "engineering", (), Released(7, "a" * 64), receipt()),
    EndpointStanding("eve", "sales", (Standing.NEVER,), Released(7, "b" * 64), None, "\x1b[31mno receipt"),
]


def test_only_endpoints_that_are_not_current_are_listed() -> None:
    counts = StandingCounts()
    text = "".join(report.fleet_as_table(iter(ENDPOINTS), counts))
    assert "ada" not in text
    assert "never heard: \\x1b[31mno receipt" in text
    assert text.splitlines()[-2:] == [
        "Hermes: 0.19.0 on 1",
        "1 of 2 users current (1 of them unverified: ok as far as known), 1 never heard",
    ]
    assert (counts.users, counts.current) == (2, 1)


def test_a_current_fleet_is_two_lines() -> None:
    known = receipt().model_copy(update={"hermes_verified": True})
    endpoint = EndpointStanding("ada", "engineering", (), Released(7, "a" * 64), known)
    text = "".join(report.fleet_as_table([endpoint], StandingCounts()))
    assert text == "Hermes: 0.19.0 on 1\n1 of 1 user current\n"


def test_machines_on_older_trust_lists_are_counted() -> None:
    numbers = ["1-3", "1-10", "1-10", "1-2", "1-2", "1-2", None]
    machines = [
        EndpointStanding("ada", "engineering", (), None, receipt().model_copy(update={"trust": number}))
        for number in numbers
    ]
    lines = "".join(report.fleet_as_table(machines, StandingCounts("1-10"))).splitlines()
    assert lines[-2] == (
        "trust: 2 machines on list 1-10, 1 machine still on list 1-3, 3 machines still on list 1-2, 1 machine without a list"
    )
    document = json.loads("".join(report.fleet_as_json(machines, StandingCounts("1-10"))))
    assert document["trust_list"] == "1-10"
    assert document["trust_lists"] == {"1-10": 2, "1-3": 1, "1-2": 3, "none": 1}
    assert [user["trust"] for user in document["users"]] == numbers


def test_json_of_the_fleet_lists_every_endpoint() -> None:
    document = json.loads("".join(report.fleet_as_json(iter(ENDPOINTS), StandingCounts())))
    ada, eve = document["users"]
    assert (ada["current"], ada["installed_generation"], ada["hermes_version"]) == (True, 7, "0.19.0")
    assert (eve["standings"], eve["released_generation"], eve["heard"]) == (["never heard"], 7, None)
    assert document["summary"]["current"] == 1
    assert document["summary"]["unverified"] == 1
    assert document["hermes_versions"] == {"0.19.0": 1}
    assert ada["hermes_verified"] is None
