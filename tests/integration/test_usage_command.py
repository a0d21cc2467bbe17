"""`provision usage` as an operator runs it against the simulator: states, formats, exit codes, kill and resume, no secrets."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import signal
import time
from pathlib import Path

import pytest
from aisa_workspace import Operator, fresh_key, workspace

from provision.aisa.simulator import KeyState, Simulator

USERS = ("ada", "bob", "eve", "joe", "kim", "lea", "tom")


@pytest.fixture
def sim():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def keys(sim: Simulator) -> dict[str, str]:
    made = {user: fresh_key() for user in USERS}
    today = dt.datetime.now(dt.UTC).date().isoformat()
    sim.add_key(made["ada"], used_micros=2_000_000, spent={(today, "gpt-5.2"): 1_500_000})
    sim.add_key(made["bob"], used_micros=30_000_000, spent={(today, "gpt-5.2"): 29_000_000, (today, "grok-4.3"): 1})
    sim.add_key(made["eve"], used_micros=0)
    sim.add_key(made["joe"], KeyState.REVOKED)
    sim.add_key(made["kim"], used_micros=900_000, cap_micros=1_000_000)
    sim.add_key(made["lea"], KeyState.KEY_BUDGET)
    made["tom"] = made["ada"]
    return made


@pytest.fixture
def operator(tmp_path: Path, sim: Simulator, keys: dict[str, str]) -> Operator:
    operator = workspace(
        tmp_path, sim.base_url, [{"id": user} for user in USERS], {u: k for u, k in keys.items() if u != "tom"}
    )
    operator.run("keys", "import", "-", "--allow-shared", stdin=f"user,key\ntom,{keys['tom']}\n")
    with (operator.root / "profiles/team.yaml").open("a") as file:
        file.write("budget_usd_month: 20\n")
    return operator


@pytest.mark.parametrize("shape", ["rows", "models"])
def test_states_and_sums(operator: Operator, sim: Simulator, shape: str) -> None:
    sim.configure(usage_shape=shape)
    found = json.loads(operator.run("usage", "-f", "json", expect=10).stdout)
    assert found["schema"] == "provision/usage/v1"
    users = {u["user"]: u for u in found["users"]}
    assert {name: u["state"] for name, u in users.items()} == {
        "ada": "ok", "bob": "over", "eve": "unused", "joe": "unknown", "kim": "near", "lea": "over", "tom": "ok",
    }  # fmt: skip
    assert (users["ada"]["month_low_micros"], users["ada"]["month_high_micros"], users["ada"]["shared_with"]) == (
        1_500_000,
        1_500_000,
        1,
    )
    assert found["models"] == [
        {"model": "gpt-5.2", "requests": 2, "micros": 30_500_000}, {"model": "grok-4.3", "requests": 1, "micros": 1},
    ]  # fmt: skip
    assert found["teams"][0]["users"] == 7
    assert all(isinstance(u[name], int | None) for u in users.values() for name in u if name.endswith("_micros"))


def test_without_usage_the_balance_bounds_the_month(operator: Operator, sim: Simulator) -> None:
    sim.configure(usage_served=False)
    first = json.loads(operator.run("usage", "-f", "json", expect=10).stdout)
    states = {
        u["user"]: (u["state"], u["month_low_micros"], u["month_high_micros"], u["requests"]) for u in first["users"]
    }
    assert states["ada"] == ("ok", 0, 2_000_000, None)
    assert states["bob"] == ("unknown", 0, 30_000_000, None)
    more = sim._gateway.keys  # the simulator's own books
    for record in more.values():
        record.used_micros += 21_000_000
    second = json.loads(operator.run("usage", "-f", "json", expect=10).stdout)
    bob = next(u for u in second["users"] if u["user"] == "bob")
    assert (bob["state"], bob["month_low_micros"]) == ("over", 21_000_000)


def test_exit_codes(operator: Operator) -> None:
    operator.run("usage", "--fail-on", "none", expect=4)  # joe's and bob's budgets cannot be checked
    operator.run("usage", "-l", "eve", expect=0)
    operator.run("usage", "-l", "eve", "--fail-on", "unused", expect=10)
    operator.run("usage", "--fail-on", "nothing", expect=2)
    operator.run("usage", "--since", "tomorrow", expect=2)
    operator.run("usage", "--since", "2999-01-01", expect=2)
    earlier = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=60)
    operator.run("usage", "--resume", "--since", str(earlier), expect=2)


def test_every_format_and_no_secret(operator: Operator, sim: Simulator, keys: dict[str, str]) -> None:
    sim.configure(usage_shape="rows")
    table = operator.run("usage", "--all", expect=10).stdout
    assert "7 users: 2 over, 1 near, 1 unused, 2 ok, 1 unknown" in table
    rows = list(csv.DictReader(io.StringIO(operator.run("usage", "-f", "csv", expect=10).stdout)))
    assert {row["user"]: row["state"] for row in rows}["bob"] == "over"
    html = operator.run("usage", "-f", "html", expect=10).stdout
    assert "over (2)" in html
    metrics = operator.run("usage", "-f", "prometheus", expect=10).stdout
    assert 'provision_usage_users{state="over"} 2' in metrics
    kept = "".join(p.read_text("latin-1") for p in (operator.root / ".provision").rglob("*") if p.is_file())
    for key in keys.values():
        assert not any(key[8:20] in text for text in (table, str(rows), html, metrics, kept))


def test_only_free_reads_and_a_shared_key_once(operator: Operator, sim: Simulator) -> None:
    operator.run("usage", expect=10)
    asked = [(r.method, r.path) for r in sim.requests]
    assert set(asked) == {("GET", "/v1/credits/balance"), ("GET", "/v1/usage")}
    assert len(asked) == 6 + 5  # six distinct keys; the revoked one has no usage


def test_a_killed_run_is_resumed(operator: Operator, sim: Simulator) -> None:
    sim.limit(4, 1.0)
    process = operator.start("usage", "--concurrency", "1", "-f", "json")
    deadline = time.monotonic() + 20
    while len(sim.requests) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sim.limit(10_000)
    sent = len(sim.requests)
    found = json.loads(operator.run("usage", "--resume", "-f", "json", expect=10).stdout)
    assert len(found["users"]) == 7
    assert len(sim.requests) - sent < 11
