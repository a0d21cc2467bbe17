"""Bodies of the balance and the usage, as gateways write them: what is read, and what is refused rather than guessed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from provision.aisa.answers import Failure, GatewayAnswer
from provision.aisa.spend import KeySpend, UsageRow, read_spend


def _answer(body: Any, status: int | None = 200) -> GatewayAnswer:
    return GatewayAnswer(status, None if status else Failure.TIMEOUT, json.dumps(body).encode())


def _nested(depth: int) -> dict[str, Any]:
    row: dict[str, Any] = {"date": "2026-11-02", "requests": 1}
    for _ in range(depth):
        row = {"date": "2026-11-02", "models": [row]}
    return row


KEY = {"unlimited": False, "remaining_micros_usd": 7, "used_micros_usd": 5}


@pytest.mark.parametrize(
    ("balance", "used", "remaining"),
    [
        ({"balance_micros_usd": 1, "api_key": KEY}, 5, 7),
        ({"data": {"api_key": KEY}}, 5, 7),
        ({"api_key": {**KEY, "unlimited": True}}, 5, None),
        ({"api_key": {"used_micros_usd": 5}}, 5, None),
        ({"api_key": {**KEY, "remaining_micros_usd": -3}}, 5, -3),
        ({"api_key": {**KEY, "used_micros_usd": "5"}}, None, 7),
        ({"api_key": {**KEY, "used_micros_usd": True}}, None, 7),
        ({"api_key": {**KEY, "used_micros_usd": 5.0}}, None, 7),
        ({"api_key": {**KEY, "used_micros_usd": -1}}, None, 7),
        ({"api_key": {**KEY, "used_micros_usd": 2**63}}, None, 7),
        ({"api_key": {**KEY, "used_micros_usd": 10**40, "remaining_micros_usd": -3}}, None, -3),
    ],
)
def test_balances(balance: Any, used: int | None, remaining: int | None) -> None:
    found = read_spend(_answer(balance), None)
    assert found == KeySpend(used, remaining, None, "not read")


@pytest.mark.parametrize("balance", [{}, [], None, "x", {"error": "x", "api_key": KEY}, {"api_key": []}])
def test_what_is_no_balance_says_nothing(balance: Any) -> None:
    assert read_spend(_answer(balance), _answer({}, 404)) is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], ()),
        ([{"date": "2026-11-01", "requests": 0}, {"date": "2026-11-02", "requests": 3}], (UsageRow("2026-11-02", 3),)),
        ([{"start_time": "2026-11-02T00:00:00Z", "requests": 3, "model": "m", "cost_micros_usd": 9}],
         (UsageRow("2026-11-02", 3, "m", 9),)),
        ([{"date": "2026-11-02", "models": [{"model": "a", "requests": 1, "cost_micros_usd": 2}, {"model": "b", "requests": 8}]}],
         (UsageRow("2026-11-02", 1, "a", 2), UsageRow("2026-11-02", 8, "b", None))),
        ([{"date": "2026-11-02", "requests": 1, "model": "\x1b[31m"}], (UsageRow("2026-11-02", 1),)),
        ([{"date": "2026-11-02", "requests": 1, "cost_micros_usd": 1.5}], (UsageRow("2026-11-02", 1),)),
    ],
)  # fmt: skip
def test_usages(rows: Any, expected: tuple[UsageRow, ...]) -> None:
    found = read_spend(_answer({}), _answer({"data": rows}))
    assert found == KeySpend(None, None, expected)
    assert KeySpend.from_fields(json.loads(json.dumps(found.fields()))) == found


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (_answer({}, 404), "HTTP 404"),
        (_answer({}, None), "timeout"),
        (_answer({"error": {"code": "x"}, "data": []}), "not a list of days"),
        (_answer({"data": {}}), "not a list of days"),
        (_answer({"data": [{"date": "2026-11-02"}]}), "a day cannot be read"),
        (_answer({"data": [{"requests": 1}]}), "a day cannot be read"),
        (_answer({"data": [{"date": "2026-11-02", "requests": -1}]}), "a day cannot be read"),
        (_answer({"data": [{"date": "2026-11-02", "requests": 10**40}]}), "a day cannot be read"),
        (_answer({"data": [1]}), "a day cannot be read"),
        (_answer({"data": [], "has_more": True}), "only the first page of several"),
        (_answer({"data": [], "pagination": {"page": 1, "total_pages": 3}}), "only the first page of several"),
        (replace(_answer({"data": []}), link='</v1/usage?page=2>; rel="next"'), "only the first page of several"),
        (_answer({"data": [_nested(400)]}), "a day cannot be read"),
        (
            _answer({"data": [{"date": "2026-11-02", "requests": 1, "models": [{"model": "a"}]}]}),
            "a day cannot be read",
        ),
    ],
)
def test_a_usage_that_cannot_be_read_is_unknown_not_zero(answer: GatewayAnswer, problem: str) -> None:
    found = read_spend(_answer({"api_key": KEY}), answer)
    assert found is not None
    assert (found.rows, found.rows_problem) == (None, problem)
