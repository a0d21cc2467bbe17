"""Join the reports of many machines: which key leaks where, which machine sends its requests elsewhere. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.audit.document import finding_json
from provision.audit.result import SEVERITIES, Audit, Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.audit.finding import Finding
    from provision.audit.result import HomeRoute
    from provision.detect.known import KnownKeys
    from provision.detect.match import FindingSeverity


@dataclass(frozen=True, slots=True)
class MachineFinding:
    """One finding on one machine."""

    machine: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class KeyLeak:
    """One key and everywhere it leaks: its owner if known, and the highest severity of its findings."""

    fingerprint: str
    owner: str | None
    stage: str | None
    what: str
    severity: FindingSeverity
    spots: tuple[MachineFinding, ...]

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines it leaks on."""
        return tuple(dict.fromkeys(spot.machine for spot in self.spots))


@dataclass(frozen=True, slots=True)
class FleetAudit:
    """Joined audits. `others` are findings without a key fingerprint."""

    audits: tuple[Audit, ...]
    keys: tuple[KeyLeak, ...]
    others: tuple[MachineFinding, ...]

    @property
    def wrong_routes(self) -> tuple[tuple[str, HomeRoute], ...]:
        """Homes that do not, or may not, send requests as installed, and homes that use another user's key."""
        return tuple(
            (machine_name(a), r)
            for a in self.audits
            for r in a.routes
            if r.as_expected != "yes" or (a.user is not None and r.key_owner not in (None, a.user))
        )


def machine_name(audit: Audit) -> str:
    """Return the name of a machine: its user in the inventory and its host name."""
    return f"{audit.user}@{audit.host}" if audit.user else audit.host


def merge_audits(audits: Iterable[Audit], known: KnownKeys | None = None) -> FleetAudit:
    """Join the newest audit of each machine. `known` adds owners of keys that a machine did not know itself."""
    newest: dict[str, Audit] = {}
    for audit in audits:
        name = machine_name(audit)
        if name not in newest or newest[name].started < audit.started:
            newest[name] = audit
    kept = tuple(newest[name] for name in sorted(newest))
    groups: dict[str, list[MachineFinding]] = {}
    others = []
    for audit in kept:
        for finding in audit.findings:
            spot = MachineFinding(machine_name(audit), _owned(finding, known))
            if finding.fingerprint:
                groups.setdefault(finding.fingerprint, []).append(spot)
            else:
                others.append(spot)
    keys = [_key(fingerprint, spots) for fingerprint, spots in groups.items()]
    keys.sort(key=lambda k: (SEVERITIES.index(k.severity), -len(k.machines), k.owner or "~", k.fingerprint))
    others.sort(key=lambda s: (SEVERITIES.index(s.finding.severity), s.finding.rule, s.machine))
    return FleetAudit(kept, tuple(keys), tuple(others))


def _owned(finding: Finding, known: KnownKeys | None) -> Finding:
    key = known.by_fingerprint.get(finding.fingerprint or "") if known else None
    return replace(finding, owner=key.user, stage=key.stage) if key else finding


def _key(fingerprint: str, spots: Sequence[MachineFinding]) -> KeyLeak:
    worst = min((s.finding for s in spots), key=lambda f: SEVERITIES.index(f.severity))
    owned = next((s.finding for s in spots if s.finding.owner), worst)
    what = f"{owned.owner}'s {owned.stage} key" if owned.owner else worst.message.split(",")[0]
    return KeyLeak(fingerprint, owned.owner, owned.stage, what, worst.severity, tuple(spots))


def as_single_audit(fleet: FleetAudit) -> Audit:
    """Return the fleet as a single audit, with the machine in front of each path: for formats of a single tool run."""
    spots = [spot for key in fleet.keys for spot in key.spots] + list(fleet.others)
    findings = tuple(
        replace(s.finding, place=replace(s.finding.place, path=f"{s.machine}:{s.finding.place.path}")) for s in spots
    )
    unread = tuple(replace(u, path=f"{machine_name(a)}:{u.path}") for a in fleet.audits for u in a.unread)
    counts = Counts(
        sum(a.counts.files for a in fleet.audits),
        sum(a.counts.bytes for a in fleet.audits),
        sum(a.counts.in_place for a in fleet.audits),
        sum(a.counts.allowed for a in fleet.audits),
        sum(a.counts.unchanged for a in fleet.audits),
        sum(a.counts.unchanged_objects for a in fleet.audits),
    )
    started = min((a.started for a in fleet.audits), default="")
    ignored = tuple(e for a in fleet.audits for e in a.ignored)
    routes = tuple(replace(r, home=f"{machine_name(a)}:{r.home}") for a in fleet.audits for r in a.routes)
    targets = tuple(machine_name(a) for a in fleet.audits)
    return Audit("fleet", started, targets, findings, ignored, routes, unread, counts)


def fleet_document(fleet: FleetAudit) -> dict[str, Any]:
    """Return the fields of `provision/audit-fleet/v1`."""
    return {
        "machines": [
            {
                "machine": machine_name(a),
                "host": a.host,
                "user": a.user,
                "started": a.started,
                "findings": {s.value: n for s in SEVERITIES if (n := sum(f.severity is s for f in a.findings))},
                "unreadable": len(a.unread),
                "routes": [
                    {"home": r.home, "url": r.url, "as_expected": r.as_expected, "why": r.why} for r in a.routes
                ],
            }
            for a in fleet.audits
        ],
        "keys": [
            {
                "fingerprint": k.fingerprint,
                "owner": k.owner,
                "stage": k.stage,
                "what": k.what,
                "severity": k.severity.value,
                "machines": list(k.machines),
                "places": [{"machine": s.machine, **finding_json(s.finding)} for s in k.spots],
            }
            for k in fleet.keys
        ],
        "others": [{"machine": s.machine, **finding_json(s.finding)} for s in fleet.others],
    }
