"""A fleet against the gateway: wall time beside the ideal, CPU beside bare httpx, memory beside the fleet's size.

The simulator and the batch run in processes of their own. Ideal = requests x latency / concurrency.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


def simulator(latency_ms: float) -> Iterator[str]:
    arguments = ["-m", "provision.aisa.simulator", "--record", "0", "--latency-ms", str(latency_ms)]
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())["base_url"]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def run(script: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=True)
    return json.loads(done.stdout)


def test_usage_costs_what_validate_costs_per_request() -> None:
    """CPU per request of `usage` (two reads per key) beside `validate --probe key`: at most 1.1, best of three."""
    ratio = 99.0
    for _ in range(3):
        key, usage = (batch(0, 10_000, 64, probes) for probes in ("key", "key,usage"))
        ratio = min(ratio, (usage["cpu_s"] / usage["requests"]) / (key["cpu_s"] / key["requests"]))
    print(f"usage / validate --probe key, CPU per request: {ratio:.2f}")
    assert ratio <= 1.1


def batch(latency_ms: float, users: int, concurrency: int, probes: str = "key") -> dict[str, Any]:
    for base_url in simulator(latency_ms):
        found = run("validate_run.py", base_url, users, concurrency, probes)
    assert found["verdicts"] == {"ok": users}
    assert found["requests"] == users * len(probes.split(","))
    return found


@pytest.mark.parametrize(
    ("users", "concurrency", "probes"), [(10_000, 64, "key"), (10_000, 8, "key"), (10_000, 64, "key,models")]
)
def test_wall_time_is_near_the_ideal(users: int, concurrency: int, probes: str) -> None:
    """Best of three where the cores matter. How long the kernel kept the batch waiting for a core is told, not subtracted:
    on a busy machine this bench fails, and that is the machine's word, not the batch's.
    """
    ratio = 99.0
    for _ in range(3 if concurrency > 8 else 1):
        found = batch(100, users, concurrency, probes)
        ideal_s = found["requests"] * 0.1 / concurrency
        ratio = min(ratio, found["elapsed_s"] / ideal_s)
        took = (
            f"{found['elapsed_s']:.1f} s (CPU {found['cpu_s']:.1f} s, waited {found['waited_for_cpu_s']:.1f} s for one)"
        )
        print(
            f"\n{users} users, {probes}, concurrency {concurrency}: {took}, ideal {ideal_s:.1f} s, best ratio {ratio:.2f}"
        )
        if ratio <= 1.3:
            break
    assert ratio <= 1.3


def test_cpu_beside_a_bare_httpx_loop() -> None:
    for base_url in simulator(0):
        for concurrency in (8, 64):
            requests = 4000 if concurrency == 8 else 2000
            ours = run("validate_run.py", base_url, requests, concurrency, "key")
            bare = run("bare_httpx.py", base_url + "/credits/balance", requests, concurrency)
            rates = [r["requests"] / r["cpu_s"] for r in (ours, bare)]
            print(f"\nconcurrency {concurrency}: {rates[0]:.0f} requests/s of one core, bare httpx {rates[1]:.0f}")
            assert rates[0] > rates[1] / 2.5


def test_memory_does_not_grow_with_the_fleet() -> None:
    small, large = (batch(0, users, 64, "key,models") for users in (1_000, 10_000))
    grown = large["peak_mb"] - small["peak_mb"]
    fleet = large["subjects_peak_mb"] - small["subjects_peak_mb"]
    print(
        f"\n1,000 users: {small['peak_mb']:.0f} MB; 10,000: {large['peak_mb']:.0f} MB, of which {fleet:.0f} MB are the users"
    )
    assert grown < 25
