"""Audit this machine: scan, verify found keys on request, apply the baseline, fix on request, print."""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.leaks import leak_findings
from provision.audit.result import CONFIDENCES, SEVERITIES
from provision.audit.run import AuditOptions, RawAudit, audit_machine, finish_audit, path_namer
from provision.cli.leaks import detection
from provision.cli.leaks.audit import setup
from provision.cli.leaks.audit.output import OutputOptions, write_audit
from provision.detect.fingerprint import UNPROVISIONED_SALT
from provision.detect.known import KNOWN_RULE
from provision.detect.match import Confidence, FindingSeverity
from provision.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provision.audit.baseline import BaselineEntry
    from provision.audit.result import Audit
    from provision.audit.scan import ScanProgress
    from provision.cli.context import Run
    from provision.errors import Exit
    from provision.fleet.workspace import Workspace

_STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """The options that say where to look and which findings count."""

    paths: tuple[Path, ...]
    environ: bool
    known: Path | None
    rules: Path | None
    entropy: bool
    baseline: Path | None
    workers: int | None
    min_severity: str
    min_confidence: str
    full: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """A finished scan, and what is needed to turn it into an audit."""

    raw: RawAudit
    entries: tuple[BaselineEntry, ...]
    targets: tuple[str, ...]
    started: datetime
    elapsed_s: float
    options: ScanOptions
    environ_of: Callable[[Path, str | None], Mapping[str, str]]

    def without_baseline(self) -> RawAudit:
        """What was found, without the leaks that the baseline ignores."""
        if not self.entries:
            return self.raw
        from provision.audit.baseline import apply_baseline

        split = apply_baseline(self.entries, self.raw.findings({}), self.started.date())
        ignored = {item.finding.id for item in split.ignored}
        found = leak_findings(self.raw.leaks, self.raw.context, {})
        kept = (leak for leak, finding in zip(self.raw.leaks, found, strict=True) if finding.id not in ignored)
        return replace(self.raw, leaks=tuple(kept))

    def audit(self, verdicts: Mapping[str, str]) -> Audit:
        """The audit, without findings below the minimum severity or confidence."""
        import socket

        result = finish_audit(
            self.raw,
            self.entries,
            verdicts,
            socket.gethostname(),
            self.targets,
            self.started,
            elapsed_s=self.elapsed_s,
        )
        severities = SEVERITIES[: SEVERITIES.index(FindingSeverity(self.options.min_severity)) + 1]
        confidences = CONFIDENCES[: CONFIDENCES.index(Confidence(self.options.min_confidence)) + 1]
        kept = tuple(f for f in result.findings if f.severity in severities and f.confidence in confidences)
        return replace(result, findings=kept)


def audit_this_machine(
    run: Run,
    workspace: Workspace | None,
    options: ScanOptions,
    output: OutputOptions,
    *,
    verify: bool,
    fix: bool,
    yes: bool,
) -> Exit:
    """Audit this machine and print the result; with `fix`, fix first and audit again."""
    scan = scan_machine(run, workspace, options)
    verdicts = verify_found_keys(run, workspace, scan.raw) if verify else {}
    if fix:
        from provision.cli.leaks.audit.fix import fix_all

        if fix_all(run, workspace, scan.without_baseline(), scan.environ_of, yes=yes):
            scan = scan_machine(run, workspace, options)
    code = write_audit(scan.audit(verdicts), scan.raw.context.describe, output)
    if output.path:
        run.say(f"wrote {output.path}")
    return code


def scan_machine(
    run: Run, workspace: Workspace | None, options: ScanOptions, *, baseline_must_exist: bool = True
) -> Scan:
    """Scan what the options name, with progress on stderr."""
    from provision.audit.unchanged import open_cache
    from provision.containers.blob import ReadLimits
    from provision.detect.detector import Detector
    from provision.fleet.config_folder import config_dir

    entries: tuple[BaselineEntry, ...] = ()
    if options.baseline is not None:
        from provision.audit.baseline import read_baseline

        entries = read_baseline(options.baseline, must_exist=baseline_must_exist)
    started, began = datetime.now(UTC), time.monotonic()
    known = detection.load_known_keys(run, workspace, options.known, detection.installed_manifest())
    rules = detection.load_all_rules(options.rules, run.say)
    anchor = options.baseline.absolute().parent if options.baseline else Path.cwd()
    name = path_namer(anchor, setup.user_home())
    stdin = sys.stdin.buffer if _STDIN in options.paths else None
    targets = [p for p in options.paths if p != _STDIN] if options.paths else setup.default_targets()
    detector = Detector(rules, known, entropy=options.entropy)
    audit_options = AuditOptions(
        paths=targets,
        detector=detector,
        home_context=setup.home_inspection(run, workspace, known, name, started),
        salt=known.salt if known else UNPROVISIONED_SALT,
        describe={rule.id: rule.description for rule in rules} | {KNOWN_RULE: "a key of the fleet"},
        environ=options.environ,
        stdin=stdin,
        companions=not options.paths,
        config=config_dir(os.environ),
        workers=options.workers,
        cache=open_cache(detector, ReadLimits(), full=options.full),
    )
    draw, clear = _progress(run)
    gc.freeze()  # rules and modules stay: looking at them again and again costs a tenth of a scan
    try:
        raw = audit_machine(audit_options, draw)
    finally:
        gc.unfreeze()
        clear()
    names = tuple(["<stdin>"] * (stdin is not None) + [str(p) for p in targets])
    elapsed_s = time.monotonic() - began
    return Scan(raw, entries, names, started, elapsed_s, options, audit_options.home_context.environ_of)


def _progress(run: Run) -> tuple[Callable[[ScanProgress], None], Callable[[], None]]:
    """Show the files that were scanned; how many there are is known only at the end."""
    if run.quiet:
        return (lambda _: None), (lambda: None)
    from provision.report.progress import Progress

    progress, shown = Progress("files audited", None, sys.stderr, time.monotonic), 0

    def draw(tally: ScanProgress) -> None:
        nonlocal shown
        progress.step(count=tally.files - shown, current=f"{tally.bytes / 1e6:,.0f} MB")
        shown = tally.files

    return draw, progress.clear


def verify_found_keys(run: Run, workspace: Workspace | None, raw: RawAudit) -> dict[str, str]:
    """Ask the configured gateway about every AIsa key that was found; returns a verdict for each fingerprint."""
    import asyncio
    import random

    from provision.aisa import catalogue
    from provision.aisa.client import Client, Network
    from provision.audit.verify import keys_to_verify, verify_keys
    from provision.cli.workspace.gateway import network_settings
    from provision.fleet.settings import Settings

    keys = keys_to_verify(raw.leaks)
    settings = workspace.settings if workspace else Settings()
    if not keys:
        run.say("--verify: no AIsa key was found, so no request is sent")
        return {}
    run.say(f"--verify: asking {settings.gateway} about {plural(len(keys), 'key')}")
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or None
    network = network_settings(workspace) if workspace else Network(settings.tls_bundle, settings.proxy or proxy)

    async def ask() -> dict[str, str]:
        async with Client(settings.gateway_hosts, concurrency=1, network=network) as client:
            return await verify_keys(
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
