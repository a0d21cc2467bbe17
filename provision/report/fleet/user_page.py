"""The page of one user, for a help desk: everything that the workspace and the given results know of this user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import provision
from provision.report.fleet.groups import groups, headline
from provision.report.fleet.rows import CURRENT, NOT_LOOKED_AT
from provision.report.html.page import Page, Section, page
from provision.report.html.when import When
from provision.report.rotation import waits_for_text
from provision.rotate.states import OVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.desired import DesiredState
    from provision.report.fleet.results import FleetMachine, FleetReport
    from provision.rotate.model import RotationUser
    from provision.rotate.rotation import Rotation


def user_html(report: FleetReport) -> Iterator[str]:
    """The page of the only user of a report, which is limited to this user."""
    (state,) = report.states
    said, tone = headline(report)
    return page(
        Page(
            state.user,
            said,
            _facts(report, state),
            _sections(report, state),
            verdict_tone=tone,
            groups=groups(report.attention),
            footer=f"provision {provision.__version__} · no secret is on this page",
        )
    )


def _facts(report: FleetReport, state: DesiredState) -> list[tuple[str, str | When]]:
    profile, answers = state.profile, report.answers
    key = report.ledger.current(state.user)
    verdict = f"{answers[0].verdict}: {answers[0].advice}".rstrip(": ") if answers else NOT_LOOKED_AT
    return [
        ("workspace", report.workspace),
        ("as of", When(report.at, report.at)),
        *([("mail", state.email)] if state.email else []),
        ("profile", profile.name),
        ("model", f"{profile.model} ({profile.api_mode}) at {profile.base_url}"),
        *([("tags", ", ".join(state.tags))] if state.tags else []),
        ("current key", f"{key.fingerprint}, {key.age_days(report.at)} days old" if key else "none in the vault"),
        ("gateway", verdict),
        ("inventory", str(state.place)),
    ]


def _sections(report: FleetReport, state: DesiredState) -> Iterator[Section]:
    machines = [
        (m.label, ", ".join(m.standings) or CURRENT, m.remark, m.hermes_version or "-", _heard(m, report))
        for m in report.endpoints or ()
    ]
    yield Section("Machines", "", ("machine", "standing", "remark", "Hermes", "last receipt"), machines)
    advice = {finding.key.fingerprint: finding.cure for finding in report.findings}
    keys = [
        (k.version, k.fingerprint, k.label or "-", k.stage, f"{k.age_days(report.at)} d", advice.get(k.fingerprint, ""))
        for k in report.ledger
        if k.user == state.user
    ]
    yield Section("Keys", "", ("version", "key", "label", "stage", "age", "what to do"), keys)
    rotating = [_rotating(r, p) for r in report.rotations if (p := r.people.get(state.user))]
    if rotating:
        yield Section("Rotations", "", ("rotation", "wave", "state", "waits for", "problem"), rotating)
    found = [(f.severity, m.name, f.place, f.message, f.cure) for m, f in report.leaks]
    if report.audited is not None:
        note = "" if found else "no finding about this user" if report.machines else "no audit of this user's machines"
        yield Section("Findings of audits", note, ("severity", "machine", "where", "what", "what to do"), found)
    events = [
        (When(e.event.at, report.at), e.event.who, e.event.what, e.event.fingerprint) for e in reversed(report.events)
    ]
    yield Section("Newest events", f"see: provision keys log {state.user}", ("when", "who", "what", "key"), events)


def _heard(machine: FleetMachine, report: FleetReport) -> When | str:
    return When(machine.heard, report.at) if machine.heard else "never"


def _rotating(rotation: Rotation, person: RotationUser) -> tuple[object, ...]:
    waits = "-" if person.state in OVER else waits_for_text(rotation)(person)
    return (rotation.id, person.wave + 1, person.state.value, waits, person.trouble.message if person.trouble else "")
