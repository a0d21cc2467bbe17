"""Memory of a scan: one file of 5 GB, one of 5 TB that is nearly all hole, and a tree of a million small files.

Each scan runs in a process of its own; its peak and the largest of its workers' count. What a scan takes for nothing at all (the
program, its rules compiled) is measured in the same run and allowed for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sourcescraft import a_key

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(3000)]
MIB = 1 << 20

_MEASURE = """
import json, resource, sys, time
from pathlib import Path
from provision.audit.scan import scan
from provision.audit.finding import RawFinding
from provision.detect.detector import Detector
def main():
    detector, started = Detector(), time.monotonic()
    found = unread = 0
    for item in scan(sys.argv[1:], detector, workers=2, companions=False):
        found += isinstance(item, RawFinding)
        unread += not isinstance(item, RawFinding)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(json.dumps({"s": time.monotonic() - started, "mib": max(peak, worker), "found": found, "unread": unread}))
if __name__ == "__main__":
    main()
"""


def measured(*paths: Path) -> dict[str, float]:
    script = Path(__file__).with_name("measure_sources.py")
    script.write_text(_MEASURE)
    try:
        done = subprocess.run(
            [sys.executable, str(script), *map(str, paths)], capture_output=True, text=True, check=True
        )
    finally:
        script.unlink()
    result: dict[str, float] = json.loads(done.stdout)
    return result


@pytest.fixture
def base(tmp_path: Path) -> float:
    (tmp_path / "empty").mkdir()
    return measured(tmp_path / "empty")["mib"]


def text_of(size: int) -> bytes:
    line = b'2026-11-22 10:00:00,123 INFO agent.loop: turn done, model=gpt-5.2 tokens=%d path="/home/ada/src/%d"\n'
    block = b"".join(line % (i, i * 7919) for i in range(size // 90))
    return block[:size]


def test_a_file_of_five_gigabytes(tmp_path: Path, base: float) -> None:
    block = text_of(16 * MIB)
    with (tmp_path / "big.log").open("wb") as file:
        for i in range(320):
            file.write(block)
            if i % 80 == 0:
                file.write(f"key {a_key()} \n".encode())
    result = measured(tmp_path / "big.log")
    print(f"\n5 GiB: {result['mib']} MiB at most ({base} for nothing), {5120 / result['s']:.0f} MiB/s")
    assert (result["found"], result["unread"]) == (4, 0)
    assert result["mib"] < base + 150


def test_a_file_of_five_terabytes_that_is_nearly_all_hole(tmp_path: Path, base: float) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for i in range(64):
            file.seek(i * (80 << 30))
            file.write(f"key {a_key()} \n".encode() + text_of(MIB))
    result = measured(tmp_path / "sparse")
    print(f"\nsparse: {result['mib']} MiB at most ({base} for nothing), {result['s']:.1f} s")
    assert (result["found"], result["unread"]) == (64, 0)
    assert result["mib"] < base + 150


def test_a_million_small_files(tmp_path: Path, base: float) -> None:
    flat, deep = tmp_path / "t" / "flat", tmp_path / "t" / "deep"
    flat.mkdir(parents=True)
    for i in range(400_000):
        (flat / f"{i:x}.json").write_bytes(b'{"n": %d}\n' % i)
    for i in range(6_000):
        folder = deep / f"{i % 60}" / f"{i}"
        folder.mkdir(parents=True)
        for j in range(100):
            (folder / f"{j}.txt").write_bytes(b"file %d\n" % j)
    (flat / "z.env").write_text(f"K={a_key()}\n")
    (deep / "59" / "5999" / ".env").write_text(f"K={a_key()}\n")
    result = measured(tmp_path / "t")
    print(f"\n1,000,002 files: {result['mib']} MiB at most ({base} for nothing), {1e6 / result['s']:.0f} files/s")
    assert (result["found"], result["unread"]) == (2, 0)
    assert result["mib"] < base + 100
