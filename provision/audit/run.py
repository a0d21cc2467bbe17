"""Audit this machine, from paths to an `Audit`: scan, check every Hermes home that was found, apply the baseline.

Offline: the verdicts of the gateway are passed in by the caller; without them no request is sent.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provision.audit.finding import RawFinding
from provision.audit.homes import HomeContext, HomeReport, audit_home
from provision.audit.leaks import LeakContext, collect_leaks, leak_findings
from provision.audit.locations import machine_layout
from provision.audit.result import Audit, Counts, IgnoredFinding, Unread, severity_order
from provision.audit.scan import ScanProgress, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

    from provision.audit.baseline import BaselineEntry
    from provision.audit.clean_cache import CleanCache
    from provision.audit.finding import Finding
    from provision.audit.leak import Leak
    from provision.containers.blob import Unreadable
    from provision.detect.detector import Detector


_LONG_RUN = re.compile(r"[A-Za-z0-9_+=-]{12}")
"""A name without such a run holds no secret of any rule."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What to audit, and with what."""

    paths: Sequence[Path]
    detector: Detector
    home_context: HomeContext
    salt: bytes
    describe: Mapping[str, str]
    environ: bool = False
    stdin: BinaryIO | None = None
    companions: bool = False
    config: Path | None = None
    workers: int | None = None
    cache: CleanCache | None = None


@dataclass(frozen=True, slots=True)
class RawAudit:
    """What was found before the baseline is applied, with the secrets still available for `--verify` and `--fix`."""

    leaks: tuple[Leak, ...] = field(repr=False)
    home: HomeReport
    context: LeakContext
    detector: Detector = field(repr=False)
    counts: Counts
    unread: tuple[Unread, ...]

    def findings(self, verdicts: Mapping[str, str]) -> list[Finding]:
        """All findings, the most severe first."""
        leaks = leak_findings(self.leaks, self.context, verdicts)
        named = {(f.place.path, f.place.where) for f in leaks}
        others = [  # a key in clear is one finding, not two
            f
            for f in self.home.findings
            if not (f.rule.endswith("inline-key") and (f.place.path, f.place.where) in named)
        ]
        return sorted([*leaks, *others], key=severity_order)


def audit_machine(options: AuditOptions, on_progress: Callable[[ScanProgress], None] = lambda _: None) -> RawAudit:
    """Scan everything once. Raises only for invalid options."""
    homes: list[Path] = []
    raws: list[RawFinding] = []
    unread: list[Unread] = []
    last = ScanProgress()

    def progress(tally: ScanProgress) -> None:
        last.files, last.bytes = tally.files, tally.bytes
        last.unchanged, last.objects = tally.unchanged, tally.objects
        on_progress(tally)

    for item in scan(
        list(options.paths),
        options.detector,
        workers=options.workers,
        companions=options.companions,
        environ=options.environ,
        stdin=options.stdin,
        cache=options.cache,
        on_home=homes.append,
        on_progress=progress,
    ):
        if isinstance(item, RawFinding):
            raws.append(item)
        elif item.failed:
            unread.append(_unread(item))
    if options.cache:
        options.cache.save()
    clean = functools.cache(functools.partial(_masked, options.detector))
    reports = [audit_home(home, options.home_context) for home in dict.fromkeys(h.absolute() for h in homes)]
    report = HomeReport(
        homes=tuple(h for r in reports for h in r.homes),
        routes=tuple(
            {route.home: replace(route, home=clean(route.home)) for r in reports for route in r.routes}.values()
        ),
        findings=tuple({f.id: _cleaned(f, clean) for r in reports for f in r.findings}.values()),
        unread=tuple(u for r in reports for u in r.unread),
    )
    layout = machine_layout(report.homes, options.config)

    context = LeakContext(
        layout, options.salt, options.home_context.now, options.describe, options.home_context.name, clean
    )
    found = collect_leaks(raws, context)
    counts = Counts(last.files, last.bytes, found.in_place, found.allowed, last.unchanged, last.objects)
    unread_all = [Unread(clean(u.path), clean(u.reason)) for u in (*unread, *report.unread)]
    return RawAudit(found.leaks, report, context, options.detector, counts, tuple(unread_all))


def _masked(detector: Detector, text: str) -> str:
    """Mask secrets in a name, and make it text that can be printed anywhere."""
    if text.isprintable() and text.isascii() and not _LONG_RUN.search(text):
        return text  # the quick way for most names, such as `messages:row 12`
    from provision.audit.fix.mask import mask_text  # noqa: PLC0415  with all that rewrites containers; rarely needed

    return mask_text(text.encode("utf-8", "surrogateescape"), detector).decode("utf-8", "backslashreplace")


def _cleaned(finding: Finding, clean: Callable[[str], str]) -> Finding:
    place = finding.place
    where = clean(place.where) if place.where else None
    return replace(finding, place=replace(place, path=clean(place.path), where=where))


def _unread(item: Unreadable) -> Unread:
    return Unread(f"{item.path} ({item.where})" if item.where else item.path, item.reason)


def finish_audit(  # noqa: PLR0917  the fields of an Audit
    seen: RawAudit,
    entries: Sequence[BaselineEntry],
    verdicts: Mapping[str, str],
    host: str,
    targets: Sequence[str],
    started: datetime,
    *,
    elapsed_s: float,
    user: str | None = None,
) -> Audit:
    """Build the audit, with the findings that the baseline ignores kept apart."""
    new: tuple[Finding, ...] = tuple(seen.findings(verdicts))
    ignored: tuple[IgnoredFinding, ...] = ()
    if entries:
        from provision.audit.baseline import apply_baseline  # noqa: PLC0415  with pydantic

        split = apply_baseline(entries, new, started.date())
        new, ignored = split.new, split.ignored
    return Audit(
        host=host,
        user=user,
        started=started.isoformat(timespec="seconds"),
        targets=tuple(targets),
        findings=new,
        ignored=ignored,
        routes=seen.home.routes,
        unread=seen.unread,
        counts=seen.counts,
        elapsed_s=elapsed_s,
    )


def path_namer(anchor: Path, user_home: Path | None) -> Callable[[str], str]:
    """Return a function that names a path for ids: relative to the anchor, else to the user's home (`~/…`), else in full."""
    bases = [(str(anchor).rstrip(os.sep) + os.sep, "")]
    if user_home is not None:
        bases.append((str(user_home).rstrip(os.sep) + os.sep, "~/"))

    def name(path: str) -> str:
        full = os.path.abspath(path)  # noqa: PTH100  resolve() would follow links
        for base, prefix in bases:
            if full.startswith(base):
                return prefix + full[len(base) :].replace(os.sep, "/")
        return full

    return name
