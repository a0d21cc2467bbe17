"""The result of `audit --hosts` and `audit --merge`: a table of keys and where each leaks, JSON, and an HTML page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.audit.merge import fleet_document, machine_name
from provision.audit.result import SEVERITIES
from provision.report.audit import key_text
from provision.report.document import document
from provision.report.html.page import Bar, Page, Section, page
from provision.report.terminal import plural, printable, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.audit.merge import FleetAudit, KeyLeak

PLACES_PER_KEY = 10
_TONES = {"critical": "bad", "high": "bad", "medium": "unsure", "low": "neutral"}


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
    """An HTML page: a chart of the severities, the places of each key, routes, machines."""
    counts = Counter(k.severity for k in fleet.keys)
    bars = [Bar(s, counts[s], _TONES[s]) for s in SEVERITIES if counts[s]]
    facts = [("machines", f"{len(fleet.audits):,}")]
    return page(
        Page("Audit of the fleet", summary_line(fleet), facts, "leaking keys by severity", bars, _sections(fleet))
    )


def _sections(fleet: FleetAudit) -> Iterator[Section]:
    headers = ("machine", "place", "excerpt", "what", "gateway says")
    for key in fleet.keys:
        rows = [
            (s.machine, str(s.finding.place), s.finding.excerpt, s.finding.message, s.finding.verdict or "")
            for s in key.spots
        ]
        title = f"{key.severity}: {key.what} ({key.fingerprint}) on {_machines(key)}"
        yield Section(title, key.spots[0].finding.cure, headers, rows, _TONES[key.severity])
    if fleet.others:
        other = [(s.machine, str(s.finding.place), s.finding.excerpt, s.finding.message, "") for s in fleet.others]
        yield Section("Other findings", "", headers, other)
    if fleet.wrong_routes:
        routes = [(m, r.home, r.url or "none", key_text(r), r.as_expected, r.why) for m, r in fleet.wrong_routes]
        yield Section("Routes", "", ("machine", "home", "goes to", "key", "as installed", "why"), routes, "bad")
    yield Section("Machines", "", ("machine", *SEVERITIES, "not read", "started"), _machine_rows(fleet))
