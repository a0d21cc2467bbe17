"""The page of 10,000 users: its size, its memory, and its time beside what it cannot do without."""

from __future__ import annotations

import json
import secrets
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provision.detect.secret import Secret
from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile
from provision.keys.events.log import Verified
from provision.keys.policy import check_key_ages
from provision.keys.vault.vault import new_vault
from provision.report.fleet.document import as_json
from provision.report.fleet.page import as_html
from provision.report.fleet.results import FleetReport
from provision.report.html.page import Page, Section, page

pytestmark = pytest.mark.bench

USERS = 10_000
NOW = datetime(2026, 6, 1, tzinfo=UTC)
_OPERATOR = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"


@pytest.fixture(scope="module")
def report() -> FleetReport:
    vault = new_vault([_OPERATOR])
    profile = EffectiveProfile("engineering", "gpt-5.2", "https://api.aisa.one/v1")
    names = [f"user{number:05}" for number in range(USERS)]
    for at, name in enumerate(names):
        vault.add(name, Secret(secrets.token_hex(24)), now=NOW - timedelta(days=at % 120), label=f"{name}-laptop")
    states = [DesiredState(name, profile, Place("inventory.yaml", 1)) for name in names]
    findings = list(check_key_ages(vault, states, NOW))
    log = Verified(0, "", None, None, ())
    return FleetReport("fleet", NOW, states, vault, findings, (), (), log)


def test_the_page_of_10000_users(report: FleetReport, tmp_path: Path) -> None:
    pages = {"html": as_html, "json": as_json}
    for name, make in pages.items():
        tracemalloc.start()
        size = sum(len(piece) for piece in make(report))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"{name}: {size / 1e6:.1f} MB, peak {peak / 1e6:.1f} MB")
        assert size < 8e6
        assert peak < 12e6
    rows = [[str(cell) for cell in range(11)]] * USERS
    started = time.perf_counter()
    floor_rows = sum(len(piece) for piece in page(Page("", "", (), "", (), (Section("", "", "abcdefghijk", rows),))))
    floor = time.perf_counter() - started
    started = time.perf_counter()
    whole = sum(len(piece) for piece in as_html(report))
    took = time.perf_counter() - started
    print(f"time: {took / floor:.1f} times a bare table of as many cells ({whole / floor_rows:.1f} times as large)")
    assert took < 5 * floor
    assert json.loads("".join(as_json(report)))["summary"]["users"] == USERS
