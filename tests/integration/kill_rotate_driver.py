"""Kills a rotation of fifty users at one write after another and lets it go on. Run as a program; prints one JSON object.

Every command is a fork of this process. In the fork, each call that writes (also opening for writing) is a step, and at the
chosen step the process kills itself with SIGKILL, before that call. Then machines, operator and console go on as if nothing had
been, and the end is compared with that of a rotation that nobody killed.

usage: kill_rotate_driver.py FOLDER USERS COUNT|PART/PARTS SEED
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "craft"))

from rotatecraft import Fleet, Machine

from provision.aisa.simulator import KeyState, Simulator
from provision.cli.main import run

WRITES = ("write", "fsync", "ftruncate", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "fchmod", "chmod")
PROBES = "key,models,chat"
AT_ONCE = 8
TURNS = 6
"""start, four times resume (two waves, idle, dead), finish."""


class Steps:
    """Counts writing calls in forks; the count is in memory that forks share."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8)
        self.die_at = -1
        self.log: Path | None = None

    @property
    def count(self) -> int:
        return int(struct.unpack("q", self._shared[:8])[0])

    def reset(self, count: int, die_at: int) -> None:
        self._shared[:8] = struct.pack("q", count)
        self.die_at = die_at

    def arm(self) -> None:
        """In a fork: from now on every writing call is a step."""
        log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if self.log else -1
        plain_write = os.write

        def step(name: str, about: object) -> None:
            number = self.count
            if number == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self._shared[:8] = struct.pack("q", number + 1)
            if log >= 0:
                path = Path(f"/proc/self/fd/{about}").readlink() if isinstance(about, int) else os.fspath(about)  # type: ignore[call-overload]
                plain_write(log, f"{name}\t{path!s}\n".encode())

        def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def counting(*arguments: Any, **more: Any) -> Any:
                step(name, arguments[0])
                return call(*arguments, **more)

            return counting

        def opened(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and isinstance(arguments[0], (str, bytes, int)):
                mode, flags = arguments[1], arguments[2] or 0
                writes = isinstance(mode, str) and set(mode) & set("wax+")
                if writes or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                    step("open", arguments[0])

        for name in WRITES:
            setattr(os, name, wrapped(name, getattr(os, name)))
        sys.addaudithook(opened)


class World:
    """A fleet before its rotation, which can be put back as it was."""

    def __init__(self, folder: Path, sim: Simulator, users: int) -> None:
        self.sim, self.steps = sim, Steps()
        self.fleet = Fleet(folder, sim, [f"user{n:02}" for n in range(users)])
        self.new = self.fleet.new_keys()
        self.file = self.fleet.keys_file(self.new)
        # imports all that the commands import, so that forks need not, and nothing changes under them
        assert self.fleet.provision("rotate", "start", "--from", self.file, "--dry-run") == 0
        assert self.fleet.provision("rotate", "resume") == 3
        for name in ("delivery", "runner", "finish", "revoke_list", "new_keys", "revocation"):
            importlib.import_module(f"provision.rotate.{name}")
        importlib.import_module("provision.report.rotation")
        self._kept = folder / "kept"
        self._points: list[tuple[int, int, dict[str, Machine], dict[str, KeyState], Counter[str | None]]] = []
        self._calls_before: Counter[str | None] = Counter()

    def keep(self, turn: int) -> None:
        """Remember everything as it is before a command, with the number of its first step."""
        folder = self._kept / str(turn)
        for name, place in (("workspace", self.fleet.root), ("drop", self.fleet.drop)):
            shutil.copytree(place, folder / name)
        machines = {user: copy(machine) for user, machine in self.fleet.machines.items()}
        states = {key: record.state for key, record in self.sim._gateway.keys.items()}
        self._points.append((turn, self.steps.count, machines, states, self.calls()))

    def restore(self, step: int) -> int:
        """Put everything back as it was before the command that step is in; returns that command's turn."""
        turn, first, machines, states, calls = next(p for p in reversed(self._points) if p[1] <= step)
        for name, place in (("workspace", self.fleet.root), ("drop", self.fleet.drop)):
            shutil.rmtree(place)
            shutil.copytree(self._kept / str(turn) / name, place)
        self.fleet.machines = {user: copy(machine) for user, machine in machines.items()}
        for key, state in states.items():
            self.sim.add_key(key, state)
        self.sim.clear()
        self._calls_before = calls
        self.steps.reset(first, step)
        return turn

    def calls(self) -> Counter[str | None]:
        """Paid calls so far, by key."""
        return self._calls_before + Counter(seen.key for seen in self.sim.requests if seen.method == "POST")

    def command(self, *arguments: str) -> int:
        """One command in a fork; minus the signal when it was killed."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 99
            try:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1)
                if not os.environ.get("KILL_VERBOSE"):
                    os.dup2(null, 2)
                self.steps.arm()
                code = run(["-q", "-w", str(self.fleet.root), *arguments])
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def start(self) -> int:
        return self.command(
            "rotate", "start", "--from", self.file, "--yes", "--waves", "4,100%", "--probe", PROBES, "--idle-for", "0"
        )

    def resume(self) -> int:
        return self.command("rotate", "resume", "--receipts", str(self.fleet.drop))

    def rotate(self, die_at: int | None) -> bool:
        """A rotation from its beginning (None: remembering each turn), or from the command that is to be killed at a step.

        Returns whether it was killed.
        """
        killed, turn = False, 0 if die_at is None else self.restore(die_at)
        while turn < TURNS:
            if die_at is None:
                self.keep(turn)
            code = (
                self.start() if turn == 0 else self.resume() if turn < TURNS - 1 else self.command("rotate", "finish")
            )
            if code == -signal.SIGKILL:
                assert not killed
                killed, self.steps.die_at = True, -1
                self.look()
                code = self.go_on(turn)
            assert code == 0, f"turn {turn}: exit {code}"
            self.look()
            self.fleet.poll()
            self.look()
            self.revoke()
            turn += 1
        return killed

    def go_on(self, turn: int) -> int:
        """What an operator does after a crash."""
        if turn == TURNS - 1:
            code = self.command("rotate", "finish")
            return 0 if code == 3 else code  # it was finished, and only what comes after was cut off
        code = self.resume()
        if turn == 0 and code in {
            3,
            4,
        }:  # nothing had begun, or the new keys had not reached the vault: the message says so
            return self.start()
        return code

    def states(self) -> dict[str, str]:
        from provision.rotate.store import RotationStore

        store = RotationStore(self.fleet.root)
        rotations = [r for name in store.names() if (r := store.read(name)) is not None and r.begun]
        assert len(rotations) <= 1, "a second rotation"
        return {p.user: p.state.value for r in rotations for p in r.people.values()}

    def look(self) -> None:
        """What must hold at any instant."""
        self.fleet.nobody_without_a_key()

    def revoke(self) -> None:
        """The console, and what must hold before anything is revoked."""
        vault = self.fleet.vault()
        from provision.rotate.revoke_list import to_revoke
        from provision.rotate.store import RotationStore

        for rotation in RotationStore(self.fleet.root).unfinished():
            for row in to_revoke(rotation, vault):
                assert self.fleet.machines[row.user].key == self.new[row.user], "listed before its successor is in use"
                (known,) = vault.find(row.fingerprint)
                self.sim.revoke(vault.value(row.user, known.version).reveal())

    def end(self) -> dict[str, Any]:
        """Everything by which two rotations are compared, and what must hold at their end."""
        vault, fleet = self.fleet.vault(), self.fleet
        held = {f"{k.user} {k.version} {k.stage}": vault.value(k.user, k.version).reveal() for k in vault}
        assert set(held.values()) == {*fleet.keys.values(), *self.new.values()}, "a key was lost, or came in twice"
        calls = self.calls()
        assert max(calls.values()) == 1, "a paid call was repeated"
        listed, confirmed = [], set()
        for entry in fleet.entries():
            if entry.get("event") == "confirmed":
                confirmed |= set(entry["users"])  # type: ignore[call-overload]
            elif entry.get("event") == "listed":
                listed += entry["users"]  # type: ignore[operator]
                assert set(entry["users"]) <= confirmed, "listed before confirmed"  # type: ignore[call-overload]
        assert len(listed) == len(set(listed)) == len(fleet.users)
        # a receipt that was half written stays beside the whole one: imports take no lock, so nobody may sweep there
        strays = [str(p) for p in fleet.root.rglob("*.provision-new") if p.parent.name != "receipts"]
        assert not strays, strays
        for path in fleet.root.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert not any(key.encode() in data for key in self.new.values()), f"a key in clear in {path}"
        return {
            "vault": held,
            "states": self.states(),
            "machines": {user: machine.key for user, machine in fleet.machines.items()},
            "calls": sum(calls.values()),
        }


def chosen(log: Path, how: str, chance: random.Random) -> list[int]:
    """At which steps to kill. A number: so many, half of them at the journal. `I/N`: the I-th of N parts of all.

    All is every step but for those that are the same for each user (files of bundles, receipts): of these every 25th.
    """
    labels = log.read_text().splitlines()
    bulk = [n for n, label in enumerate(labels) if "/dist/" in label or "/receipts/" in label or "\t/" not in label]
    rest = sorted(set(range(len(labels))) - set(bulk))
    if "/" in how:
        part, parts = map(int, how.split("/"))
        return sorted([*rest, *bulk[::25]])[part - 1 :: parts]
    count = int(how)
    journal = [n for n in rest if "/rotations/" in labels[n]]
    picked = {*chance.sample(journal, count // 2), *chance.sample(rest, count // 3)}
    return sorted(picked | set(chance.sample(bulk, max(0, count - len(picked)))))


def main(folder: Path, users: int, how: str, seed: int) -> None:
    chance = random.Random(seed)
    with Simulator() as sim:
        world = World(folder, sim, users)
        log = folder / "steps.log"
        world.steps.log = log
        world.rotate(None)
        world.steps.log = None
        total, expected = world.steps.count, world.end()
        began = time.monotonic()
        bad, killed = [], 0
        steps = chosen(log, how, chance)
        labels = log.read_text().splitlines()
        for number in steps:
            try:
                killed += world.rotate(number)
                found = world.end()
                # a call that was under way when the process died is not made again, sent or not; several are under way at once
                found["calls"] = expected["calls"] if users - AT_ONCE <= found["calls"] <= users else found["calls"]
                other = {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}
                assert not other, f"another end: {other}"
            except Exception as e:
                bad.append(f"step {number} ({labels[number]}): {type(e).__name__}: {e}")
                if len(bad) > 20:
                    break
        spent = time.monotonic() - began
    print(json.dumps({"steps": total, "runs": len(steps), "killed": killed, "bad": bad, "seconds": spent}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
