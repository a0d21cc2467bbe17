"""One audit of this machine, from paths to an `Audit`: scan, look at every Hermes home that was met, judge, excuse.

Offline: what asks the gateway is a function that the caller passes in, and without it nobody is asked.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provision.audit import baseline
from provision.audit.finding import RawFinding
from provision.audit.homes import HomeReport, Looking, look_at_home
from provision.audit.leaks import Judging, Leak, findings, sort_out
from provision.audit.places import surroundings
from provision.audit.result import Audit, Counts, Unread, by_weight
from provision.audit.scan import Tally, scan
from provision.containers.mask import mask_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

    from provision.audit.finding import Finding
    from provision.containers.blob import Unreadable
    from provision.detect.detector import Detector


_LONG_RUN = re.compile(r"[A-Za-z0-9_+=-]{12}")
"""What a name must have to hold a secret of any rule."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to look at, and with what."""

    paths: Sequence[Path]
    detector: Detector
    looking: Looking
    salt: bytes
    describe: Mapping[str, str]
    environ: bool = False
    stdin: BinaryIO | None = None
    companions: bool = False
    config: Path | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found before anything is excused: with the secrets still at hand, for `--verify` and `--fix`."""

    leaks: tuple[Leak, ...] = field(repr=False)
    home: HomeReport
    judging: Judging
    detector: Detector = field(repr=False)
    counts: Counts
    unread: tuple[Unread, ...]

    def findings(self, verdicts: Mapping[str, str]) -> list[Finding]:
        """Every finding, the worst first."""
        leaks = findings(self.leaks, self.judging, verdicts)
        named = {(f.place.path, f.place.where) for f in leaks}
        others = [  # a key in clear is one finding, not two
            f
            for f in self.home.findings
            if not (f.rule.endswith("inline-key") and (f.place.path, f.place.where) in named)
        ]
        return sorted([*leaks, *others], key=by_weight)


def look(order: Order, on_progress: Callable[[Tally], None] = lambda _: None) -> Seen:
    """Go through everything once. Raises only for what is wrong with the order."""
    homes: list[Path] = []
    raws: list[RawFinding] = []
    unread: list[Unread] = []
    last = Tally()

    def progress(tally: Tally) -> None:
        last.files, last.bytes = tally.files, tally.bytes
        on_progress(tally)

    for item in scan(
        list(order.paths),
        order.detector,
        workers=order.workers,
        companions=order.companions,
        environ=order.environ,
        stdin=order.stdin,
        on_home=homes.append,
        on_progress=progress,
    ):
        if isinstance(item, RawFinding):
            raws.append(item)
        elif item.failed:
            unread.append(_unread(item))
    clean = functools.cache(functools.partial(_masked, order.detector))
    reports = [look_at_home(home, order.looking) for home in dict.fromkeys(h.absolute() for h in homes)]
    report = HomeReport(
        homes=tuple(h for r in reports for h in r.homes),
        routes=tuple(
            {route.home: replace(route, home=clean(route.home)) for r in reports for route in r.routes}.values()
        ),
        findings=tuple({f.id: _cleaned(f, clean) for r in reports for f in r.findings}.values()),
        unread=tuple(u for r in reports for u in r.unread),
    )
    around = surroundings(report.homes, order.config)

    judging = Judging(around, order.salt, order.looking.now, order.describe, order.looking.name, clean)
    found = sort_out(raws, judging)
    counts = Counts(last.files, last.bytes, found.in_place, found.allowed)
    missed = [Unread(clean(u.path), clean(u.reason)) for u in (*unread, *report.unread)]
    return Seen(found.leaks, report, judging, order.detector, counts, tuple(missed))


def _masked(detector: Detector, text: str) -> str:
    """A name without secrets, as text that can be printed anywhere."""
    if text.isprintable() and text.isascii() and not _LONG_RUN.search(text):
        return text  # as nearly every `messages:row 12` is
    return mask_text(text.encode("utf-8", "surrogateescape"), detector).decode("utf-8", "backslashreplace")


def _cleaned(finding: Finding, clean: Callable[[str], str]) -> Finding:
    place = finding.place
    where = clean(place.where) if place.where else None
    return replace(finding, place=replace(place, path=clean(place.path), where=where))


def _unread(item: Unreadable) -> Unread:
    return Unread(f"{item.path} ({item.where})" if item.where else item.path, item.reason)


def finish(  # noqa: PLR0917  the parts of an Audit
    seen: Seen,
    entries: Sequence[baseline.Entry],
    verdicts: Mapping[str, str],
    host: str,
    targets: Sequence[str],
    started: datetime,
    *,
    elapsed_s: float,
    user: str | None = None,
) -> Audit:
    """The audit, with what the baseline knows set apart."""
    divided = baseline.apply(entries, seen.findings(verdicts), started.date())
    return Audit(
        host=host,
        user=user,
        started=started.isoformat(timespec="seconds"),
        targets=tuple(targets),
        findings=divided.new,
        excused=divided.excused,
        routes=seen.home.routes,
        unread=seen.unread,
        counts=seen.counts,
        elapsed_s=elapsed_s,
    )


def relative_to(anchor: Path, user_home: Path | None) -> Callable[[str], str]:
    """How a path is named in ids: from the anchor if it is below, else from the user's home (`~/…`), else in full."""
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
