"""`provision/audit/v1`: the public JSON form of an audit, written for programs and read back by `audit --merge`."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.audit.finding import Finding, Location
from provision.audit.result import SEVERITIES, Audit, Counts, HomeRoute, IgnoredFinding, Unread
from provision.detect.match import Confidence, FindingSeverity
from provision.errors import ProvisionError
from provision.signing.signed_json import DocumentForm, refuse_secrets

SCHEMA = "provision/audit/v1"
LIMIT_BYTES = 256 << 20


class AuditReportError(ProvisionError):
    """A file given as an audit report is not one."""


def audit_document(audit: Audit) -> dict[str, Any]:
    """Return the document's fields without `schema`, ready for `report.document`."""
    counts = {s.value: n for s in SEVERITIES if (n := sum(f.severity is s for f in audit.findings))}
    return {
        "host": audit.host,
        "user": audit.user,
        "started": audit.started,
        "elapsed_s": round(audit.elapsed_s, 3),
        "targets": list(audit.targets),
        "summary": {
            "findings": len(audit.findings),
            "by_severity": counts,
            "excused": len(audit.ignored),
            "allowed": audit.counts.allowed,
            "in_place": audit.counts.in_place,
            "unreadable": len(audit.unread),
            "files": audit.counts.files,
            "bytes": audit.counts.bytes,
            "unchanged": audit.counts.unchanged,
            "unchanged_objects": audit.counts.unchanged_objects,
        },
        "findings": [finding_json(f) for f in audit.findings],
        "excused": [finding_json(e.finding) | {"reason": e.reason, "since": e.since} for e in audit.ignored],
        "routes": [dataclasses.asdict(route) for route in audit.routes],
        "unreadable": [dataclasses.asdict(unread) for unread in audit.unread],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding as JSON fields, its location flattened."""
    place = finding.place
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "where": place.where,
        "owner": finding.owner,
        "stage": finding.stage,
        "fingerprint": finding.fingerprint,
        "excerpt": finding.excerpt,
        "message": finding.message,
        "cure": finding.cure,
        "verdict": finding.verdict,
    }


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a newer release may add fields


class FindingFields(_Model):
    """A finding as `finding_json` writes it."""

    id: str = Field(max_length=64)
    rule: str = Field(max_length=200)
    severity: FindingSeverity
    confidence: Confidence
    path: str
    line: int | None
    column: int | None
    where: str | None
    owner: str | None
    stage: str | None
    fingerprint: str | None = Field(max_length=64)
    excerpt: str
    message: str
    cure: str
    verdict: str | None = None
    reason: str = ""
    since: str = ""

    def value(self) -> Finding:
        """The finding; fields of a subclass are dropped."""
        names = ("id", "rule", "message", "excerpt", "cure", "owner", "stage", "fingerprint", "verdict")
        place = Location(self.path, self.line, self.column, self.where)
        fields = {name: getattr(self, name) for name in names}
        return Finding(place=place, severity=self.severity, confidence=self.confidence, **fields)


class _Unread(_Model):
    path: str
    reason: str


class _Route(_Model):
    home: str
    url: str | None
    model: str | None
    api_mode: str | None
    provider: str
    key_fingerprint: str | None
    key_owner: str | None
    key_stage: str | None
    key_source: str
    as_expected: Literal["yes", "no", "cannot tell", "not installed"]
    why: str = ""


class _Summary(_Model):
    files: int
    bytes: int
    in_place: int
    allowed: int
    unchanged: int = 0
    unchanged_objects: int = 0


class _Report(_Model):
    schema_: str = Field(alias="schema")
    host: str
    user: str | None = None
    started: str
    elapsed_s: float
    targets: tuple[str, ...]
    summary: _Summary
    findings: tuple[FindingFields, ...]
    excused: tuple[FindingFields, ...]
    routes: tuple[_Route, ...]
    unreadable: tuple[_Unread, ...]


_FORM = DocumentForm(
    model=_Report,
    schema=SCHEMA,
    name="the audit report",
    limit_bytes=LIMIT_BYTES,
    error=AuditReportError,
    sound=refuse_secrets,
    other_version="create the report with the same release of provision",
    hint="create one with `provision audit --format json --output FILE`",
)


def read_document(data: bytes) -> Audit:
    """Parse an audit report. Raises AuditReportError, also when it holds anything that looks like a secret."""
    report = _FORM.parse(data)
    summary = report.summary
    return Audit(
        host=report.host,
        user=report.user,
        started=report.started,
        elapsed_s=report.elapsed_s,
        targets=report.targets,
        findings=tuple(f.value() for f in report.findings),
        ignored=tuple(IgnoredFinding(f.value(), f.reason, f.since) for f in report.excused),
        routes=tuple(HomeRoute(**r.model_dump()) for r in report.routes),
        unread=tuple(Unread(u.path, u.reason) for u in report.unreadable),
        counts=Counts(**summary.model_dump()),
    )
