"""Where an endpoint stands, from what was rendered, what it certified, and the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provision.bundle.peek import Released
from provision.receipts.fleet import EndpointStanding, Standing, StandingCounts, UnverifiedReceipt, endpoint_standing
from provision.receipts.receipt import Receipt, receipt_bytes

NOW = datetime(2026, 6, 8, 12, 0, 0, tzinfo=UTC)
DIGEST = "a" * 64
ROUTE: dict[str, Any] = {
    "url": "https://api.aisa.one/v1/chat/completions",
    "path": "/v1/chat/completions",
    "model": "gpt-5.2",
    "api_mode": "chat_completions",
    "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
    "as_expected": "yes",
}


def receipt(**changes: Any) -> Receipt:
    fields: dict[str, Any] = {
        "schema": "provision/receipt/v1",
        "workspace": "0f" * 16,
        "user": "ada",
        "machine": None,
        "profile": "engineering",
        "bundle": DIGEST,
        "generation": 7,
        "expires": "2026-09-01T00:00:00Z",
        "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
        "route": ROUTE,
        "hazards": (),
        "drift": (),
        "destinations": None,
        "policy": None,
        "hermes_version": None,
        "hermes_verified": None,
        "provision_version": "0.1.0",
        "host": "ada-mbp",
        "made": "2026-06-08T11:00:00Z",
        "counter": 1,
    }
    return Receipt.model_validate(fields | changes)


def stand(got: Receipt | UnverifiedReceipt | None, release: Released | None) -> EndpointStanding:
    return endpoint_standing("ada", "engineering", release, got, now=NOW, silent_after=timedelta(days=7))


def test_guardrails_that_are_not_in_force_are_counted_by_rule() -> None:
    tally = StandingCounts()
    off = {"id": "policy-approvals", "severity": "error"}
    server = {"id": "policy-mcp", "severity": "warning"}
    for hazards in ((off, server), (off,), ({"id": "loose", "severity": "warning"},)):
        tally.add(stand(receipt(hazards=hazards), Released(7, DIGEST)))
    assert tally.guardrails == {"policy-approvals": 2, "policy-mcp": 1}


COUNTS = {"ok": 20, "ok_unverified": 0, "problem": 0, "unknown": 0, "worst": None}
LEAVES = COUNTS | {"problem": 1, "worst": {"host": "openrouter.ai", "sends": ("content",), "state": "problem"}}
DOUBTFUL = COUNTS | {"unknown": 1, "worst": {"host": "a program", "sends": ("content",), "state": "unknown"}}
CASES = [
    (receipt(destinations=COUNTS), Released(7, DIGEST), []),
    (receipt(destinations=LEAVES), Released(7, DIGEST), ["sends elsewhere"]),
    (receipt(destinations=DOUBTFUL), Released(7, DIGEST), ["unknown destination"]),
    (receipt(), Released(7, DIGEST), []),
    (None, Released(7, DIGEST), ["never heard"]),
    (None, None, ["never heard", "not rendered"]),
    (UnverifiedReceipt("altered"), Released(7, DIGEST), ["not believed"]),
    (receipt(), Released(8, "b" * 64), ["behind"]),
    (receipt(), Released(6, "b" * 64), ["other bundle"]),
    (receipt(), Released(7, "b" * 64), ["other bundle"]),
    (receipt(), None, ["not rendered"]),
    (receipt(route=ROUTE | {"as_expected": "no"}), Released(7, DIGEST), ["misrouted"]),
    (receipt(route=ROUTE | {"as_expected": "unknown"}), Released(7, DIGEST), ["unknown route"]),
    (receipt(hazards=({"id": "env-base-url", "severity": "error"},)), Released(7, DIGEST), ["hazards"]),
    (receipt(hazards=({"id": "loose", "severity": "warning"},)), Released(7, DIGEST), []),
    (receipt(drift=({"file": "config.yaml", "what": "model.default was changed"},)), Released(7, DIGEST), ["drifted"]),
    (receipt(made="2026-06-01T12:00:00Z"), Released(7, DIGEST), ["silent"]),
    (receipt(made="2026-06-01T12:00:01Z"), Released(7, DIGEST), []),
    (receipt(expires="2026-06-08T12:00:00Z"), Released(7, DIGEST), ["expired"]),
    (receipt(made="2026-05-01T12:00:00Z"), Released(9, DIGEST), ["behind", "silent"]),
]


@pytest.mark.parametrize(("got", "release", "expected"), CASES)
def test_standing(got: Receipt | UnverifiedReceipt | None, release: Released | None, expected: list[str]) -> None:
    found = stand(got, release)
    assert [s.value for s in found.standings] == expected
    assert found.current == (not expected)


HERMES_CASES = [
    ("0.19.0", True, ">=0.19,<0.23", True, []),
    ("0.21.3", False, ">=0.19,<0.23", False, []),
    ("0.21.3", False, ">=0.19,<0.23", True, ["unverified Hermes"]),
    ("0.18.2", True, ">=0.19,<0.23", False, ["other Hermes version"]),
    ("0.23.0", False, ">=0.19,<0.23", True, ["other Hermes version", "unverified Hermes"]),
    (None, None, ">=0.19", False, []),
    (None, None, None, True, ["unverified Hermes"]),
]


@pytest.mark.parametrize(("version", "verified", "versions", "required", "expected"), HERMES_CASES)
def test_the_version_of_hermes(
    version: str | None, verified: bool | None, versions: str | None, required: bool, expected: list[str]
) -> None:
    found = endpoint_standing(
        "ada",
        "engineering",
        Released(7, DIGEST),
        receipt(hermes_version=version, hermes_verified=verified),
        now=NOW,
        silent_after=timedelta(days=7),
        hermes_version=versions,
        require_verified=required,
    )
    assert [s.value for s in found.standings] == expected
    assert (version or "unknown version") in found.remark or not expected


def test_every_standing_has_a_case() -> None:
    told = {word for _, _, words in CASES for word in words} | {word for *_, words in HERMES_CASES for word in words}
    assert told == {s.value for s in Standing}


def test_an_unverified_hermes_is_counted_apart() -> None:
    tally = StandingCounts()
    for version, verified in (("0.19.0", True), ("0.21.3", False), ("0.9.1", False), (None, None)):
        tally.add(stand(receipt(hermes_version=version, hermes_verified=verified), Released(7, DIGEST)))
    assert tally.by_name() == {"users": 4, "current": 4, "unverified": 3}
    assert list(tally.versions.items()) == [("0.21.3", 1), ("0.19.0", 1), ("0.9.1", 1), ("unknown", 1)]


def test_the_tally_counts_each_word() -> None:
    tally = StandingCounts()
    for got, release, _ in CASES:
        tally.add(stand(got, release))
    counts = tally.by_name()
    assert counts["users"] == len(CASES)
    assert counts["current"] == sum(not words for *_, words in CASES)
    assert counts["behind"] == 2


def test_a_receipt_is_one_field_per_line() -> None:
    lines = receipt_bytes(receipt(trust="1-2")).decode().splitlines()
    assert len(lines) == len(Receipt.model_fields) + 2
    assert lines[1] == '  "schema": "provision/receipt/v1",'
