"""The results of `install`, `pull` and `status`: what changed, where requests go, what to restart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bundlecraft import Shop

from provision.bundle.manifest import MANIFEST, Manifest, parse_manifest
from provision.endpoint.install import InstallReport
from provision.endpoint.plan import FileChange, InstallPlan
from provision.endpoint.probe_hermes import ProbeAnswer
from provision.endpoint.processes import RunningHermes
from provision.endpoint.route_check import RouteCheck, RouteExpectation
from provision.endpoint.state import InstalledBundle, KeptFiles
from provision.endpoint.status import Drift, HomeStatus
from provision.feed.pull import PullResult
from provision.feed.state import PullState
from provision.fleet.desired import SecretDelivery
from provision.hermes.removed_setting import RemovedSetting
from provision.hermes.routing.hazards import Hazard
from provision.hermes.routing.route import Route
from provision.report import home_status
from provision.report.install import as_json, as_table, pull_as_json, pull_as_table, restart_lines

HOME = Path("/home/ada/.hermes")
URL = "https://api.aisa.one/v1/chat/completions"
ROUTE = Route(url=URL, model="gpt-5.2", api_mode="chat_completions", key_fingerprint="fp_aaaa", key_source=".env")
GOOD = RouteCheck(ROUTE, {"model": RouteExpectation(True, "gpt-5.2", "gpt-5.2")})
BAD = RouteCheck(
    replace(ROUTE, hazards=(Hazard("plain-http", "config.yaml:3", "http", "use https"),)),
    {"model": RouteExpectation(False, "gpt-5.2", "gpt-\x1b[31m4")},
)
PLAN = InstallPlan(
    home=(FileChange("config.yaml", b""),),
    set_=("model.default",),
    removed=(RemovedSetting(".env", "line 3", "it would send requests elsewhere", "htt…"),),
    kept_settings=1,
    kept_lines=2,
)
OLD = RunningHermes(3, "hermes chat", True, started=50.0)
GATEWAY = RunningHermes(4, "hermes gateway", True, started=50.0)
NEW = RunningHermes(5, "hermes chat", True, started=150.0)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return parse_manifest(Shop(users=("ada",)).bundle("ada")[MANIFEST])


def report(manifest: Manifest, **changes: object) -> InstallReport:
    fields: dict[str, object] = {"plan": PLAN, "check": GOOD, "recovered": False, "running": ()}
    return InstallReport(manifest=manifest, home=HOME, **fields | changes)  # type: ignore[arg-type]


def test_the_table_says_what_changed_and_what_was_kept(manifest: Manifest) -> None:
    brief, text = as_table(report(manifest)), as_table(report(manifest), verbose=True)
    assert "  set      1 setting (-v lists them)\n" in brief
    assert "model.default" not in brief
    assert brief.endswith("you are ready: start Hermes with: hermes chat\n")
    run = manifest.model_copy(update={"secret_delivery": SecretDelivery.RUN})
    assert as_table(report(run)).endswith("start Hermes with: provision run -- hermes chat\n")
    assert "you are ready" not in as_table(report(manifest, check=BAD)) + as_table(report(manifest), dry_run=True)
    assert "  set      model.default\n" in text
    assert "  removed  .env: line 3 (htt…): it would send requests elsewhere\n" in text
    assert "  kept     1 setting and 2 .env lines of your own\n" in text
    assert f"route: {URL}, model gpt-5.2, key fp_aaaa\n" in text
    assert "ATTENTION" not in text


def test_a_dry_run_does_not_claim_to_have_done_anything(manifest: Manifest) -> None:
    text = as_table(report(manifest), dry_run=True)
    assert "  would be set      model.default\n" in text
    empty = as_table(report(manifest, plan=InstallPlan(home=())), dry_run=True)
    assert "nothing would be changed\n" in empty
    assert "already installed" in as_table(report(manifest, plan=InstallPlan(home=())))


def test_a_wrong_route_cannot_be_missed(manifest: Manifest) -> None:
    text = as_table(report(manifest, check=BAD))
    assert "WRONG model: expected gpt-5.2; is gpt-\\x1b[31m4\n" in text
    assert "[plain-http] config.yaml:3: http; use https\n" in text
    assert "ATTENTION" in text
    assert json.loads(as_json(report(manifest, check=BAD), None))["ok"] is False


def test_an_unknown_process_list_is_not_an_empty_one(manifest: Manifest) -> None:
    assert "cannot tell whether Hermes is running" in as_table(report(manifest, running=None))
    assert "cannot tell" not in as_table(report(manifest, running=()))
    assert json.loads(as_json(report(manifest, running=None), None))["restart"] is None
    found = json.loads(as_json(report(manifest, running=(OLD, GATEWAY, NEW), key_since=100.0), None))
    assert [process["holds_old_key"] for process in found["restart"]] == [True, None, False]


@pytest.mark.parametrize(
    ("since", "settings_changed", "expected"),
    [
        (100.0, False, {3: "holds the previous one", 4: "may still hold the previous key"}),
        (
            100.0,
            True,
            {3: "holds the previous one", 4: "may still have the old settings", 5: "may still have the old settings"},
        ),
        (None, False, {3: "may still hold", 4: "may still hold", 5: "may still hold"}),
        (10.0, False, {}),
    ],
)
def test_which_processes_to_restart(since: float | None, settings_changed: bool, expected: dict[int, str]) -> None:
    lines = restart_lines([OLD, GATEWAY, NEW], since, settings_changed=settings_changed)
    assert len(lines) == len(expected)
    for line, (pid, why) in zip(lines, expected.items(), strict=True):
        assert f"(pid {pid}): " in line
        assert why in line


def test_an_install_that_changed_nothing_restarts_only_for_the_key(manifest: Manifest) -> None:
    same = report(manifest, plan=InstallPlan(home=()), running=(OLD, NEW), key_since=100.0)
    assert "restart hermes chat (pid 3)" in as_table(same)
    assert "(pid 5)" not in as_table(same)
    assert "(pid 5)" in as_table(replace(same, plan=PLAN))


def test_a_pull_without_news(manifest: Manifest) -> None:
    state = PullState.model_validate({"url": "https://feed.example.com/e/" + "a" * 32, "home": str(HOME), "version": 4})
    idle = PullResult(None, state, not_modified=True)
    assert pull_as_table(idle, datetime.now(UTC)) == f"nothing new: generation ? is installed in {HOME}\n"
    assert pull_as_table(replace(idle, report=report(manifest)), datetime.now(UTC)) == as_table(report(manifest))
    document = json.loads(pull_as_json(idle, None))
    assert (document["ok"], document["installed"], document["not_modified"]) == (True, False, True)
    assert json.loads(pull_as_json(replace(idle, report=report(manifest, check=BAD)), None))["ok"] is False


def status(manifest: Manifest | None, check: RouteCheck | None = GOOD, drift: tuple[Drift, ...] = ()) -> HomeStatus:
    installed = InstalledBundle(manifest, KeptFiles()) if manifest else None
    return HomeStatus(Path("/nowhere"), installed, check.route if check else ROUTE, check, drift)


def test_status_shows_checks_drift_and_the_answer_of_hermes(manifest: Manifest) -> None:
    found = status(manifest, BAD, (Drift("config.yaml", "model was changed"),))
    text = home_status.as_table(found, ProbeAnswer(None, "no \x1b[2Janswer"), [GATEWAY])
    assert f"generation {manifest.generation}" in text
    assert "check      model: WRONG: expected gpt-5.2" in text
    assert "drift      config.yaml: model was changed\n" in text
    assert "hermes     unknown: no \\x1b[2Janswer\n" in text
    assert "restart    hermes gateway (pid 4): it may still hold the previous key\n" in text


def test_status_of_a_home_that_provision_did_not_set_up() -> None:
    found = status(None, None)
    assert "installed  nothing: this home was not set up by provision\n" in home_status.as_table(found, None, None)
    document = json.loads(home_status.as_json(found, None, None))
    assert document["restart"] is None
    assert "hermes" not in document


def test_an_unknown_route_is_not_shown_as_right(manifest: Manifest) -> None:
    unknown = replace(status(manifest), route=Route(unknown="it is set in a plug-in"))
    text = home_status.as_table(unknown, None, ())
    assert "route      none\n" in text
    assert "unknown: it is set in a plug-in\n" in text


def test_auxiliary_tasks_are_one_line_and_removed_settings_are_not(manifest: Manifest) -> None:
    tasks = [
        f"config.yaml: auxiliary.{task}.{line}"
        for task in ("vision", "mcp")
        for line in ("provider = custom:aisa", "base_url = https://api.aisa.one/v1", "key_env = AISA_API_KEY")
    ]
    other = ("config.yaml: auxiliary.approval.provider = openrouter", "config.yaml: auxiliary.mcp.timeout = 9")
    gone = tuple(RemovedSetting("config.yaml", f"auxiliary.{t}.provider", "the team's", "x") for t in ("vision", "mcp"))
    plan = InstallPlan(home=(), set_=(*tasks, *other), removed=gone)
    lines = as_table(report(manifest, plan=plan), verbose=True).splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("  set ")] == [
        "config.yaml: 2 auxiliary tasks now use the team's provider (custom:aisa)", *other,
    ]  # fmt: skip
    assert sum(line.startswith("  removed ") for line in lines) == 2
    assert json.loads(as_json(report(manifest, plan=plan), None))["set"] == [*tasks, *other]
    few = InstallPlan(home=(), set_=tuple(tasks[:3]))
    assert f"  set      {tasks[0]}" in as_table(report(manifest, plan=few), verbose=True).splitlines()
