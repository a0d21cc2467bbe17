"""The result of `audit`: table, JSON, JUnit and HTML, written in pieces. SARIF is in `sarif`."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.audit.result import SEVERITIES
from provision.report.document import document
from provision.report.terminal import plural, printable, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.audit.finding import Finding
    from provision.audit.result import Audit, HomeRoute
    from provision.detect.match import FindingSeverity
    from provision.report.html.grid import Grid
    from provision.report.html.page import Group, Section, Tile
    from provision.report.junit import Case

ROWS_PER_GROUP = 20
_WIDTH = 110
TONES = {"critical": "bad", "high": "bad", "medium": "unsure", "low": "neutral"}


def as_json(audit: Audit) -> str:
    """The document `provision/audit/v1`."""
    from provision.audit.document import audit_document  # noqa: PLC0415  with pydantic

    return document("audit/v1", **audit_document(audit))


def as_table(audit: Audit, *, everything: bool = False, home: str | None = None) -> Iterator[str]:
    """Findings grouped by message and remediation; of each group the first twenty unless `everything`.

    Paths below `home` are shown with `~`.
    """

    def short(path: str) -> str:
        return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path

    yield from _routes([replace(route, home=short(route.home)) for route in audit.routes])
    for group in grouped_findings(audit.findings):
        first = group[0]
        yield f"{first.severity.upper()}  {printable(first.message)}\n"
        shown = group if everything else group[:ROWS_PER_GROUP]
        rows = [(short(str(f.place)), f.excerpt, f.verdict or "", f.id) for f in shown]
        yield table(("",) * 4, rows, indent=2)
        if len(shown) < len(group):
            yield f"  … and {len(group) - len(shown):,} more: --all shows them\n"
        yield textwrap.fill(
            printable(first.cure), _WIDTH, initial_indent="  -> ", subsequent_indent="     ", break_on_hyphens=False
        )
        yield "\n\n"
    for unread in audit.unread[: None if everything else ROWS_PER_GROUP]:
        yield f"NOT READ  {printable(short(unread.path))}: {printable(unread.reason)}\n"
    if len(audit.unread) > ROWS_PER_GROUP and not everything:
        yield f"  … and {len(audit.unread) - ROWS_PER_GROUP:,} more\n"
    if audit.unread:
        yield "\n"
    yield summary_line(audit) + "\n"


def grouped_findings(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings with the same message and remediation together, in order of first occurrence."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.message, finding.cure), []).append(finding)
    return list(groups.values())


def _routes(routes: Sequence[HomeRoute]) -> Iterator[str]:
    if not routes:
        return
    rows = [(r.home, r.url or "none", r.model or "", key_text(r), r.as_expected, r.why) for r in routes]
    yield table(("HERMES HOME", "NEXT REQUEST GOES TO", "MODEL", "KEY", "AS INSTALLED", ""), rows) + "\n"


def key_text(route: HomeRoute) -> str:
    """The key of a route: its user and stage if known, else its fingerprint."""
    if route.key_owner:
        return f"{route.key_owner}'s {route.key_stage}"
    return route.key_fingerprint or "none"


def summary_line(audit: Audit) -> str:
    """One line: how much was scanned, what was found, what was ignored or not read."""
    counts = [(s, sum(f.severity is s for f in audit.findings)) for s in SEVERITIES]
    by_severity = ", ".join(f"{n:,} {s}" for s, n in counts if n)
    number = len(audit.findings)
    line = f"{plural(audit.counts.files, 'file')}, {_size(audit.counts.bytes)}: "
    line += f"{plural(number, 'finding')} ({by_severity})" if number else "nothing found"
    more = [
        (len(audit.ignored), "in the baseline"),
        (audit.counts.allowed, "allowed by a comment"),
        (audit.counts.in_place, "where they belong"),
        (audit.counts.unchanged, "unchanged since they were clean (--full scans them again)"),
        (audit.counts.unchanged_objects, "git objects unchanged"),
        (len(audit.unread), "could not be read"),
    ]
    return line + "".join(f"; {n:,} {what}" for n, what in more if n)


def _size(number: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"


def as_junit(audit: Audit) -> Iterator[str]:
    """A JUnit document: a failure for every finding, an error for every item that could not be read."""
    from provision.report.junit import Suite, junit  # noqa: PLC0415  only for this format

    failed, errors = len(audit.findings), len(audit.unread)
    quiet = len(audit.ignored)
    tests = failed + errors + quiet or 1
    return junit(Suite("provision audit", tests, failed, errors, quiet, audit.elapsed_s), _cases(audit))


def _cases(audit: Audit) -> Iterator[Case]:
    from provision.report.junit import Case  # noqa: PLC0415  only for this format

    for f in audit.findings:
        yield Case(str(f.place), f.rule, "failure", f.severity, f"{f.message}; {f.excerpt}; {f.cure}")
    for unread in audit.unread:
        yield Case(unread.path, "unreadable", "error", "unreadable", unread.reason)
    for excused in audit.ignored:
        message = f"in the baseline since {excused.since}: {excused.reason}"
        yield Case(str(excused.finding.place), excused.finding.rule, "skipped", "", message)
    if not (audit.findings or audit.unread or audit.ignored):
        yield Case("no findings", "provision audit", "passed")


def as_html(audit: Audit) -> Iterator[str]:
    """An HTML page: a tile per severity, equal findings in groups with what to do, all findings, the route of every home."""
    from provision.report.html.page import Page, page  # noqa: PLC0415  only for this format
    from provision.report.html.when import When  # noqa: PLC0415  only for this format

    facts: list[tuple[str, str | When]] = [
        ("machine", audit.host + (f" ({audit.user})" if audit.user else "")),
        ("started", When.read(audit.started)),
        ("scanned", ", ".join(audit.targets)),
        ("took", f"{audit.elapsed_s:.1f} s"),
    ]
    groups = [finding_group(f"group-{at}", group, "") for at, group in enumerate(grouped_findings(audit.findings))]
    return page(
        Page(
            "Audit",
            summary_line(audit),
            facts,
            _sections(audit),
            verdict_tone=worst_tone(audit.findings, unread=bool(audit.unread)),
            tiles=severity_tiles(Counter(f.severity for f in audit.findings), len(audit.unread)),
            groups=groups,
            grid=findings_grid([("", f) for f in audit.findings]),
        )
    )


def worst_tone(findings: Sequence[Finding], *, unread: bool) -> str:
    """The tone of the worst finding. Without any, what was not read is not in order."""
    worst = next((s for s in SEVERITIES if any(f.severity is s for f in findings)), None)
    return TONES[worst] if worst else "unsure" if unread else "good"


def severity_tiles(counts: Mapping[FindingSeverity, int], unread: int) -> list[Tile]:
    """A tile per severity, which filters the findings, and one for what was not read."""
    from provision.report.html.page import Tile  # noqa: PLC0415  only for this format

    tiles = [Tile(f"{counts[s]:,}", s, "", TONES[s], "grid-title", s) for s in SEVERITIES if counts.get(s)]
    return [*tiles, *([Tile(f"{unread:,}", "not read", "", "unsure", "not-read")] if unread else [])]


def finding_group(anchor: str, findings: Sequence[Finding], title: str, places: Sequence[str] = ()) -> Group:
    """Equal findings as one line that opens to their places."""
    from provision.report.html.page import Group  # noqa: PLC0415  only for this format

    first, shown = findings[0], (places or [str(f.place) for f in findings])[:ROWS_PER_GROUP]
    return Group(
        anchor,
        len(findings),
        title or first.message,
        first.severity,
        TONES[first.severity],
        first.cure,
        shown,
        len(findings) - len(shown),
    )


def findings_grid(found: Sequence[tuple[str, Finding]]) -> Grid | None:
    """All findings, the most severe first, each with the name of its machine; "" if there is only one machine."""
    from provision.report.html.grid import Column, Grid  # noqa: PLC0415  only for this format

    if not found:
        return None
    rows = sorted(found, key=lambda each: SEVERITIES.index(each[1].severity))
    machines, findings = [machine for machine, _ in rows], [finding for _, finding in rows]
    columns = [
        Column(
            "severity", [f.severity.value for f in findings], "pill", words=[s.value for s in SEVERITIES], tones=TONES
        ),
        Column("machine", machines, shown=any(machines)),
        Column("place", [str(f.place) for f in findings]),
        Column("what", [f.message for f in findings]),
        Column("excerpt", [f.excerpt for f in findings]),
        Column("confidence", [f.confidence.value for f in findings]),
        Column("gateway", [f.verdict for f in findings], shown=any(f.verdict for f in findings)),
        Column("owner", [f.owner for f in findings], shown=False),
        Column("rule", [f.rule for f in findings]),
        Column("id", [f.id for f in findings]),
    ]
    return Grid("Findings", "finding", columns, "severity", "a path, rule:aisa-key, owner:ada, severity:high")


def _sections(audit: Audit) -> Iterator[Section]:
    from provision.report.html.page import Section  # noqa: PLC0415  only for this format

    if audit.routes:
        rows = [(r.home, r.url or "none", r.model or "", key_text(r), r.as_expected, r.why) for r in audit.routes]
        headers = ("Hermes home", "next request goes to", "model", "key", "as installed", "why")
        yield Section("Routes", "", headers, rows)
    if audit.unread:
        unread = [(u.path, u.reason) for u in audit.unread]
        yield Section("Could not be read", "", ("path", "reason"), unread, "unsure", id="not-read")
    if audit.ignored:
        known = [(str(e.finding.place), e.finding.rule, e.reason, e.since) for e in audit.ignored]
        yield Section("In the baseline", "", ("place", "rule", "reason", "since"), known)
