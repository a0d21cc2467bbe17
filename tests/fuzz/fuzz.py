"""Fuzzes parsers with atheris, guided by coverage: each target in a process of its own, with a memory limit. A program.

A run that counts inputs tries the same inputs with the same seed. SECONDS are processor time of each target, after what is made
once, such as compiled rules: on a busy machine ten minutes by the clock can be less than one of work. What was found is a file
`crash-…` in the folder of its target: put it into tests/fuzz/found/TARGET, where every run of the tests tries it. The same FOLDER
goes on with the inputs that the last run kept. Prints one JSON object.

usage: fuzz.py FOLDER RUNS SECONDS SEED [TARGET…]   (0: no limit)
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "craft"))
MEMORY_MB, LONGEST_INPUT_BYTES, SLOWEST_S = 1024, 8192, 20


def fuzzed(target: Target, folder: Path, runs: str, seconds: str, seed: str) -> tuple[int, float]:
    """Fuzz one target in a fork; returns the exit code of libFuzzer, 0 if nothing was found, and seconds of processor time."""
    child = os.fork()
    if child == 0:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        options = {
            "atheris_runs": runs,
            "seed": seed,
            "rss_limit_mb": MEMORY_MB,
            "max_len": LONGEST_INPUT_BYTES,
            "timeout": SLOWEST_S,
            "artifact_prefix": f"{folder}/",
            "print_final_stats": 1,
        }
        attempt(target, target.seeds[0])  # what is made once, such as compiled rules, is not the time of an input
        words = [f"-{option}={value}" for option, value in options.items() if str(value) != "0" or option == "seed"]
        atheris.Setup([sys.argv[0], *words, str(folder / "corpus")], lambda data: attempt(target, data))
        signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), signal.SIGUSR1))  # at which libFuzzer ends
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
        atheris.Fuzz()
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def main(above: Path, runs: str, seconds: str, seed: str, names: list[str]) -> dict[str, object]:
    found = {}
    for target in TARGETS:
        if names and target.name not in names:
            continue
        folder = above / target.name
        (folder / "corpus").mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(target.seeds):
            (folder / "corpus" / f"seed-{number}").write_bytes(data[:LONGEST_INPUT_BYTES])
        code, cpu_s = fuzzed(target, folder, runs, seconds, seed)
        log = (folder / "log").read_text(errors="replace")
        tried = [int(number) for number in re.findall(r"(?:^Done |^#|executed_units: )(\d+)", log, re.MULTILINE)]
        end = "" if code == 0 else log[-1500:]
        found[target.name] = {"code": code, "tried": max(tried, default=0), "cpu_s": round(cpu_s, 1), "end": end}
    return found


if __name__ == "__main__":
    with atheris.instrument_imports(include=["provision"], enable_loader_override=False):
        from fuzz_target import Target, attempt
        from fuzz_targets import TARGETS
    print(json.dumps(main(Path(sys.argv[1]), *sys.argv[2:5], sys.argv[5:])))
