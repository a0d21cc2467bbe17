"""Every state of a user in a rotation x every event: each pair ends in a named state, by the printed next steps alone."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet, printed_commands

from provision.aisa import retry
from provision.aisa.simulator import KeyState, Simulator
from provision.cli.main import run

GO = ("--yes", "--idle-for", "0")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.01, 0.01))


class Desk:
    """An operator who only does what the tool prints: revokes what is listed, delivers, and runs the next command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.sim = Simulator()
        self.sim.__enter__()
        self.fleet = Fleet(folder, self.sim, ["ada", "zoe"])
        self.old = self.fleet.keys["ada"]
        self.new = ""
        self.said = ""
        self.ran: list[object] = []
        self.tried: set[str] = set()

    def run(self, *words: str) -> int:
        self.capsys.readouterr()
        code = run(["-w", str(self.fleet.root), *words])
        self.said = "".join(self.capsys.readouterr())
        self.ran.append((words, code, self.said[:300]))
        return code

    def start(self, *waves: str, state: KeyState = KeyState.VALID, users: tuple[str, ...] = ("ada",)) -> None:
        keys = self.fleet.new_keys("ada", state=state) | (self.fleet.new_keys("zoe") if "zoe" in users else {})
        self.new = keys["ada"]
        ordered = {user: keys[user] for user in users}
        self.run("rotate", "start", "--from", self.fleet.keys_file(ordered), *GO, "--waves", *(waves or ("100%",)))

    def resume(self, *more: str) -> int:
        return self.run("rotate", "resume", "--receipts", str(self.fleet.drop), *more)

    def try_printed(self) -> None:
        """Run every command that was printed, as a dry run: none is refused."""
        new = [line for line in self.said.splitlines() if line not in self.tried]
        self.tried.update(new)
        self.fleet.try_cures("\n".join(new), "ada")

    def cut(self, event: str) -> None:
        """The journal as a crash leaves it right before the last entry of this event."""
        journal = self.fleet.journals()[-1]
        lines = journal.read_text().splitlines(keepends=True)
        last = max(n for n, line in enumerate(lines) if f'"event":"{event}"' in line)
        journal.write_text("".join(lines[:last]))

    def poll(self) -> None:
        self.fleet.poll()

    def name(self, key: str) -> str:
        from provision.detect.fingerprint import fingerprint

        return fingerprint(key, self.fleet.vault().salt)

    def states(self) -> dict[str, list[str]]:
        """The states of ada in all rotations, oldest first."""
        import json

        out = self.fleet.folder / "all.json"
        run(["-q", "-w", str(self.fleet.root), "rotate", "status", "--all", "-f", "json", "-o", str(out)])
        rows = json.loads(out.read_text())["rotations"]
        return {r["id"]: [u["state"] for u in r["users"] if u["user"] == "ada"] for r in rows if r["ended"] is None}

    def to_revoke(self) -> set[str]:
        import json

        out = self.fleet.folder / "all.json"
        run(["-q", "-w", str(self.fleet.root), "rotate", "status", "--all", "-f", "json", "-o", str(out)])
        vault = self.fleet.vault()
        found = set()
        for rotation in json.loads(out.read_text())["rotations"]:
            for row in rotation["revoke"]:
                known = vault.version_of(row["user"], row["key"])
                assert known is not None
                found.add(vault.value(known.user, known.version).reveal())
        return found


def pending(desk: Desk) -> None:
    desk.start("1,1", users=("zoe", "ada"))
    assert [*desk.states().values()] == [["pending"]]


def released(desk: Desk) -> None:
    """Built, but the push failed: the machine is unreachable."""
    desk.start()
    desk.cut("handed over")
    assert [*desk.states().values()] == [["released"]]


def delivered(desk: Desk) -> None:
    desk.start()
    assert [*desk.states().values()] == [["delivered"]]


def installed(desk: Desk) -> None:
    """Delivered and installed; the receipt was not imported yet."""
    desk.start()
    desk.poll()
    assert [*desk.states().values()] == [["delivered"]]


def current(desk: Desk) -> None:
    installed(desk)
    desk.resume()
    assert [*desk.states().values()] == [["current"]]


def listed(desk: Desk) -> None:
    current(desk)
    desk.resume()
    assert [*desk.states().values()] == [["to revoke"]]


def rejected(desk: Desk) -> None:
    desk.start(state=KeyState.REVOKED)
    assert [*desk.states().values()] == [["rejected"]]


def rolled_back(desk: Desk) -> None:
    current(desk)
    assert desk.run("rotate", "rollback", "--limit", "ada") == 0
    assert [*desk.states().values()] == [["delivered"]]


def exposed(desk: Desk) -> None:
    desk.run("rotate", "leaked", "ada")
    assert [*desk.states().values()] == [["exposed"]]


def exposed_with_key(desk: Desk) -> None:
    keys = desk.fleet.new_keys("ada")
    desk.new = keys["ada"]
    desk.run("rotate", "leaked", "ada", "--from", desk.fleet.keys_file(keys))
    assert [*desk.states().values()] == [["exposed"]]


def without_key(desk: Desk) -> None:
    exposed(desk)
    desk.sim.revoke(desk.old)
    desk.resume()
    assert [*desk.states().values()] == [["without a key"]]


def leak_delivered(desk: Desk) -> None:
    exposed_with_key(desk)
    desk.sim.revoke(desk.old)
    desk.resume()
    assert [*desk.states().values()] == [["delivered"]]


def planned(desk: Desk) -> None:
    """The process died between the plan and the vault: nothing but the journal was written."""
    before = desk.fleet.folder / "before"
    shutil.copytree(desk.fleet.root, before)
    desk.start()
    (journal,) = desk.fleet.journals()
    lines = journal.read_text().splitlines(keepends=True)
    begin = next(n for n, line in enumerate(lines) if '"begin"' in line)
    shutil.rmtree(desk.fleet.root)
    shutil.copytree(before, desk.fleet.root)
    journal.parent.mkdir(exist_ok=True)
    journal.write_text("".join(lines[: begin + 1]))
    assert [*desk.states().values()] == [["planned"]]


def probed(desk: Desk) -> None:
    """The process died after the bundle was built, before the journal said so."""
    desk.start()
    desk.cut("built")
    assert [*desk.states().values()] == [["probed"]]


def confirmed(desk: Desk) -> None:
    """The process died after the vault made the new key current, before the journal said so."""
    current(desk)
    desk.cut("promoted")
    assert [*desk.states().values()] == [["confirmed"]]


def dead(desk: Desk) -> None:
    """The process died after the vault retired the old key, before the journal said so."""
    listed(desk)
    desk.sim.revoke(desk.old)
    desk.resume()
    desk.cut("filed")
    assert [*desk.states().values()] == [["dead"]]


def unconfirmed(desk: Desk) -> None:
    """The machine did not answer in time."""
    desk.start()
    desk.resume("--confirm-within", "0")
    assert "unconfirmed" in desk.said


def paused(desk: Desk) -> None:
    """All users were rolled back."""
    current(desk)
    assert desk.run("rotate", "rollback", "--yes") == 0
    assert "PAUSED" in desk.said


STATES: tuple[Callable[[Desk], None], ...] = (
    pending, released, delivered, installed, current, listed, rejected, rolled_back,
    exposed, exposed_with_key, without_key, leak_delivered,
    planned, probed, confirmed, dead, unconfirmed, paused,
)  # fmt: skip


def old_leaked(desk: Desk) -> None:
    desk.run("rotate", "leaked", desk.name(desk.old))


def new_leaked(desk: Desk) -> None:
    if desk.new:
        desk.run("rotate", "leaked", desk.name(desk.new))


def both_leaked(desk: Desk) -> None:
    desk.run("rotate", "leaked", "ada", "--all")


def old_revoked(desk: Desk) -> None:
    desk.sim.revoke(desk.old)


def new_revoked(desk: Desk) -> None:
    if desk.new:
        desk.sim.revoke(desk.new)


def all_revoked(desk: Desk) -> None:
    old_revoked(desk)
    new_revoked(desk)


def second_start(desk: Desk) -> None:
    """Another rotation is started for the same user: it starts, or is refused with a command that shows the first."""
    rows = desk.fleet.keys_file(desk.fleet.new_keys("ada"), "second.csv")
    if desk.run("rotate", "start", "--from", rows, *GO) not in {0, 4}:
        desk.try_printed()


def machine_lost(desk: Desk) -> None:
    """It never comes back. Its keys count as leaked; the user gets another machine later."""
    desk.run("rotate", "leaked", "ada", "--all")


def user_leaves(desk: Desk) -> None:
    desk.fleet.machines.pop("ada")
    desk.fleet.write_inventory()


def profile_changes(desk: Desk) -> None:
    (desk.fleet.root / "profiles" / "team.yaml").write_text(f"model: claude-sonnet-5\nbase_url: {desk.sim.base_url}\n")
    assert desk.run("render") in {0, 4}, "4: a user without a key"


def second_import(desk: Desk) -> None:
    """Another key is imported: accepted, or the hint names the command that takes it or the one that ends the wait."""
    keys = desk.fleet.new_keys("ada")
    rows = desk.fleet.file("second.csv", f"ada,{keys['ada']}\n")
    if desk.run("keys", "import", str(rows)):
        (cure,) = re.findall(r"\((provision rotate resume [^)]*)\)", desk.said)
        words = shlex.split(cure)[1:]
        if "--from" in words:
            words[words.index("--from") + 1] = desk.fleet.keys_file(keys)
            desk.new = keys["ada"]
        assert desk.run(*words) in {0, 4, 10}
    else:
        assert desk.run("render", "-l", "ada") == 0


EVENTS: tuple[Callable[[Desk], None], ...] = (
    old_leaked, new_leaked, both_leaked, old_revoked, new_revoked, machine_lost, user_leaves, profile_changes, second_import,
    all_revoked, second_start,
)  # fmt: skip

NAMED = {"retired", "excepted"}


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, capsys)
    yield made
    made.sim.__exit__(None, None, None)


QUICK = {(delivered, new_revoked), (current, new_leaked), (pending, old_leaked), (leak_delivered, both_leaked)}
"""Tried in every run; the others with `-m "bench and slow"`."""


def pairs() -> Iterator[object]:
    """All pairs, each with its name and mark."""
    for state in STATES:
        for event in EVENTS:
            marks = [] if (state, event) in QUICK else [pytest.mark.bench, pytest.mark.slow]
            yield pytest.param(state, event, id=f"{state.__name__}-{event.__name__}", marks=marks)


@pytest.mark.parametrize(("state", "event"), [*pairs()])
def test_each_pair_ends_by_the_printed_steps(
    desk: Desk, state: Callable[[Desk], None], event: Callable[[Desk], None]
) -> None:
    state(desk)
    event(desk)
    trail: list[object] = []
    for _ in range(12):
        open_states = desk.states()
        trail.append(open_states)
        if all(set(each) <= NAMED for each in open_states.values()):
            break
        for key in desk.to_revoke():
            desk.sim.revoke(key)
        desk.poll()
        step(desk)
    else:
        pytest.fail(f"no end: {trail}\n{desk.said}\n{desk.ran[-6:]}")
    desk.poll()
    if event is not user_leaves:
        works_in_the_end(desk, trail)


def step(desk: Desk) -> None:
    """Run what is printed: the cures of problems first, then the next step."""
    desk.resume()
    desk.try_printed()
    for cure in printed_commands(desk.said):
        words = shlex.split(cure)[1:]
        if words[:2] == ["rotate", "leaked"] or ("--except" in words and not words[-1].endswith("=WHY")):
            desk.run(*words)
            return
        if words[0] == "rotate" and "--from" in words:
            keys = desk.fleet.new_keys("ada")
            desk.new = keys["ada"]
            words[words.index("--from") + 1] = desk.fleet.keys_file(keys)
            desk.run(*words, *(("--yes", "--idle-for", "0") if words[1] == "start" else ()))
            return


def works_in_the_end(desk: Desk, trail: list[object]) -> None:
    """The machine has a key that the gateway accepts, or the last state says that a new one is needed."""
    records = desk.sim._gateway.keys
    key = desk.fleet.machines["ada"].key
    alive = key in records and records[key].state == KeyState.VALID
    current = desk.fleet.vault().key("ada")
    assert current is not None, trail
    assert alive, trail
    assert current.reveal() == key, trail
