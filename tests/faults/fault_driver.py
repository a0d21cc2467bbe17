"""Runs writing commands with faults at their writing calls, and checks what is left. A program, started with the shim preloaded.

Each case is a fork of this process in a copy of the same world: the n-th writing call kills the process, or fails with an errno
of a full or broken disk. Then the command runs again without a fault, and everything must be as if there had been none. Prints
one JSON object.

usage: LD_PRELOAD=shim.so driver.py FOLDER COUNT|kills|all|EIO,ENOSPC… SEED [SCENARIO…]
`kills@2/3` are the kills of the second of three runs side by side, which take turns.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "craft"))

from fault_scenarios import SCENARIOS, Scenario
from fault_world import World
from warm_process import warm_up
from world_copy import WorldCopy

from provision.aisa.simulator import Simulator
from provision.files import sweep_once
from provision.scratch import Scratch, scratch_folder

KINDS: tuple[tuple[str, int, bool], ...] = (
    ("kill", -1, False),
    ("ENOSPC", errno.ENOSPC, True),
    ("EDQUOT", errno.EDQUOT, False),
    ("EIO", errno.EIO, False),
    ("EACCES", errno.EACCES, True),
    ("EINTR", errno.EINTR, False),
)
CODES = {0, 1, 2, 3, 4, 10}
_PIPE_BYTES = 1 << 20
SHIM = ctypes.CDLL(None)


@dataclass
class Ended:
    """How a forked command ended: its exit code (negative: a signal), what it said, and its writing calls."""

    code: int
    said: str
    calls: int
    struck: int


def forked(world: World, scenario: Scenario, words: Sequence[str], at: int, error: int, *, for_ever: bool) -> Ended:
    said_from, said_to = os.pipe()
    told_from, told_to = os.pipe()
    fcntl.fcntl(said_to, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(said_to, 1)
            os.dup2(said_to, 2)
            sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
            sweep_once.cache_clear()  # a new process
            SHIM.fault_arm(ctypes.c_long(at), error, int(for_ever))
            code = world.run(words, machine=scenario.machine, config=scenario.config)
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os.write(told_to, json.dumps([SHIM.fault_calls(), SHIM.fault_struck()]).encode())
            os._exit(code)
    os.close(said_to)
    os.close(told_to)
    with os.fdopen(said_from, "rb") as said, os.fdopen(told_from, "rb") as told:
        text, numbers = said.read().decode(errors="replace"), told.read()
    status = os.waitpid(child, 0)[1]
    calls, struck = json.loads(numbers) if numbers else (0, 1)
    return Ended(os.waitstatus_to_exitcode(status), text, calls, struck)


class Proof:
    """One scenario: the world before it, and what there is in the end without a fault."""

    def __init__(self, world: World, scenario: Scenario, kept: Path) -> None:
        self.world, self.scenario, self.kept = world, scenario, kept / scenario.name
        self.problems: list[str] = []
        self._copy = WorldCopy(world.folder)
        self._copy.restore(kept / "base")
        for words in scenario.published:
            world.quiet(words)
        if scenario.clone:
            shutil.copytree(world.root, world.folder / "clone")
            world.quiet(("--workspace", str(world.folder / "clone"), *scenario.clone))
        for words in scenario.colleague:
            world.quiet(words, config="colleague")
        for words in scenario.before:
            world.quiet(words, machine=scenario.machine, config=scenario.config)
        shutil.copytree(world.folder, self.kept, symlinks=True)
        before = self._whole()
        plain = self._fork(0, 0, for_ever=False)
        self.calls = plain.calls
        self.whole = (before, self._whole())
        if scenario.whole is not None and (before == self.whole[1] or isinstance(before, str)):
            self.problems.append(f"the act changes nothing that is looked at: {before!r:.500}")
        if plain.code not in {0, 4, 10}:
            self.problems.append(f"without a fault: exit {plain.code}: {plain.said[-300:]}")
        self.at_once = self._state()
        self._after()
        self.settled = self._state()
        if isinstance(self.settled, str):
            self.problems.append(f"the state cannot be read: {self.settled}")

    def _fork(self, at: int, error: int, *, for_ever: bool) -> Ended:
        return forked(self.world, self.scenario, self.scenario.words, at, error, for_ever=for_ever)

    def _after(self) -> str:
        said = ""
        for words in self.scenario.after if self.scenario.after is not None else (self.scenario.words,):
            said = forked(self.world, self.scenario, words, 0, 0, for_ever=False).said
        return said

    def _state(self) -> object:
        return self._read(self.scenario.state)

    def _whole(self) -> object:
        return self._read(self.scenario.whole) if self.scenario.whole is not None else None

    def _read(self, state: Callable[[World], object]) -> object:
        os.environ["PROVISION_CONFIG_DIR"] = str(self.world.operator)  # where the operator's accepted list is
        try:
            return state(self.world)
        except Exception as e:
            return f"{type(e).__name__}: {e}"

    def try_case(self, at: int, kind: str, error: int, *, for_ever: bool) -> bool:
        """One fault; whether it really happened. What is wrong is added to the problems."""
        self._copy.restore(self.kept)
        ended = self._fork(at, error, for_ever=for_ever)
        if not ended.struck and ended.code != -signal.SIGKILL:
            return False
        unchanged = not self._copy.changed()  # then the command again is the one without a fault
        wrong = list(self._wrong_at_once(ended, kind))
        if self.scenario.whole is not None and not unchanged:
            any_command = ("operators", "list")  # finishes what was committed
            forked(self.world, self.scenario, any_command, 0, 0, for_ever=False)
            if (found := self._whole()) not in self.whole:
                wrong.append(f"neither old nor new: {found!r:.500}, old and new {self.whole!r:.1000}")
        if not unchanged:
            said = self._after()
            state = self._state()
            if state != self.settled:
                wrong.append(f"in the end {_difference(state, self.settled)}; said {said[-300:]}")
            wrong += self._left()
        self.problems += [f"{self.scenario.name} {kind} at call {at}: {what} [{ended.said[-300:]}]" for what in wrong]
        return True

    def _wrong_at_once(self, ended: Ended, kind: str) -> list[str]:
        wrong = []
        if ended.code not in ({-signal.SIGKILL} if kind == "kill" else CODES):
            wrong.append(f"exit {ended.code}")
        if "Traceback" in ended.said or "this is a bug" in ended.said:
            wrong.append("called a bug")
        if any(key.decode() in ended.said for key in self.world.canaries):
            wrong.append("a key was printed")
        if ended.code == 0 and self._state() != self.at_once:
            wrong.append(f"exit 0, but {self._state()!r:.500}, not {self.at_once!r:.500}")
        if "nothing was changed" in ended.said and self._files() != self._files(self.kept):
            wrong.append("said that nothing was changed")
        return wrong

    def _files(self, folder: Path | None = None) -> dict[str, bytes]:
        folder = folder or self.world.folder
        skipped = (".lock", ".holder", "/lock", ".gitignore", ".provision-new")
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not str(path).endswith(skipped) and "/.cache/" not in str(path)
        }

    def _left(self) -> list[str]:
        """Staged files and temporary folders that no later command would remove, and keys in files where none belong."""
        folder, allowed = self.world.folder, self.world.allowed()
        for kind in Scratch:
            with scratch_folder(kind):
                pass  # the next command of this kind
        sweep_once.cache_clear()
        wrong = []
        for name in self._copy.changed():
            path = folder / name
            if path.name.endswith(".provision-new"):
                sweep_once(path.parent)  # the next write into this folder
            if not path.exists():
                continue
            if path.name.endswith(".provision-new") or path.parent == folder / "tmp":
                wrong.append(f"left {name}")
            elif path.is_file() and path not in allowed:
                data = path.read_bytes()
                wrong += [f"a key in {name}"] * any(key in data for key in self.world.canaries)
        return wrong


def _difference(state: object, wanted: object) -> str:
    if not (isinstance(state, dict) and isinstance(wanted, dict)):
        return f"{state!r:.900}, without the fault {wanted!r:.900}"
    names = [name for name in wanted if state.get(name) != wanted[name]]
    return "; ".join(f"{name} {state.get(name)!r:.500}, without the fault {wanted[name]!r:.500}" for name in names)


def chosen(calls: int, wanted: str, chance: random.Random) -> list[tuple[int, str, int, bool]]:
    """The faults to try: `all`, all `kills`, all of some kinds, `kills@2/3`, or so many of them, half of them kills."""
    every = [(at, *kind) for kind in KINDS for at in range(1, calls + 1)]
    kills = every[:calls]
    if wanted.startswith("kills@"):
        part, parts = map(int, wanted.removeprefix("kills@").split("/"))
        return kills[part - 1 :: parts]
    if kinds := {kind for kind, *_ in KINDS} & set(wanted.split(",")):
        return [fault for fault in every if fault[1] in kinds]
    if wanted in {"all", "kills"}:
        return every if wanted == "all" else kills
    count = min(int(wanted), len(every))
    first = chance.sample(kills, min(len(kills), count // 2))
    return first + chance.sample(every[calls:], count - len(first))


def main(folder: Path, wanted: str, seed: int, names: Sequence[str]) -> dict[str, object]:
    chance, kept = random.Random(seed), folder / "kept"
    tried: Counter[str] = Counter()
    scenarios = [each for each in SCENARIOS if not names or each.name in names]
    problems: list[str] = []
    calls = {}
    warm_up()
    with Simulator() as sim:
        world = World(folder, sim)
        world.serve()
        shutil.copytree(folder / "world", kept / "base", symlinks=True)
        for scenario in scenarios:
            proof = Proof(world, scenario, kept)
            calls[scenario.name] = proof.calls
            for at, kind, error, for_ever in chosen(proof.calls, wanted, chance):
                tried[kind] += proof.try_case(at, kind, error, for_ever=for_ever)
            problems += proof.problems
            print(scenario.name, proof.calls, dict(tried), *proof.problems, sep="\n", file=sys.stderr, flush=True)
    return {"tried": dict(tried), "calls": calls, "problems": problems}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])))
