"""`provision keys demo`: the last day of keys, set, listed and removed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import keysmith
import pytest

from provision.cli.keys.demo import _demo_state
from provision.cli.main import run
from provision.keys.vault.ledger import Stage


def test_states() -> None:
    made = keysmith.vault(ada=keysmith.key().reveal())
    today = keysmith.NOW.date()
    known = made.set_demo("ada", 1, today)
    assert _demo_state(known, today) == "valid"
    assert _demo_state(known, today + timedelta(days=1)) == "expired"
    made.set_stage("ada", 1, Stage.RETIRED)
    (retired,) = made.versions("ada")
    assert _demo_state(retired, today + timedelta(days=1)) == "retired"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--until", "2999-01-01"],
        ["--clear"],
        ["ada"],
        ["ada", "--clear", "--until", "2999-01-01"],
        ["ada", "--until", "x"],
    ],
)
def test_contradictions(workspace: Path, arguments: list[str]) -> None:
    assert run(["keys", "demo", *arguments]) == 2


def test_an_expired_key_in_use_is_a_finding(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = keysmith.vault(ada=keysmith.key().reveal(), bob=keysmith.key().reveal())
    made.set_demo("ada", 1, keysmith.NOW.date())
    (workspace / "keys.vault").write_bytes(made.serialised())
    assert run(["keys", "demo", "-f", "json"]) == 10
    (row,) = json.loads(capsys.readouterr().out)["keys"]
    assert (row["user"], row["state"]) == ("ada", "expired")
    made.set_stage("ada", 1, Stage.RETIRED)
    (workspace / "keys.vault").write_bytes(made.serialised())
    assert run(["keys", "demo"]) == 0
    assert capsys.readouterr().err == "0 demo keys in use, 0 expired\n"
