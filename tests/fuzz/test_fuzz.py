"""Parsers of foreign bytes: fuzzed for a fixed number of inputs, and every input that once broke one; see fuzz.py."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fuzz_container_targets import SEEDS
from fuzz_target import Target, attempt
from fuzz_targets import TARGETS

from provision.containers.formats.registry import FORMATS

FOLDER = Path(__file__).resolve().parent
RUNS, SECONDS = "250", "600"


def fuzz(folder: Path, runs: str, seconds: str, timeout_s: int) -> dict[str, dict[str, Any]]:
    seed = str(random.randrange(1, 2**31))
    done = subprocess.run(
        [sys.executable, FOLDER / "fuzz.py", folder, runs, seconds, seed],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-2000:]}"
    said: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    assert {name: found["end"] for name, found in said.items() if found["code"]} == {}, f"seed {seed}"
    return said


def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 only")
    said = fuzz(tmp_path, RUNS, "0", 280)
    assert said.keys() == {target.name for target in TARGETS}
    assert min(found["tried"] for found in said.values()) >= int(RUNS)


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(100_000)
def test_fuzzing_ten_minutes_each(tmp_path: Path) -> None:
    """Of processor time: ten hours on a free core."""
    said = fuzz(tmp_path, "0", SECONDS, 100_000)
    assert min(found["cpu_s"] for found in said.values()) > 0.8 * int(SECONDS)
    print({name: (found["tried"], found["cpu_s"]) for name, found in said.items()})


def test_every_format_of_containers_is_fuzzed() -> None:
    assert SEEDS.keys() == FORMATS.keys() | {"sqlite"}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_and_former_findings(target: Target) -> None:
    """Without atheris, on every system; every target has seeds, and reads them in bounded memory."""
    assert target.seeds
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in (*target.seeds, *(path.read_bytes() for path in sorted((FOLDER / "found" / target.name).glob("*")))):
        attempt(target, data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 << 10, "KiB"
