"""Measure what people wait for, and write the tables into docs/performance.md: floors, ours, installed peers, ratios, goals.

    python tests/bench/performance_table.py [--users 1000,10000] [--dry-run]

Processor seconds of whole processes with their children, the best of several runs for short ones; other load raises them less
than the clock, but it does raise them, so the ratios count. 100,000 users take about half an hour.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "craft"), str(HERE.parents[1])]

from test_bench_render import _workspace  # noqa: E402  a script: the path comes first
from test_bench_validate import run as run_bench  # noqa: E402
from test_bench_validate import simulator  # noqa: E402

PAGE = HERE.parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- written by tests/bench/performance_table.py -->", "<!-- end of the written part -->"
PROVISION = (sys.executable, "-m", "provision")
GOAL_START_S, GOAL_UNCHANGED_S, GOAL_REPORT_US, GOAL_DIFF, GOAL_GROWTH, GOAL_VALIDATE = 0.25, 1.0, 160, 1.2, 1.3, 3.0
"""CPU of a start; of an unchanged render of 10,000; of a report, per user (8 s for 50,000); ratios."""
_PEERS = {"betterleaks": ("dir",), "kingfisher": ("scan", "--no-validate", "--no-update-check"), "gitleaks": ("dir",)}


class Cost(NamedTuple):
    """What a process and its children took. `code` is its exit code."""

    cpu_s: float
    peak_mib: float
    code: int


def cost(command: Sequence[str], folder: Path, environ: Mapping[str, str], runs: int = 1) -> Cost:
    """Run a command; returns the cheapest run."""
    found = []
    for _ in range(runs):
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        found.append(Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode))
    return min(found)


def start_rows(folder: Path, runs: int) -> Iterator[str]:
    """The start of commands that people type, beside the import of typer."""
    environ = _workspace(folder, 3)
    cost((*PROVISION, "-q", "-w", "ws", "render"), folder, environ)
    (folder / "file.txt").write_text("hello\n")
    commands = {
        "audit FILE": ("audit", "--full", "file.txt"),
        "redact FILE": ("redact", "file.txt"),
        "the pre-commit hook": (
            "--quiet",
            "audit",
            "--full",
            "--min-confidence",
            "medium",
            "--allow-unread",
            "file.txt",
        ),
        "checklist FILE": ("checklist", "file.txt"),
        "status": ("status", "--home", "home"),
        "check": ("-w", "ws", "check"),
        "show USER": ("-w", "ws", "show", "u00000"),
        "install BUNDLE": ("install", "--dry-run", "ws/dist/u00000", "--home", "home"),
        "--help": ("--help",),
        "completion bash": ("completion", "bash"),
    }
    floor = cost((sys.executable, "-c", "import typer"), folder, environ, runs).cpu_s
    yield "| command | floor: `import typer` | ours | ratio | goal |\n|---|---|---|---|---|\n"
    for name, arguments in commands.items():
        took = cost((*PROVISION, *arguments), folder, environ, runs).cpu_s
        goal = GOAL_START_S if name in {"audit FILE", "redact FILE", "the pre-commit hook"} else None
        yield f"| `{name}` | {floor:.3f} s | {took:.3f} s | {took / floor:.1f} | {_goal(took, goal, ' s')} |\n"


def fleet_costs(folder: Path, users: int) -> dict[str, Cost]:
    """What each command costs for a fleet of so many users."""
    folder.mkdir()
    environ = _workspace(folder, users)
    steps = {
        "check": ("check",),
        "render": ("render",),
        "render, unchanged": ("render",),
        "diff, unchanged": ("diff",),
        "publish": ("publish", str(folder / "feed")),
        "report": ("report", "-o", str(folder / "report.html")),
    }
    found = {name: cost((*PROVISION, "-q", "-w", "ws", *each), folder, environ) for name, each in steps.items()}
    plan = f"import sys; sys.path[:0] = {sys.path[:3]!r}\nimport test_bench_rotate as b\nfrom pathlib import Path\n"
    plan += f"bench = b.Bench(Path({str(folder / 'rotate')!r}), {users})\n"
    (folder / "rotate").mkdir()
    cost((sys.executable, "-c", plan), folder, environ)
    found["rotate: plan and change the vault"] = cost(
        (sys.executable, "-c", plan + "bench.rotate('2026-06-01-01')"), folder, environ
    )
    shutil.rmtree(folder)
    return found


def fleet_rows(by_size: Mapping[int, Mapping[str, Cost]]) -> Iterator[str]:
    """Seconds and memory by fleet size, per user, and how both grow."""
    sizes = sorted(by_size)
    smallest, largest = sizes[0], sizes[-1]
    heads = "".join(f" {size:,} users |" for size in sizes)
    yield f"| command |{heads} µs per user | KiB per user | time per user, largest / smallest fleet (goal) |\n"
    yield f"|---|{'---|' * len(sizes)}---|---|---|\n"
    for name, last in by_size[largest].items():
        first = by_size[smallest][name]
        cells = "".join(
            f" {each.cpu_s:.2f} s, {each.peak_mib:.0f} MiB{'' if each.code in {0, 10} else f', exit {each.code}'} |"
            for each in (by_size[size][name] for size in sizes)
        )
        more = largest - smallest
        growth = last.cpu_s / largest / (first.cpu_s / smallest)
        memory = f"{(last.peak_mib - first.peak_mib) * 1024 / more:.1f}" if more else "-"
        grown = f"{growth:.2f} ({_goal(growth, GOAL_GROWTH)})" if more else "-"
        yield f"| {name} |{cells} {last.cpu_s / largest * 1e6:.0f} | {memory} | {grown} |\n"


def goal_rows(costs: Mapping[str, Cost], users: int, validate: tuple[float, float]) -> Iterator[str]:
    """The goals about fleets, each with what was measured."""
    same, diff, report = (costs[name].cpu_s for name in ("render, unchanged", "diff, unchanged", "report"))
    ours, bare = validate
    yield "| what | measured | goal |\n|---|---|---|\n"
    yield f"| `diff` / unchanged `render` | {diff / same:.2f} | {_goal(diff / same, GOAL_DIFF)} |\n"
    per_10000 = same / users * 10_000
    yield f"| unchanged `render`, for 10,000 users | {per_10000:.2f} s | {_goal(per_10000, GOAL_UNCHANGED_S, ' s')} |\n"
    per_user = report / users * 1e6
    yield f"| `report`, per user | {per_user:.0f} µs | {_goal(per_user, GOAL_REPORT_US, ' µs')} |\n"
    reached = "reached" if ours / bare >= GOAL_VALIDATE else "**missed**"
    yield f"| `validate` / a bare httpx loop, requests per second of one core, 64 connections | {ours:.0f} / {bare:.0f} = "
    yield f"{ours / bare:.1f} | at least {GOAL_VALIDATE:.0f}: {reached} |\n"


def validate_rates(requests: int) -> tuple[float, float]:
    """Requests per second of processor time at 64 connections: ours, and a bare httpx loop."""
    for base_url in simulator(0):
        ours = run_bench("validate_run.py", base_url, requests, 64, "key")
        bare = run_bench("bare_httpx.py", base_url + "/credits/balance", requests, 64)
    return ours["requests"] / ours["cpu_s"], bare["requests"] / bare["cpu_s"]


def peer_rows(folder: Path) -> Iterator[str]:
    """The audit of Python's own library, beside the peers that are installed (RECALL_PEERS names their folder)."""
    tree = Path(os.__file__).parent / "asyncio"
    environ = {**os.environ, "HOME": str(folder)}
    ours = cost((*PROVISION, "-q", "audit", "--full", str(tree)), folder, environ, 3)
    if ours.code not in {0, 4, 10}:
        yield f"The audit ended with exit code {ours.code}: not compared with other programs.\n"
        return
    yield "| program | an audit of Python's own asyncio | ours / it |\n|---|---|---|\n"
    yield f"| ours | {ours.cpu_s:.2f} s | |\n"
    for name, arguments in _PEERS.items():
        program = shutil.which(name, path=os.environ.get("RECALL_PEERS")) or shutil.which(name)
        if program is None:
            yield f"| {name} | not installed, not measured | |\n"
            continue
        theirs = cost((program, *arguments, str(tree)), folder, environ, 3).cpu_s
        yield f"| {name} | {theirs:.2f} s | {ours.cpu_s / theirs:.2f} |\n"


def _goal(value: float, most: float | None, unit: str = "") -> str:
    if most is None:
        return "none"
    return f"{most:g}{unit}: {'reached' if value <= most else '**missed**'}"


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}{load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", default="1000,10000", help="sizes of fleets, comma-separated")
    parser.add_argument("--runs", type=int, default=10, help="runs of each short command; the best counts")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--dry-run", action="store_true", help="print, and leave the page as it is")
    chosen = parser.parse_args()
    sizes = [int(each) for each in chosen.users.split(",")]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        root = Path(name)
        (root / "start").mkdir()
        start = "".join(start_rows(root / "start", chosen.runs))
        costs = {size: fleet_costs(root / str(size), size) for size in sizes}
        goals = "".join(goal_rows(costs[max(sizes)], max(sizes), validate_rates(chosen.requests)))
        peers = "".join(peer_rows(root))
    text = f"Measured {_machine()}; processor seconds with those of child processes, files in memory.\n\n"
    text += f"{start}\n{''.join(fleet_rows(costs))}\n{goals}\n{peers}"
    print(text)
    if not chosen.dry_run:
        page = PAGE.read_text("utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
