"""`provision keys policy`: a row per profile and limit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import keysmith

from provision.cli.context import Run
from provision.cli.keys.policy import ages_by_limit
from provision.cli.main import run
from provision.fleet.load import load_fleet
from provision.keys.policy import ADVISED_DAYS


def test_rows(workspace: Path) -> None:
    (workspace / "profiles" / "strict.yaml").write_text("model: gpt-5.2\nkey_max_age_days: 30\n")
    users = "".join(
        f"  - {{id: {user}, profile: {profile}, recipients: []}}\n"
        for user, profile in (("ada", "team"), ("bob", "strict"), ("cyd", "strict"), ("dan", "strict"))
    )
    (workspace / "inventory.yaml").write_text(f"users:\n{users}")
    made = keysmith.vault(ada=keysmith.key().reveal(), bob=keysmith.key().reveal())
    made.add("cyd", keysmith.key(), now=keysmith.NOW + timedelta(days=20))
    now = keysmith.NOW + timedelta(days=31)
    strict, team = ages_by_limit(made, load_fleet(Run().open_workspace()).states, now)
    assert strict == {
        "profile": "strict",
        "max_age_days": 30,
        "set": True,
        "keys": 2,
        "oldest_days": 31,
        "overdue": 1,
        "next_due_days": 19,
    }
    assert (team["max_age_days"], team["set"], team["overdue"]) == (ADVISED_DAYS, False, 0)


def test_an_overdue_key_by_the_profiles_own_limit_is_a_finding(workspace: Path) -> None:
    (workspace / "keys.vault").write_bytes(keysmith.vault(ada=keysmith.key().reveal()).serialised())
    assert run(["keys", "policy"]) == 0, "older than the advice is a warning"
    (workspace / "profiles" / "team.yaml").write_text("model: gpt-5.2\nkey_max_age_days: 1\n")
    assert run(["keys", "policy"]) == 10
