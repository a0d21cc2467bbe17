"""`provision reconcile` on a real workspace: changes, nothing to do, dry runs, failures, exit codes, a killed run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rotatecraft import Fleet
from test_notify import SECRET, Recorder

from provision.aisa.simulator import Simulator
from provision.files import locked
from provision.push import engine


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator) -> Fleet:
    return Fleet(tmp_path, sim)


def loop(fleet: Fleet, *arguments: str, expect: int = 0) -> dict[str, Any]:
    code = fleet.provision("reconcile", "--feed", str(fleet.folder / "feed"), *arguments, "-f", "json")
    assert code == expect, fleet.out
    found: dict[str, Any] = json.loads(fleet.out)
    assert found["schema"] == "provision/reconcile/v1"
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def steps(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["step"].partition(" ")[0]: step for step in found["steps"]}


def test_the_loop_until_nothing_is_left(fleet: Fleet, sim: Simulator) -> None:
    first = loop(fleet)
    assert steps(first)["feed"]["changed"]
    asked = sim.count
    before = files(fleet.root), files(fleet.folder / "feed")
    assert fleet.provision("reconcile", "--feed", str(fleet.folder / "feed"), "--detailed-exitcode") == 0
    assert fleet.out.splitlines()[-1] == "nothing changed: 0 added, 0 changed, 0 removed, 0 failed, 3 unchanged"
    assert (files(fleet.root), files(fleet.folder / "feed")) == before
    assert sim.count == asked, "unchanged users are not asked about again"


def test_what_changes_is_rendered_published_and_validated(fleet: Fleet, sim: Simulator) -> None:
    loop(fleet)
    profile = fleet.root / "profiles" / "team.yaml"
    profile.write_text(profile.read_text() + "context_length: 128000\n")
    would = loop(fleet, "--dry-run", "--detailed-exitcode", expect=10)
    assert len(steps(would)["bundles"]["changed"]) == 3
    assert "context_length" in str(would)
    done = loop(fleet, "--detailed-exitcode", expect=10)
    assert done["summary"] == "0 added, 3 changed, 0 removed, 0 failed, 0 unchanged"
    assert len(steps(done)["feed"]["changed"]) == 3
    assert loop(fleet)["changed"] is False


def test_a_dry_run_writes_nothing(fleet: Fleet) -> None:
    profile = fleet.root / "profiles" / "team.yaml"
    profile.write_text(profile.read_text() + "context_length: 128000\n")
    for user in fleet.users:
        fleet.machines[user].poll(fleet.root / "dist", fleet.drop)
    before = files(fleet.root)
    loop(fleet, "--dry-run", "--receipts", str(fleet.drop))
    assert {name: data for name, data in files(fleet.root).items() if not name.startswith(".provision/")} == {
        name: data for name, data in before.items() if not name.startswith(".provision/")
    }
    assert not (fleet.folder / "feed").exists()


def test_receipts_are_imported_once(fleet: Fleet) -> None:
    for machine in fleet.machines.values():
        machine.certify(fleet.drop)
    assert len(steps(loop(fleet, "--receipts", str(fleet.drop)))["receipts"]["changed"]) == 3
    assert steps(loop(fleet, "--receipts", str(fleet.drop)))["receipts"]["unchanged"] == 3


def test_a_refused_key_is_said_at_every_run_until_it_is_repaired(fleet: Fleet, sim: Simulator) -> None:
    sim.revoke(fleet.keys["bob"])
    for _ in range(2):
        assert steps(loop(fleet, expect=4))["gateway"]["failed"][0].startswith("bob: key_invalid")
    sim.set_key(fleet.keys["bob"], "valid")
    assert loop(fleet)["changed"] is False


def test_a_gateway_out_of_reach_is_asked_again(fleet: Fleet, sim: Simulator) -> None:
    sim.configure(auth_available=False)
    assert len(steps(loop(fleet, expect=4))["gateway"]["failed"]) == 3
    sim.configure(auth_available=True)
    assert steps(loop(fleet))["gateway"]["unchanged"] == 3


def test_a_workspace_with_errors_builds_nothing(fleet: Fleet) -> None:
    loop(fleet)
    before = files(fleet.root / "dist"), files(fleet.folder / "feed")
    profile = fleet.root / "profiles" / "team.yaml"
    profile.write_text(profile.read_text() + "hermes: {mcp_servers: {git: {allowed_tools: [x]}}}\n")
    assert fleet.provision("reconcile", "--feed", str(fleet.folder / "feed")) == 1
    assert (files(fleet.root / "dist"), files(fleet.folder / "feed")) == before


def test_a_user_who_is_gone_and_a_feed_that_was_damaged(fleet: Fleet) -> None:
    loop(fleet)
    del fleet.machines["cyd"]
    fleet.write_inventory()
    gone = loop(fleet)
    assert gone["summary"] == "0 added, 0 changed, 1 removed, 0 failed, 2 unchanged"
    assert any("cyd" in line for line in gone["due"]), "the key of a user who is gone"
    assert not (fleet.root / "dist" / "cyd").exists()
    (fleet.folder / "feed" / "index").rename(fleet.folder / "lost")
    assert loop(fleet)["changed"] is True
    assert (fleet.folder / "feed" / "index").is_dir()
    assert loop(fleet)["changed"] is False


def test_two_loops_do_not_run_at_once(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    loop(fleet)
    with locked(fleet.root / ".provision" / "reconcile.lock", "another run"):
        assert fleet.provision("reconcile") == 1
        assert "another run" in capsys.readouterr().err


def test_rotations_that_were_begun_go_on_and_none_is_begun(fleet: Fleet, sim: Simulator) -> None:
    loop(fleet)
    assert not (fleet.root / "rotations").exists()
    new = fleet.new_keys()
    fleet.keys_file(new)
    args = ("--from", str(fleet.folder / "new.csv"), "--waves", "100%", "--idle-for", "0", "--yes")
    assert fleet.provision("rotate", "start", *args) in (0, 4)
    found = loop(fleet)
    assert steps(found)["rotations"]["changed"] or steps(found)["rotations"]["waiting"]
    assert not any(key in json.dumps(found) for key in (*fleet.keys.values(), *new.values()))
    for user in fleet.users:
        fleet.machines[user].poll(fleet.root / "dist", fleet.drop)
    loop(fleet, "--receipts", str(fleet.drop))
    due = loop(fleet, "--receipts", str(fleet.drop))["due"]
    assert any("to revoke" in line for line in due), due
    assert all(sim.known_keys()[key].value == "valid" for key in fleet.keys.values()), "nothing is revoked"


def test_it_is_told_once_and_the_page_is_written(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine was heard of: one message, not again at the next run, none in a dry run. A page that cannot be written fails."""
    recorder, page = Recorder(), fleet.folder / "report.html"
    try:
        settings = fleet.root / "provision.toml"
        target = f'[[notify]]\nkind = "webhook"\nurl = "{recorder.url}"\nsecret_from = "env:HOOK_SECRET"\n'
        settings.write_text(f"{settings.read_text()}\n{target}")
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        shutil.rmtree(fleet.root / "receipts")
        loop(fleet)
        assert not recorder.seen, "no operator approved the target"
        assert fleet.provision("operators", "approve", "--yes") == 0
        loop(fleet, "--dry-run", "--report", str(page))
        assert not recorder.seen
        assert not page.exists()
        first = loop(fleet, "--report", str(page))
        assert "report" not in steps(first)
        (message,) = recorder.documents
        assert {user for user in fleet.users if user in json.dumps(message)} == set(fleet.users)
        assert page.read_text().startswith("<!doctype html>")
        assert loop(fleet, "--report", str(page))["changed"] is False
        assert len(recorder.seen) == 1
        failed = loop(fleet, "--report", str(fleet.folder / "no" / "folder" / "x.html"), expect=4)
        assert steps(failed)["report"]["failed"]
        said = json.dumps(recorder.documents) + page.read_text()
        assert not any(key in said for key in fleet.keys.values())
    finally:
        recorder.close()


def test_a_run_killed_before_the_record_is_repeated(fleet: Fleet, sim: Simulator) -> None:
    loop(fleet)
    (fleet.root / ".provision" / "reconciled.json").write_text("{ torn")
    asked = sim.count
    assert loop(fleet)["changed"] is False
    assert sim.count > asked
    (fleet.root / ".provision" / "reconciled.json").unlink()
    assert loop(fleet)["changed"] is False


def test_an_inbox_with_nothing_new_is_no_failure(fleet: Fleet) -> None:
    """Empty; with a receipt that a deployment overtook; with one of a user who left. A folder that is not there is one."""
    inbox = fleet.folder / "inbox"
    inbox.mkdir()
    assert steps(loop(fleet, "--receipts", str(inbox)))["receipts"]["failed"] == []
    ada, bob = fleet.machines["ada"], fleet.machines["bob"]
    ada.certify(inbox)
    bob.certify(inbox)
    ada.certify(fleet.drop)
    assert fleet.provision("receipts", "import", str(fleet.drop)) == 0
    assert fleet.provision("users", "leave", "bob", "--yes") in (0, 4)
    loop(fleet)
    found = steps(loop(fleet, "--receipts", str(inbox)))["receipts"]
    assert (found["changed"], found["failed"], found["unchanged"]) == ([], [], 2)
    missing = steps(loop(fleet, "--receipts", str(fleet.folder / "mistyped"), expect=4))
    assert "mistyped" in missing["receipts"]["failed"][0]
    assert missing["gateway"]["unchanged"] == 2


def test_a_step_that_fails_does_not_keep_the_others_from_running(
    fleet: Fleet, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = {user: {"host": f"{user}.example"} for user in fleet.users}
    fleet.write_inventory(**hosts)
    (fleet.folder / "feed").write_text("a file in the place of the folder")
    monkeypatch.setattr(engine, "find_playbook_command", lambda _: fleet.folder / "no-program")
    found = loop(fleet, "--deploy", "--receipts", str(fleet.drop), expect=4)
    assert steps(found)["feed"]["failed"]
    assert steps(found)["machines"]["unchanged"] == 3
    for machine in fleet.machines.values():
        machine.generation = 0
    profile = fleet.root / "profiles" / "team.yaml"
    profile.write_text(profile.read_text() + "context_length: 128000\n")
    asked = sim.count
    found = loop(fleet, "--deploy", expect=4)
    assert "no-program" in steps(found)["machines"]["failed"][0]
    assert sim.count > asked
    assert steps(found)["gateway"]["failed"] == []


def test_a_workspace_with_errors_moves_no_rotation(fleet: Fleet) -> None:
    new = fleet.new_keys()
    fleet.keys_file(new)
    args = ("--from", str(fleet.folder / "new.csv"), "--waves", "100%", "--idle-for", "0", "--yes")
    assert fleet.provision("rotate", "start", *args) in (0, 4)
    fleet.poll()
    assert fleet.provision("receipts", "import", str(fleet.drop)) == 0
    before = files(fleet.root / "rotations")
    profile = fleet.root / "profiles" / "team.yaml"
    profile.write_text(profile.read_text() + "hermes: {mcp_servers: {git: {allowed_tools: [x]}}}\n")
    assert fleet.provision("reconcile") == 1
    assert files(fleet.root / "rotations") == before
