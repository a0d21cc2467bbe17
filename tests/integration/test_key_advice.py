"""Advice about keys never causes an outage, and each printed command works: `check`, `keys policy`, `report` say the same."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rotatecraft import Fleet

from provision.aisa.simulator import Simulator
from provision.cli.main import run
from provision.keys.vault import vault as vault_module


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet whose keys are 40 days old, with a limit of 30 days."""
    real = vault_module.utc_seconds
    monkeypatch.setattr(vault_module, "utc_seconds", lambda now: real(now - timedelta(days=40)))
    with Simulator() as sim:
        made = Fleet(tmp_path, sim, ["ada"])
        profile = made.root / "profiles" / "team.yaml"
        profile.write_text(profile.read_text() + "key_max_age_days: 30\n")
        yield made


def advice(fleet: Fleet) -> list[str]:
    """What `keys policy`, `check` and `report` advise, which must be the same."""
    out = fleet.folder / "out.json"
    run(["-q", "-w", str(fleet.root), "keys", "policy", "-f", "json", "-o", str(out)])
    policy = [each["cure"] for each in json.loads(out.read_text())["findings"]]
    run(["-q", "-w", str(fleet.root), "report", "-f", "json", "-o", str(out)])
    assert [each["cure"] for each in json.loads(out.read_text())["key_findings"]] == policy
    run(["-q", "-w", str(fleet.root), "check", "-f", "json", "-o", str(out)])
    hints = [
        each["hint"] for each in json.loads(out.read_text())["problems"] if each["rule"].startswith(("key-", "demo-"))
    ]
    assert sorted(hints) == sorted(policy)
    return policy


def follow(fleet: Fleet, text: str, *more: str) -> int:
    """Run the command of an advice."""
    (command,) = re.findall(r"provision (rotate [^;]*)", text)
    return fleet.provision(*shlex.split(command), *more)


def test_a_replaced_key_is_revoked_only_when_its_successor_is_proved_installed(fleet: Fleet) -> None:
    keys = fleet.new_keys("ada")
    assert fleet.provision("keys", "import", fleet.keys_file(keys)) == 0
    old = [text for text in advice(fleet) if "retire" in text]
    assert len(old) == 1
    assert not any("revoke" in text for text in advice(fleet))
    assert follow(fleet, old[0], "--idle-for", "0") == 0
    assert fleet.states() == {"ada": "delivered"}, "its bundle is built, but the machine has not confirmed"
    assert not any("revoke" in text for text in advice(fleet))
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.states() == {"ada": "delivered"}
    fleet.poll()
    for _ in range(2):
        assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) == 0
    assert fleet.listed() == {fleet.keys["ada"]}
    assert [text for text in advice(fleet) if text.startswith("revoke")] == [
        f"revoke it in the console, then: provision rotate resume {fleet.status()['id']}"
    ]
    fleet.revoke_listed()
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.stages("ada") == ["retired", "current"]
    fleet.nobody_without_a_key()
    assert fleet.provision("rotate", "finish") == 0


def test_a_user_in_a_rotation_is_not_told_to_rotate(fleet: Fleet) -> None:
    assert advice(fleet) == ["rotate it: provision rotate start --from KEYS.csv -l ada"]
    keys = fleet.keys_file(fleet.new_keys("ada"))
    assert fleet.provision("rotate", "start", "--from", keys, "--yes", "--idle-for", "0") == 0
    for text in advice(fleet):
        assert "handles it (delivered)" in text
        assert follow(fleet, text) == 0


def test_keys_of_a_user_who_left_are_retired_by_the_printed_command(fleet: Fleet) -> None:
    fleet.machines.clear()
    (fleet.root / "inventory.yaml").write_text("users: []\n")
    (text,) = advice(fleet)
    assert "leaked fp_" in text
    assert follow(fleet, text) == 10
    fleet.revoke_listed()
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.stages("ada") == ["retired"]


def test_retire_refuses_what_it_cannot_prove(fleet: Fleet) -> None:
    assert fleet.provision("rotate", "retire") == 3
    assert fleet.provision("rotate", "retire", "ada") == 10
    assert fleet.provision("rotate", "retire", "zoe") == 10


def test_a_key_on_standard_input_is_named(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def paste(text: str) -> None:
        stdin = SimpleNamespace(buffer=io.BytesIO(text.encode()), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stdin)

    paste(fleet.keys["ada"] + "\n")
    assert fleet.provision("keys", "whose", "-") == 0
    assert re.search(r"ada +1 +current +fp_", fleet.out)
    assert fleet.keys["ada"] not in fleet.out
    paste("sk-aisa-unknown")
    assert fleet.provision("keys", "whose", "-") == 3
    paste("")
    assert fleet.provision("keys", "whose", "-") == 2
    paste(fleet.keys["ada"])
    assert fleet.provision("rotate", "leaked", "-") == 10
    assert fleet.listed() == {fleet.keys["ada"]}
    paste(fleet.keys["ada"])
    assert fleet.provision("keys", "whose", "-") == 0
    assert "(exposed)" in fleet.out
