"""One batch in a process of its own, for the bench: prints what it took as JSON."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from provision.aisa.answers import Probe
from provision.aisa.batch import Batch, BatchOutcome, BatchPlan
from provision.aisa.catalogue import builtin
from provision.aisa.client import Client
from provision.aisa.journal import ValidationJournal
from provision.aisa.results import Subject
from provision.detect.fingerprint import fingerprint
from provision.detect.secret import Secret
from provision.fleet.desired import ApiMode
from provision.report.output import write_output
from provision.report.validation import ValidationReport, as_json, count_verdicts


def main(base_url: str, users: int, concurrency: int, probes: str) -> None:
    chosen = tuple(Probe(p) for p in probes.split(",") if p != "usage")
    day = dt.datetime.now(dt.UTC).date()
    days = (day.replace(day=1), day) if "usage" in probes else None
    subjects = []
    for i in range(users):
        key = f"sk-aisa-TEST-{i}"
        name = fingerprint(key, b"salt")
        subjects.append(Subject(f"user-{i}", "team", "gpt-5.2", ApiMode.CHAT_COMPLETIONS, base_url, Secret(key), name))
    before = _peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        journal = ValidationJournal.create(Path(folder) / "journal", chosen, "now")
        cpu, waited = time.process_time(), _waited_s()
        outcome = asyncio.run(_batch(tuple(subjects), journal, BatchPlan(chosen, concurrency, None, days)))
        cpu, waited = time.process_time() - cpu, _waited_s() - waited
        verdicts: Counter[str] = Counter()
        report = ValidationReport(
            outcome, journal.results, lambda: iter(()), "now", (), count_verdicts(journal.results()), ""
        )
        write_output(as_json(report), Path(folder) / "report.json")
        verdicts.update(str(v) for v in report.counts.elements())
        journal.close(complete=True)
    json.dump(
        {
            "requests": outcome.requests, "elapsed_s": outcome.elapsed_s, "cpu_s": cpu,
            "waited_for_cpu_s": waited, "verdicts": dict(verdicts),
            "subjects_peak_mb": before, "peak_mb": _peak_mb(),
        },
        sys.stdout,
    )  # fmt: skip


async def _batch(subjects: tuple[Subject, ...], journal: ValidationJournal, plan: BatchPlan) -> BatchOutcome:
    async with Client((), concurrency=plan.concurrency) as client:
        batch = Batch(client, plan, catalogue=builtin(), journal=journal, chance=random.random)
        return await batch.run(subjects)


def _waited_s() -> float:
    """How long this thread was ready to run while other programs had the cores; 0 where the kernel does not say."""
    schedule = Path("/proc/self/schedstat")
    return int(schedule.read_text().split()[1]) / 1e9 if schedule.exists() else 0.0


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
