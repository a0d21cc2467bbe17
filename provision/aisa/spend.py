"""What a key has spent, from the two free reads: the balance, and the usage of the key by day. Pure; money in micro-dollars.

The balance says what the key has used in all and what is left of its cap. The usage says how many requests were made on which
day, and, where the gateway says it, with which model and for how much. Each may be missing: then nothing is said about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import clean_micros

if TYPE_CHECKING:
    from provision.aisa.answers import GatewayAnswer

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MODEL = re.compile(r"[A-Za-z0-9_.:/@+-]{1,128}")
_DAY_NAMES = ("date", "day", "start_time", "bucket", "timestamp")
_MONEY_NAMES = ("cost_micros_usd", "amount_micros_usd", "used_micros_usd", "spend_micros_usd")
_COUNT_NAMES = ("requests", "request_count", "num_requests")
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One row of the usage: a day, and a model if the gateway says it. `micros` is None if it does not say the price."""

    day: str
    requests: int
    model: str = ""
    micros: int | None = None


@dataclass(frozen=True, slots=True)
class KeySpend:
    """What the gateway says about one key. None where it says nothing."""

    used_micros: int | None = None
    remaining_micros: int | None = None
    """What is left of the key's own cap. None also for a key without a cap."""
    rows: tuple[UsageRow, ...] | None = None
    rows_problem: str = ""
    """Why there are no rows."""

    @property
    def cap_micros(self) -> int | None:
        """The key's cap, if it has one and both its parts are known."""
        if self.remaining_micros is None or self.used_micros is None:
            return None
        return self.used_micros + max(self.remaining_micros, 0)

    def fields(self) -> dict[str, Any]:
        """The value as JSON fields."""
        rows = (
            None
            if self.rows is None
            else [{"day": r.day, "requests": r.requests, "model": r.model, "micros": r.micros} for r in self.rows]
        )  # dataclasses.asdict makes deep copies
        amounts = {"used_micros": self.used_micros, "remaining_micros": self.remaining_micros}
        return {**amounts, "rows": rows, "rows_problem": self.rows_problem}

    @staticmethod
    def from_fields(data: dict[str, Any]) -> KeySpend:
        """Parse the output of `fields`. Raises KeyError or TypeError."""
        rows = data["rows"]
        return KeySpend(**{**data, "rows": None if rows is None else tuple(UsageRow(**row) for row in rows)})


def read_spend(balance: GatewayAnswer, usage: GatewayAnswer | None) -> KeySpend | None:
    """Parse both answers. None if neither says anything."""
    used, remaining = _balance(balance)
    rows, problem = _usage(usage)
    if used is None and remaining is None and rows is None:
        return None
    return KeySpend(used, remaining, rows, problem)


def _balance(answer: GatewayAnswer) -> tuple[int | None, int | None]:
    data = answer.data() if answer.status == 200 else None
    if not isinstance(data, dict) or data.get("error"):
        return None, None
    inner = data.get("data")
    key = (inner if isinstance(inner, dict) else data).get("api_key")
    if not isinstance(key, dict):
        return None, None
    used = clean_micros(key.get("used_micros_usd"))
    remaining = clean_micros(key.get("remaining_micros_usd")) if key.get("unlimited") is False else None
    return used if used is None or used >= 0 else None, remaining


def _usage(answer: GatewayAnswer | None) -> tuple[tuple[UsageRow, ...] | None, str]:
    if answer is None:
        return None, "not read"
    if answer.status != 200:
        return None, f"HTTP {answer.status}" if answer.status else str(answer.failure)
    data = answer.data()
    found = data.get("data") if isinstance(data, dict) and not data.get("error") else None
    if not isinstance(found, list) or len(found) > _MOST_ROWS:
        return None, "not a list of days"
    if answer.names_another_page:
        return None, "only the first page of several"
    rows: list[UsageRow] = []
    for each in found:
        row = _row(each)
        if row is None:
            return None, "a day cannot be read"
        rows += row
    return tuple(row for row in rows if row.requests or row.micros), ""


def _row(data: Any) -> list[UsageRow] | None:
    """One row, or its rows by model. None if it has no day or no count: then the sum would be wrong."""
    if not isinstance(data, dict):
        return None
    day = next((str(data[name])[:10] for name in _DAY_NAMES if isinstance(data.get(name), str)), "")
    if not _DAY.fullmatch(day):
        return None
    models = data.get("models")
    if isinstance(models, list) and models:
        each = [_row({"date": day, **model, "models": None}) if isinstance(model, dict) else None for model in models]
        return None if None in each else [row for rows in each if rows for row in rows]
    count = next((c for name in _COUNT_NAMES if (c := clean_micros(data.get(name))) is not None), None)
    if count is None or count < 0:
        return None
    micros = next((m for name in _MONEY_NAMES if (m := clean_micros(data.get(name))) is not None), None)
    model = data.get("model")
    named = model if isinstance(model, str) and _MODEL.fullmatch(model) else ""
    return [UsageRow(day, count, named, micros if micros is None or micros >= 0 else None)]
