"""The demo: its summary counts only what was verified, and every verdict has a user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provision.aisa.verdicts import Verdict
from provision.cli.demo.acts import search_for_keys
from provision.cli.demo.problems import demo_problems
from provision.cli.demo.stage import DemoFailedError, DemoStage
from provision.cli.demo.summary import demo_summary
from provision.cli.demo.users import DEMO_USERS, wizard_config


def status(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ok": True,
        "checks": {"model": {"ok": True}},
        "route": {"key_fingerprint": "fp_a", "model": "gpt-5.2", "path": "/v1/chat/completions"},
        "installed": {"key_fingerprint": "fp_a", "profile": "engineering"},
    }
    return found | changes


def test_the_summary_counts_machines_that_are_right_in_everything() -> None:
    verdicts = {user.id: "ok" for user in DEMO_USERS}
    statuses = {user.id: status() for user in DEMO_USERS}
    text = demo_summary(verdicts, statuses, "no key was found", "hermes agrees")
    assert "5 of 5 machines" in text
    assert text.endswith("No key was found.\nHermes agrees.\n")
    verdicts["ada"] = "key_invalid"
    statuses["grace"] = status(checks={"model": {"ok": False}})
    statuses["linus"] = status(installed={"key_fingerprint": "fp_b", "profile": "engineering"})
    text = demo_summary(verdicts, statuses)
    assert "2 of 5 machines" in text
    assert [word in text for word in ("key_invalid", "PROBLEM", "WRONG")] == [True] * 3


def test_every_verdict_but_ok_has_a_user() -> None:
    verdicts = [problem.verdict for problem in demo_problems("http://127.0.0.1:1")]
    assert sorted(verdicts) == sorted(set(Verdict) - {Verdict.OK})


@pytest.fixture
def stage(tmp_path: Path) -> DemoStage:
    made = DemoStage(tmp_path, lambda _: None)
    for user in DEMO_USERS:
        if user.id != "alan":
            made.hermes_home(user.id).mkdir(parents=True)
            (made.hermes_home(user.id) / ".env").write_text(f"AISA_API_KEY={user.key}\n")
    return made


def test_keys_may_be_in_the_env_files_of_their_users_only(stage: DemoStage) -> None:
    assert "4 files searched" in search_for_keys(stage)
    config = stage.hermes_home("grace") / "config.yaml"
    config.write_text(wizard_config("http://x", DEMO_USERS[0].key))
    with pytest.raises(DemoFailedError, match="the key of ada is in clear text in machines/grace"):
        search_for_keys(stage)


def test_a_key_that_is_missing_is_a_failure_too(stage: DemoStage) -> None:
    (stage.hermes_home("ada") / ".env").unlink()
    with pytest.raises(DemoFailedError, match="3 keys found"):
        search_for_keys(stage)
