"""One audit of this machine, from the options of `audit` to a result: scan, ask, excuse. Not a command."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit import baseline
from provision.audit.leaks import findings
from provision.audit.result import CONFIDENCES, SEVERITIES
from provision.audit.run import Order, Seen, finish, relative_to
from provision.audit.run import scan_machine as go_through
from provision.cli.leaks.audit import setup
from provision.detect.fingerprint import UNPROVISIONED_SALT
from provision.detect.known import KNOWN_RULE
from provision.detect.match import Confidence, FindingSeverity
from provision.errors import UsageError
from provision.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provision.audit.result import Audit
    from provision.audit.scan import Tally
    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace

_REDRAW_S = 0.1


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """The options that say what to look at and what counts."""

    paths: tuple[Path, ...]
    environ: bool
    known: Path | None
    rules: Path | None
    entropy: bool
    baseline: Path | None
    workers: int | None
    min_severity: str
    min_confidence: str


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that is done, and what is needed to finish the audit."""

    seen: Seen
    entries: tuple[baseline.Entry, ...]
    targets: tuple[str, ...]
    started: datetime
    elapsed_s: float
    wanted: ScanOptions
    environ_of: Callable[[Path, str | None], Mapping[str, str]]

    def not_excused(self) -> Seen:
        """What was seen, without the leaks that the baseline lets be."""
        excused = {
            e.finding.id for e in baseline.apply(self.entries, self.seen.findings({}), self.started.date()).excused
        }
        made = findings(self.seen.leaks, self.seen.judging, {})
        kept = (leak for leak, finding in zip(self.seen.leaks, made, strict=True) if finding.id not in excused)
        return replace(self.seen, leaks=tuple(kept))

    def finished(self, verdicts: Mapping[str, str]) -> Audit:
        """The audit, without what the options leave out."""
        import socket

        result = finish(
            self.seen,
            self.entries,
            verdicts,
            socket.gethostname(),
            self.targets,
            self.started,
            elapsed_s=self.elapsed_s,
        )
        bad = SEVERITIES[: SEVERITIES.index(FindingSeverity(self.wanted.min_severity)) + 1]
        sure = CONFIDENCES[: CONFIDENCES.index(Confidence(self.wanted.min_confidence)) + 1]
        kept = tuple(f for f in result.findings if f.severity in bad and f.confidence in sure)
        return replace(result, findings=kept)


def scan_machine(run: Run, workspace: Workspace | None, wanted: ScanOptions, *, may_make_baseline: bool) -> Scan:
    """Scan what is wanted, with progress on stderr."""
    from provision.detect.detector import Detector
    from provision.fleet.settings import config_dir

    if may_make_baseline and wanted.baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE", hint="such as --baseline audit-baseline.json")
    entries = (
        baseline.read_baseline(wanted.baseline, must_exist=not may_make_baseline) if wanted.baseline is not None else ()
    )
    started, began = datetime.now(UTC), time.monotonic()
    manifest = setup.installed_manifest()
    known = setup.load_known_keys(run, workspace, wanted.known, manifest)
    salt = known.salt if known else UNPROVISIONED_SALT
    rules = setup.load_all_rules(wanted.rules, run.say)
    anchor = wanted.baseline.absolute().parent if wanted.baseline else Path.cwd()
    name = relative_to(anchor, setup.user_home())
    stdin = sys.stdin.buffer if Path("-") in wanted.paths else None
    targets = [p for p in wanted.paths if p != Path("-")]
    if not wanted.paths:
        targets = setup.default_targets()
    order = Order(
        paths=targets,
        detector=Detector(rules, known, entropy=wanted.entropy),
        looking=setup.home_inspection(run, workspace, known, name, started),
        salt=salt,
        describe={rule.id: rule.description for rule in rules} | {KNOWN_RULE: "a key of the fleet"},
        environ=wanted.environ,
        stdin=stdin,
        companions=not wanted.paths,
        config=config_dir(os.environ),
        workers=wanted.workers,
    )
    draw, clear = _progress(run)
    try:
        seen = go_through(order, draw)
    finally:
        clear()
    shown = tuple(["<stdin>"] * (stdin is not None) + [str(p) for p in targets])
    return Scan(seen, entries, shown, started, time.monotonic() - began, wanted, order.looking.environ_of)


def _progress(run: Run) -> tuple[Callable[[Tally], None], Callable[[], None]]:
    """A line that is redrawn on a terminal; nothing elsewhere."""
    if run.quiet or not sys.stderr.isatty():
        return (lambda _: None), (lambda: None)
    shown = 0.0

    def draw(tally: Tally) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _REDRAW_S:
            shown = now
            sys.stderr.write(f"\raudit {plural(tally.files, 'file')} · {tally.bytes / 1e6:,.0f} MB\x1b[K")
            sys.stderr.flush()

    def clear() -> None:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

    return draw, clear


def verify_found_keys(run: Run, workspace: Workspace | None, seen: Seen) -> dict[str, str]:
    """Ask the configured gateway about every AIsa-shaped key that was found."""
    import asyncio
    import random

    from provision.aisa import catalogue
    from provision.aisa.client import Client, Network
    from provision.audit.verify import to_verify, verify
    from provision.cli.workspace.gateway import network
    from provision.fleet.settings import Settings

    keys = to_verify(seen.leaks)
    settings = workspace.settings if workspace else Settings()
    if not keys:
        run.say("--verify: no AIsa key was found, so nobody is asked")
        return {}
    run.say(f"--verify: asking {settings.gateway} about {plural(len(keys), 'key')}")
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or None
    reach = network(workspace) if workspace else Network(settings.tls_bundle, settings.proxy or proxy)

    async def ask() -> dict[str, str]:
        async with Client(settings.gateway_hosts, concurrency=1, network=reach) as client:
            return await verify(
                keys,
                client,
                settings.gateway,
                catalogue.builtin(),
                rate=min(settings.rate or 2.0, 2.0),
                clock=time.monotonic,
                now=lambda: datetime.now(UTC),
                chance=random.random,
            )

    return asyncio.run(ask())


def write_known_keys(run: Run, workspace: Workspace | None, path: Path) -> None:
    """The vault's fingerprints as a file that an audit elsewhere can take along."""
    from provision.fleet.workspace import NoWorkspaceError
    from provision.keys.identities import load_identities
    from provision.keys.known_keys import known_keys
    from provision.keys.vault.file import open_vault

    if workspace is None:
        raise NoWorkspaceError("--write-known reads the vault of a workspace", hint="run it there, or name it: -w DIR")
    found = known_keys(open_vault(workspace.vault, load_identities(workspace.identity)))
    run.result(found.dump().decode(), path)
    run.say(f"{plural(len(found.by_fingerprint), 'key')} by fingerprint, none of them in clear")


def update_baseline(
    run: Run, looked: Scan, wanted: ScanOptions, verdicts: Mapping[str, str], reason: str | None, until: str | None
) -> None:
    """Write a baseline of everything that is found now."""
    assert wanted.baseline is not None  # noqa: S101  `scan_machine` has seen to it
    try:
        last = date.fromisoformat(until) if until else None
    except ValueError as e:
        raise UsageError(f"--until {until} is no day", hint="such as 2027-03-31") from e
    audit = looked.finished(verdicts)
    found = [*audit.findings, *(e.finding for e in audit.excused)]
    if reason is None and audit.findings:
        if not sys.stdin.isatty():
            raise UsageError(
                f"{len(audit.findings)} new findings would enter the baseline without a reason",
                hint='say why they are let be: --reason "…"',
            )
        import typer

        reason = typer.prompt(f"Why are {len(audit.findings)} new findings let be?", err=True)
    done = baseline.update(looked.entries, found, looked.started.date(), reason or "", last)
    baseline.write_baseline(wanted.baseline, done.entries)
    run.say(f"{wanted.baseline}: {len(done.entries)} findings let be; {done.added} came, {done.dropped} went")
