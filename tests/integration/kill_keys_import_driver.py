"""Kills `provision keys import` again and again. Run as a program by the kill test; prints one JSON object.

Each run is a fork of this process, which has everything imported already, so that the instants of death fall on the
work and not on start-up. Half of the runs die at a random instant, the others at a given file operation.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from provision.cli.main import run
from provision.keys.age import load_identities
from provision.keys.events.log import verify_log
from provision.keys.vault.file import open_vault

_STEPS = frozenset(["open", "os.rename", "os.remove", "os.truncate", "os.chmod", "os.link", "os.mkdir"])


def _child(workspace: Path, keys: Path, die_at_step: int) -> None:
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    os.dup2(os.open(keys, os.O_RDONLY), 0)
    if die_at_step >= 0:
        left = die_at_step

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in _STEPS and str(workspace) in str(arguments[0]):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        sys.addaudithook(hook)
    os._exit(run(["--workspace", str(workspace), "keys", "import", "-"]))


def _run(workspace: Path, keys: Path, *, die_after_s: float | None = None, die_at_step: int = -1) -> int:
    """The exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        try:
            _child(workspace, keys, die_at_step)
        finally:
            os._exit(99)
    if die_after_s is not None:
        time.sleep(die_after_s)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _held(workspace: Path, identity: Path) -> tuple[int, dict[str, str]]:
    vault = open_vault(workspace / "keys.vault", load_identities(identity))
    return vault.generation, {f"{k.user} {k.version} {k.stage}": vault.value(k.user, k.version).reveal() for k in vault}


def _traces(workspace: Path, canary: bytes) -> list[str]:
    return [str(path) for path in workspace.rglob("*") if path.is_file() and canary in path.read_bytes()]


def _put_back(files: dict[Path, bytes]) -> None:
    for path, data in files.items():
        path.write_bytes(data)


def _log_faults(log: Path, held: tuple[int, dict[str, str]] | None) -> list[str]:
    """What the event log lacks: it must hold, and know of every change that was saved."""
    recorded = verify_log(log)
    missing = held is not None and (recorded.generation or 0) < held[0]
    return [fault.what for fault in recorded.faults] + ["a change that is not in the log"] * missing


def main(workspace: Path, keys: Path, identity: Path, canary: bytes, runs: int, seed: int) -> None:
    chance = random.Random(seed)
    with Path(os.devnull).open("w") as sys.stdout:  # imports all that the command imports
        assert run(["--quiet", "--workspace", str(workspace), "keys", "import", "--dry-run", str(keys)]) == 0
    sys.stdout = sys.__stdout__
    vault, log = workspace / "keys.vault", workspace / "events.jsonl"
    old_bytes, old, old_log = vault.read_bytes(), _held(workspace, identity), log.read_bytes()
    durations = []
    for _ in range(3):
        _put_back({vault: old_bytes, log: old_log})
        began = time.perf_counter()
        assert _run(workspace, keys) == 0, "the import itself fails"
        durations.append(time.perf_counter() - began)
    new = _held(workspace, identity)
    result: dict[str, object] = {"old": 0, "new": 0, "killed": 0, "resumed": 0, "bad": [], "duration_s": min(durations)}
    bad: list[str] = []
    step, usual_s = 0, max(durations)
    while True:
        at_random = result["killed"] < runs  # type: ignore[operator]
        plan: dict[str, float] = {"die_after_s": chance.uniform(0, usual_s)} if at_random else {"die_at_step": step}
        _put_back({vault: old_bytes, log: old_log})
        code = _run(workspace, keys, **plan)  # type: ignore[arg-type]
        if code == -signal.SIGKILL:
            result["killed"] += 1  # type: ignore[operator]
        elif at_random:
            usual_s *= 0.9  # it was done before it could be killed: this machine is faster now than it was
        try:
            held = _held(workspace, identity)
        except Exception as e:
            bad.append(f"{plan}: does not open: {e}")
            held = None
        if vault.read_bytes() == old_bytes and held == old:
            result["old"] += 1  # type: ignore[operator]
        elif held is not None and held[0] == old[0] + 1 and held[1] == new[1]:
            result["new"] += 1  # type: ignore[operator]
        else:
            bad.append(f"{plan}: neither old nor new")
        bad += [f"{plan}: {fault}" for fault in _log_faults(log, held)]
        bad += [f"{plan}: a key in clear in {path}" for path in _traces(workspace, canary)]
        if chance.random() < 0.1:  # whoever comes next is not stopped by what the dead one left
            assert _run(workspace, keys) == 0, f"{plan}: the next import fails"
            assert not list(workspace.glob(".*provision-new")), "strays are left"
            result["resumed"] += 1  # type: ignore[operator]
        if "die_at_step" in plan:
            if code == 0:
                break
            step += 1
    result |= {"bad": bad, "steps": step}
    print(json.dumps(result))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        Path(sys.argv[3]),
        sys.argv[4].encode(),
        int(sys.argv[5]),
        int(sys.argv[6]),
    )
