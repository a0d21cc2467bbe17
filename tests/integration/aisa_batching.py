"""What the batch's tests share: subjects, a journal in a temp folder, one run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from provision.aisa.answers import Probe
from provision.aisa.batch import Batch, BatchOutcome, BatchPlan
from provision.aisa.catalogue import builtin
from provision.aisa.client import Client, Network, RequestLimits
from provision.aisa.journal import ValidationJournal
from provision.aisa.results import Subject, ValidationResult
from provision.detect.fingerprint import fingerprint
from provision.detect.secret import Secret
from provision.fleet.desired import ApiMode

HOSTS = ("api.aisa.one",)
ALL = (Probe.KEY, Probe.MODELS, Probe.CHAT)
FAST = RequestLimits(connect_s=2.0, read_s=2.0, total_s=5.0)


def subject(
    user: str, key: str | None, base_url: str, model: str = "gpt-5.2", mode: str = "chat_completions"
) -> Subject:
    secret = Secret(key) if key else None
    name = fingerprint(key, b"salt") if key else ""
    url = base_url.removesuffix("/v1") if mode == "anthropic_messages" else base_url
    return Subject(user, "team", model, ApiMode(mode), url, secret, name)


def run_batch(
    folder: Path,
    subjects: Iterable[Subject],
    probes: Iterable[Probe] = (Probe.KEY, Probe.MODELS),
    *,
    concurrency: int = 8,
    rate: float | None = None,
    resume: bool = False,
    limits: RequestLimits | None = None,
    network: Network | None = None,
    observe: Callable[[ValidationResult], None] = lambda _: None,
) -> tuple[dict[str, ValidationResult], BatchOutcome]:
    """Results by user, and how the run ended."""
    path = folder / "journal.jsonl"
    journal = (
        ValidationJournal.resume(path)
        if resume
        else ValidationJournal.create(path, tuple(probes), "2026-11-22T12:00:00+00:00")
    )

    async def main() -> BatchOutcome:
        async with Client(HOSTS, concurrency=concurrency, limits=limits, network=network) as client:
            plan = BatchPlan(journal.probes, concurrency, rate)
            batch = Batch(client, plan, catalogue=builtin(), journal=journal, chance=lambda: 0.0, observe=observe)
            return await batch.run(tuple(subjects))

    try:
        outcome = asyncio.run(main())
        return {r.user: r for r in journal.results()}, outcome
    finally:
        journal.close()
