"""What audits say about machines: one report of `audit`, or the fleet's merged report, as the fleet's page reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.audit.document import LIMIT_BYTES, AuditReportError, FindingFields, read_document
from provision.signing.signed_json import DocumentForm, refuse_secrets

if TYPE_CHECKING:
    from provision.audit.finding import Finding
    from provision.audit.result import Audit

FLEET_SCHEMA = "provision/audit-fleet/v1"


@dataclass(frozen=True, slots=True)
class AuditedMachine:
    """One machine's audit: its user if it is a user's machine, its findings, how much was not read, routes by home."""

    name: str
    user: str | None
    started: str
    findings: tuple[Finding, ...]
    unread: int = 0
    routes: tuple[tuple[str, str], ...] = ()


def machine_of(audit: Audit) -> AuditedMachine:
    """The machine of a single audit."""
    routes = tuple((route.home, route.as_expected) for route in audit.routes)
    return AuditedMachine(audit.host, audit.user, audit.started, audit.findings, len(audit.unread), routes)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a newer release may add fields


class _FleetRoute(_Model):
    home: str
    as_expected: Literal["yes", "no", "cannot tell", "not installed"]


class _FleetMachine(_Model):
    machine: str
    host: str
    user: str | None
    started: str
    unreadable: int
    routes: tuple[_FleetRoute, ...] = ()


class _FleetSpot(FindingFields):
    machine: str


class _FleetKey(_Model):
    places: tuple[_FleetSpot, ...]


class _Fleet(_Model):
    schema_: str = Field(alias="schema")
    machines: tuple[_FleetMachine, ...]
    keys: tuple[_FleetKey, ...]
    others: tuple[_FleetSpot, ...]


_FORM = DocumentForm(
    model=_Fleet,
    schema=FLEET_SCHEMA,
    name="the audit report",
    limit_bytes=LIMIT_BYTES,
    error=AuditReportError,
    sound=refuse_secrets,
    other_version="create the report with the same release of provision",
    hint="create one with `provision audit --merge … --format json --output FILE`",
)


def read_machines(data: bytes) -> tuple[AuditedMachine, ...]:
    """Parse the report of one machine, or of a fleet as `audit --hosts` and `audit --merge` write it. Raises AuditReportError."""
    if not _is_fleet(data):
        return (machine_of(read_document(data)),)
    fleet = _FORM.parse(data)
    spots: dict[str, list[Finding]] = {machine.machine: [] for machine in fleet.machines}
    for spot in (*(spot for key in fleet.keys for spot in key.places), *fleet.others):
        if spot.machine not in spots:
            raise AuditReportError(f"the audit report is invalid: machine {spot.machine!r} is not listed")
        spots[spot.machine].append(spot.value())
    return tuple(
        AuditedMachine(
            m.machine,
            m.user,
            m.started,
            tuple(spots[m.machine]),
            m.unreadable,
            tuple((r.home, r.as_expected) for r in m.routes),
        )
        for m in fleet.machines
    )


def _is_fleet(data: bytes) -> bool:
    try:
        document = json.loads(data) if len(data) <= LIMIT_BYTES else None
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("schema") == FLEET_SCHEMA
