"""Measure what people wait for, and write the tables into docs/performance.md: floors, ours, installed peers, ratios, goals.

    python tests/bench/performance_table.py [--users 1000,10000] [--dry-run]

Processor seconds of whole processes with their children, the best of several runs for short ones; other load raises them less
than the clock, but it does raise them, so the ratios count. 100,000 users take about half an hour.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
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
GOAL_PEERS = 1.0
"""CPU of a start; of an unchanged render of 10,000; of a report, per user (8 s for 50,000); ratios."""
_PEERS: Mapping[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "betterleaks": (("filesystem",), ("git",), ("--no-banner", "--exit-code", "0", "-o")),
    "kingfisher": (
        ("scan",),
        ("scan", "--git-history", "full"),
        ("--no-validate", "--no-update-check", "-f", "json", "-o"),
    ),
    "gitleaks": (("dir",), ("git",), ("--no-banner", "--exit-code", "0", "-r")),
}
"""How each reads files, and git; and its further options, the last of which takes the report's path."""
_READ = frozenset({0, 4, 200, 205})
"""Exit codes after which everything was read; kingfisher's 200 and 205 mean findings."""
_LIBRARY = Path(os.__file__).parent
_PEER_HEAD = (
    "| what is audited | program | by the clock | processor seconds | memory | ours / it, by the clock (goal) |"
    " ours / it, processor (goal) |\n|---|---|---|---|---|---|---|\n"
)


class Cost(NamedTuple):
    """What a process and its children took. `code` is its exit code."""

    cpu_s: float
    peak_mib: float
    code: int
    clock_s: float


def cost(command: Sequence[str], folder: Path, environ: Mapping[str, str], runs: int = 1) -> Cost:
    """Run a command; returns the cheapest run."""
    found = []
    for _ in range(runs):
        began = time.monotonic()
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
        took = time.monotonic() - began
        found.append(Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode, took))
    return min(found)


def start_rows(folder: Path, runs: int) -> Iterator[str]:
    """The start of commands that people type, beside the import of typer."""
    environ = _workspace(folder, 3)
    machine = ("--home", "home", "--identity", "u00000.txt", "--allowed-signers", "ws/allowed_signers")
    cost((*PROVISION, "-q", "-w", "ws", "render"), folder, environ)
    cost((*PROVISION, "-q", "install", "ws/dist/u00000", *machine), folder, environ)
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
        "status": ("status", *machine),
        "check": ("-w", "ws", "check"),
        "show USER": ("-w", "ws", "show", "u00000"),
        "install BUNDLE": ("install", "ws/dist/u00000", *machine),
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


def peer_rows(name: str, target: Path, folder: Path, runs: int = 1) -> Iterator[str]:
    """An audit of `target`, in turns with the peers that are installed (RECALL_PEERS names their folder)."""
    environ = {**os.environ, "HOME": str(folder)}
    is_git = (target / "objects").is_dir()
    report = str(folder / "report.json")
    commands = {"ours": (*PROVISION, "-q", "audit", "--full", "--exit-zero", "-f", "json", "-o", report, str(target))}
    for peer, (of_files, of_git, more) in _PEERS.items():
        program = shutil.which(peer, path=os.environ.get("RECALL_PEERS")) or shutil.which(peer)
        if program is not None:
            commands[peer] = (program, *(of_git if is_git else of_files), *more, report, str(target))
    cost(commands["ours"], folder, environ)  # compiles the rules
    found: dict[str, list[Cost]] = {}
    for _ in range(runs):
        for program, command in commands.items():
            found.setdefault(program, []).append(cost(command, folder, environ))
    ours = _least(found["ours"])
    for program in ("ours", *_PEERS):
        if program not in found:
            yield f"| {name} | {program} | not installed, not measured | | | | |\n"
            continue
        it = _least(found[program])
        if it.code not in _READ:
            yield f"| {name} | {program} | ended with exit code {it.code}, not compared | | | | |\n"
            continue
        yield f"| {name} | {program} | {it.clock_s:.2f} s | {it.cpu_s:.2f} s | {it.peak_mib:.0f} MiB |"
        if program == "ours":
            yield " | |\n"
        else:
            clock, cpu = ours.clock_s / it.clock_s, ours.cpu_s / it.cpu_s
            yield f" {clock:.2f} ({_goal(clock, GOAL_PEERS)}) | {cpu:.2f} ({_goal(cpu, GOAL_PEERS)}) |\n"


def small_files(folder: Path) -> Path:
    """20,000 files of 0.3 to 3 KB: pieces of Python's own library."""
    source = b"".join(path.read_bytes() for path in sorted(_LIBRARY.glob("*.py")))
    draw = random.Random(1)
    for number in range(20_000):
        at, size = draw.randrange(len(source) - 3000), draw.randrange(300, 3000)
        path = folder / f"{number // 200}" / f"{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source[at : at + size])
    return folder


def made_repository(folder: Path) -> Path:
    """A repository with Python's own library in ten versions, each with other lines in every file: about 50 MB of contents."""
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    files = {path.name: path.read_bytes().splitlines() for path in sorted(_LIBRARY.glob("*.py"))}
    draw = random.Random(1)
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE) as git:
        assert git.stdin is not None
        for version in range(10):
            when = b"a <a@example.com> %d +0000" % (1_700_000_000 + version)
            git.stdin.write(b"commit refs/heads/main\nauthor %b\ncommitter %b\ndata 2\nm\n" % (when, when))
            for name, lines in files.items():
                for _ in range(3):
                    lines.insert(draw.randrange(len(lines) + 1), b"# changed in version %d" % version)
                body = b"\n".join(lines)
                git.stdin.write(b"M 100644 inline %b\ndata %d\n%b\n" % (name.encode(), len(body), body))
    assert git.returncode == 0
    return folder


def _least(costs: Sequence[Cost]) -> Cost:
    """The least of each value, and the largest memory."""
    return Cost(
        min(each.cpu_s for each in costs),
        max(each.peak_mib for each in costs),
        costs[-1].code,
        min(each.clock_s for each in costs),
    )


def _goal(value: float, most: float | None, unit: str = "") -> str:
    if most is None:
        return "none"
    return f"{most:g}{unit}: {'reached' if value <= most else '**missed**'}"


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    version = f"{datetime.now(UTC):%Y-%m-%d}, version `{commit.stdout.strip()}`"
    return f"{version}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}{load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", default="1000,10000", help="sizes of fleets, comma-separated")
    parser.add_argument("--runs", type=int, default=10, help="runs of each short command; the best counts")
    parser.add_argument(
        "--repository", type=Path, action="append", default=[], help="a bare repository to audit as well"
    )
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
        audited = {
            "Python's own asyncio": _LIBRARY / "asyncio",
            "20,000 small files": small_files(root / "small"),
            "git, ten versions of Python's own library": made_repository(root / "made.git"),
            **{f"git, {path.stem}": path for path in chosen.repository},
        }
        peers = _PEER_HEAD + "".join(row for name, path in audited.items() for row in peer_rows(name, path, root, 2))
    text = f"Measured {_machine()}; processor seconds with those of child processes, files in memory.\n\n"
    text += f"{start}\n{''.join(fleet_rows(costs))}\n{goals}\n{peers}"
    print(text)
    if not chosen.dry_run:
        page = PAGE.read_text("utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
