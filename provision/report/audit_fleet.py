"""The result of `audit --hosts` and `audit --merge`: a table of keys and where each leaks, JSON, and an HTML page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.audit.merge import fleet_document, machine_name
from provision.audit.result import SEVERITIES
from provision.report.audit import finding_group, findings_grid, key_text, severity_tiles, worst_tone
from provision.report.document import document
from provision.report.html.page import Page, Section, page
from provision.report.html.when import When
from provision.report.terminal import plural, printable, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.audit.merge import FleetAudit, KeyLeak
    from provision.report.html.page import Group

PLACES_PER_KEY = 10


def as_json(fleet: FleetAudit) -> str:
    """The document `provision/audit-fleet/v1`."""
    return document("audit-fleet/v1", **fleet_document(fleet))


def as_table(fleet: FleetAudit, *, everything: bool = False) -> Iterator[str]:
    """Leaked keys with their places, the most severe first; other findings; wrong routes; machines."""
    for key in fleet.keys:
        yield f"{key.severity.upper()}  {printable(key.what)} ({key.fingerprint}) on {_machines(key)}\n"
        shown = key.spots if everything else key.spots[:PLACES_PER_KEY]
        rows = [(s.machine, s.finding.place, s.finding.excerpt, s.finding.verdict or "") for s in shown]
        yield table(("",) * 4, rows, indent=2)
        if len(shown) < len(key.spots):
            yield f"  … and {len(key.spots) - len(shown):,} more: --all shows them\n"
        yield f"  -> {printable(key.spots[0].finding.cure)}\n\n"
    groups = Counter((s.finding.severity, s.finding.rule, s.finding.message) for s in fleet.others)
    if groups:
        rows_ = [(severity, rule, message, count) for (severity, rule, message), count in groups.items()]
        yield table(("SEVERITY", "RULE", "OTHER FINDING", "PLACES"), rows_) + "\n"
    if fleet.wrong_routes:
        routes = [(m, r.home, r.url or "none", key_text(r), r.as_expected, r.why) for m, r in fleet.wrong_routes]
        yield table(("MACHINE", "HERMES HOME", "REQUESTS GO TO", "KEY", "AS INSTALLED", ""), routes) + "\n"
    yield table(("MACHINE", *(s.upper() for s in SEVERITIES), "NOT READ", "STARTED"), _machine_rows(fleet)) + "\n"
    yield summary_line(fleet) + "\n"


def _machines(key: KeyLeak) -> str:
    return plural(len(key.machines), "machine")


def _machine_rows(fleet: FleetAudit) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for audit in fleet.audits:
        counts = Counter(f.severity for f in audit.findings)
        rows.append(
            (machine_name(audit), *(counts[s] or "" for s in SEVERITIES), len(audit.unread) or "", audit.started)
        )
    return rows


def summary_line(fleet: FleetAudit) -> str:
    """One line: machines, keys, places, wrong routes."""
    spots = sum(len(k.spots) for k in fleet.keys)
    return (
        f"{plural(len(fleet.audits), 'machine')}: {plural(len(fleet.keys), 'leaked key')} in {plural(spots, 'place')}, "
        f"{plural(len(fleet.others), 'other finding')}, {plural(len(fleet.wrong_routes), 'route')} not as installed"
    )


def as_html(fleet: FleetAudit) -> Iterator[str]:
    """An HTML page: each leaked key with its places and what to do, all findings, routes, machines."""
    spots = [(s.machine, s.finding) for key in fleet.keys for s in key.spots]
    found = [*spots, *((s.machine, s.finding) for s in fleet.others)]
    findings, unread = [finding for _, finding in found], sum(len(audit.unread) for audit in fleet.audits)
    return page(
        Page(
            "Audit of the fleet",
            summary_line(fleet),
            [("machines", f"{len(fleet.audits):,}")],
            _sections(fleet),
            verdict_tone="bad" if fleet.wrong_routes else worst_tone(findings, unread=bool(unread)),
            tiles=severity_tiles(Counter(f.severity for f in findings), unread),
            groups=[_key_group(at, key) for at, key in enumerate(fleet.keys)],
            grid=findings_grid(found),
        )
    )


def _key_group(number: int, key: KeyLeak) -> Group:
    title = f"{key.what} ({key.fingerprint}) on {_machines(key)}"
    places = [f"{s.machine}: {s.finding.place}" for s in key.spots]
    worst = [replace(s.finding, severity=key.severity) for s in key.spots]
    return finding_group(f"key-{number}", worst, title, places)


def _sections(fleet: FleetAudit) -> Iterator[Section]:
    if fleet.wrong_routes:
        routes = [(m, r.home, r.url or "none", key_text(r), r.as_expected, r.why) for m, r in fleet.wrong_routes]
        yield Section("Routes", "", ("machine", "home", "goes to", "key", "as installed", "why"), routes, "bad")
    headers = ("machine", *SEVERITIES, "not read", "started")
    rows = [(*row[:-1], When.read(str(row[-1]))) for row in _machine_rows(fleet)]
    yield Section("Machines", "", headers, rows, id="not-read")
