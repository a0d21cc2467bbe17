"""Which keys are findings, as a table: stage, age, limit and last day in; rule and severity out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from provision.errors import Place, Severity
from provision.fleet.desired import DesiredState, EffectiveProfile
from provision.keys.policy import check_key_ages, days_left
from provision.keys.vault.ledger import KeyVersion, Ledger, Stage, VaultLine

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
YESTERDAY, TODAY = date(2026, 4, 30), date(2026, 5, 1)
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def key(stage: Stage = Stage.CURRENT, days: int = 0, demo_until: date | None = None) -> KeyVersion:
    return KeyVersion("ada", 1, stage, "fp_x", NOW - timedelta(days=days), "", demo_until)


def judged(known: KeyVersion, limit: int | None = None, user: str = "ada", *, complete: bool = True) -> list:
    profile = EffectiveProfile("team", "m", "https://api.aisa.one/v1", key_max_age_days=limit)
    states = [DesiredState(user, profile, Place("inventory.yaml"))]
    ledger = Ledger({"ada": (VaultLine(known, ""),)})
    return [(f.rule, f.severity) for f in check_key_ages(ledger, states, NOW, complete=complete)]


@pytest.mark.parametrize(
    ("known", "limit", "expected"),
    [
        (key(days=90), None, []),
        (key(days=91), None, [("key-overdue", WARNING)]),
        (key(days=30), 30, []),
        (key(days=31), 30, [("key-overdue", ERROR)]),
        (key(days=200), 365, []),
        (key(Stage.PREVIOUS, 91), None, [("key-not-retired", WARNING)]),
        (key(Stage.PREVIOUS, 31), 30, [("key-not-retired", WARNING)]),
        (key(Stage.PENDING, 14), None, []),
        (key(Stage.PENDING, 15), None, [("key-pending", WARNING)]),
        (key(Stage.RETIRED, 900, YESTERDAY), 1, []),
        (key(days=0, demo_until=TODAY), None, []),
        (key(days=0, demo_until=YESTERDAY), None, [("demo-key-over", ERROR)]),
        (key(Stage.PREVIOUS, 0, YESTERDAY), None, [("demo-key-over", ERROR)]),
        (key(days=-5), 1, []),
    ],
)
def test_rules(known: KeyVersion, limit: int | None, expected: list) -> None:
    assert judged(known, limit) == expected


def test_a_key_of_nobody_is_told_only_when_the_inventory_is_whole() -> None:
    assert judged(key(), user="bob") == [("key-without-user", WARNING)]
    assert judged(key(), user="bob", complete=False) == []
    assert judged(key(Stage.RETIRED), user="bob") == []


def test_days_left_counts_to_the_nearer_end() -> None:
    assert days_left(key(days=80), None, NOW) == 10
    assert days_left(key(days=80, demo_until=TODAY + timedelta(days=3)), None, NOW) == 3
    assert days_left(key(days=31), 30, NOW) == -1
