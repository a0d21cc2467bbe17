"""Where a user stands: `over` and `ok` only for what is certain, money in micro-dollars."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from provision.aisa.results import ValidationResult
from provision.aisa.spend import KeySpend, UsageRow
from provision.aisa.verdicts import Verdict
from provision.fleet.desired import ApiMode
from provision.usage.readings import read_readings, with_amounts, write_readings
from provision.usage.standing import dollars_of, micros_of, totals_by_model, totals_by_team, user_usage

MONTH, SINCE = "2026-11", date(2026, 11, 1)
BASE = ValidationResult("ada", "team", "m", ApiMode.AUTO, "https://x/v1", "fp_a", Verdict.OK)


def _usage(
    spend: KeySpend | None, budget: int | None = None, readings: dict[str, tuple[int, int]] | None = None, **more: str
):
    return user_usage(replace(BASE, spend=spend, **more), budget, SINCE, MONTH, readings or {})


def _priced(*micros: int | None, month: str = MONTH) -> KeySpend:
    return KeySpend(9_000_000, None, tuple(UsageRow(f"{month}-0{n + 1}", 2, "m", m) for n, m in enumerate(micros)))


@pytest.mark.parametrize(
    ("spend", "budget", "readings", "standing", "low", "high"),
    [
        (None, 5, {}, "unknown", 0, None),
        (KeySpend(), 5, {}, "unknown", 0, None),
        (KeySpend(0, None), None, {}, "unused", 0, 0),
        (KeySpend(0, None, ()), 10, {}, "unused", 0, 0),
        (KeySpend(0, None, (UsageRow("2026-11-02", 3),)), None, {}, "no_budget", 0, 0),
        (KeySpend(700, None), None, {}, "no_budget", 0, 700),
        (KeySpend(700, None), 1000, {}, "ok", 0, 700),
        (KeySpend(1700, None), 1000, {}, "unknown", 0, 1700),
        (KeySpend(1700, None), 1000, {"2026-10": (100, 1200)}, "ok", 0, 500),
        (KeySpend(1700, None), 1000, {"2026-10": (100, 200)}, "unknown", 0, 1500),
        (KeySpend(1700, None), 1000, {"2026-11": (500, 600)}, "over", 1200, 1700),
        (KeySpend(1700, None), 1700, {"2026-11": (200, 600)}, "near", 1500, 1700),
        (KeySpend(100, 900), None, {}, "ok", 0, 100),
        (KeySpend(800, 200), None, {}, "near", 0, 800),
        (KeySpend(1000, 0), None, {}, "over", 0, 1000),
        (KeySpend(1000, -5), 10**9, {}, "over", 0, 1000),
        (_priced(400, 700), 1000, {}, "over", 1100, 1100),
        (_priced(400, 500), 1000, {}, "near", 900, 900),
        (_priced(400), 1000, {}, "ok", 400, 400),
        (_priced(400, None), 1000, {}, "unknown", 0, 9_000_000),
        (_priced(9000, month="2026-10"), 1000, {}, "ok", 0, 0),
        (KeySpend(None, None, (UsageRow("2026-11-02", 3),)), 1000, {}, "unknown", 0, None),
        (KeySpend(500, None), 1000, {"2026-10": (800, 900)}, "unknown", 0, None),  # the gateway counts from 0 again
        (KeySpend(500, None), 1000, {"2026-11": (800, 900)}, "unknown", 0, None),
        (KeySpend(0, None, ()), None, {"2026-10": (800, 900)}, "no_budget", 0, 0),
        (KeySpend(0, None), None, {"2026-10": (-1, 0)}, "no_budget", 0, 0),
        (KeySpend(700, None), 1000, {"2026-11": (-1, 500)}, "unknown", 0, None),
        (KeySpend(700, None), 1000, {"2026-10": (-1, 500)}, "ok", 0, 200),
        (replace(_priced(400, 700), used_micros=500), 1000, {}, "ok", 0, 500),  # of the whole account, not of the key
        (replace(_priced(400), used_micros=1700), 1000, {"2026-11": (500, 600)}, "over", 1200, 1700),  # not up to date
    ],
)
def test_the_standing_of_a_user(
    spend: KeySpend | None,
    budget: int | None,
    readings: dict[str, tuple[int, int]],
    standing: str,
    low: int,
    high: int | None,
) -> None:
    found = _usage(spend, budget, readings)
    assert (found.standing, found.month.low, found.month.high) == (standing, low, high)


def test_requests_count_from_the_day_that_was_asked_for() -> None:
    spend = KeySpend(
        50, None, (UsageRow("2026-10-31", 7), UsageRow("2026-11-01", 2, "m", 5), UsageRow("2026-11-02", 1, "m", 6))
    )
    found = _usage(spend)
    assert (found.requests, found.by_model) == (3, (("m", 3, 11),))
    assert _usage(KeySpend(5, None, None)).requests is None
    foreign = _usage(KeySpend(5, None, (UsageRow("2026-11-01", 2, "m", 6),)))
    assert (foreign.requests, foreign.by_model) == (None, ())


def test_a_shared_key_counts_once() -> None:
    ada, bob = (_usage(_priced(400), user=user) for user in ("ada", "bob"))
    eve = replace(_usage(_priced(100)), user="eve", profile="other", fingerprint="fp_e")
    tom = replace(ada, user="tom", profile="other", fingerprint="fp_t", by_model=())
    kim = replace(ada, user="kim", profile="team", fingerprint="fp_t", by_model=())
    rows = {t.name: (t.users, t.low_micros) for t in totals_by_team([ada, bob, eve, tom, kim])}
    assert rows == {"team": (2, 400), "other": (1, 100), "(shared)": (2, 400)}
    assert totals_by_model([ada, bob, eve]) == [("m", 4, 500)]


@pytest.mark.parametrize(
    ("dollars", "micros", "shown"),
    [(12.5, 12_500_000, "$12.50"), (0.1, 100_000, "$0.10"), (19.99, 19_990_000, "$19.99"), (0, 0, "$0.00"),
     (1234567.89, 1_234_567_890_000, "$1,234,567.89"), (0.0042, 4200, "$0.0042")],
)  # fmt: skip
def test_money_is_exact(dollars: float, micros: int, shown: str) -> None:
    assert micros_of(dollars) == micros
    assert dollars_of(micros) == shown


def test_readings_keep_two_months_and_begin_again_after_a_reset(tmp_path: Path) -> None:
    found = with_amounts({}, {"fp_a": 100}, "2026-09")
    found = with_amounts(found, {"fp_a": 150}, "2026-09")
    found = with_amounts(found, {"fp_a": 300}, "2026-10")
    found = with_amounts(found, {"fp_a": 400}, "2026-11")
    assert found == {"fp_a": {"2026-10": (300, 300), "2026-11": (400, 400)}}
    again = with_amounts(found, {"fp_a": 20}, "2026-11")
    assert again == {"fp_a": {"2026-11": (-1, 20)}}, "what was used before that in this month is not known any more"
    assert with_amounts(again, {"fp_a": 50}, "2026-11") == {"fp_a": {"2026-11": (-1, 50)}}
    assert with_amounts(again, {"fp_a": 50}, "2026-12")["fp_a"]["2026-12"] == (50, 50)
    path = tmp_path / "readings.json"
    assert read_readings(path) == {}
    write_readings(path, found)
    assert read_readings(path) == found
    odd = b'{"schema": "provision/usage-readings/v1", "keys": {"a": {"b": [1e999, 1]}}}'
    for damage in (
        b"",
        b"{",
        b"[]",
        odd,
        b"[" * 100_000,
        b'{"schema": "provision/usage-readings/v1", "keys": {"a": {"b": 1}}}',
    ):
        path.write_bytes(damage)
        assert read_readings(path) == {}
