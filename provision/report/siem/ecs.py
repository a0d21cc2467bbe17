"""Findings and events as JSON lines with the fields of the Elastic Common Schema, for a SIEM. Pure.

`event.kind` is `alert` for findings and `event` for what happened; what ECS has no field for is under `provision`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import provision
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.audit.finding import Finding
    from provision.audit.result import Audit
    from provision.keys.events.text import Event

_ECS = "9.0.0"
_SEVERITY = {"critical": 99, "high": 73, "medium": 47, "low": 21}
"""The numbers that Elastic's own rules use for these words."""


def findings_as_ecs(audits: Iterable[Audit]) -> Iterator[str]:
    """One line per finding, then one for what could not be read of each machine."""
    for audit in audits:
        for finding in audit.findings:
            yield _line(_finding(audit, finding))
        if audit.unread:
            fields = _event(audit.started, "event", "audit", ("configuration", "info"), "files-not-read")
            fields["event"]["outcome"] = "failure"
            fields["message"] = f"{plural(len(audit.unread), 'file')} not read"
            yield _line(_on_machine(fields, audit))


def events_as_ecs(events: Iterable[Event]) -> Iterator[str]:
    """One line per event of the event log."""
    for each in events:
        at = each.at.isoformat(timespec="seconds")
        fields = _event(at, "event", "keys", ("iam", "change"), each.what)
        fields["event"]["outcome"] = "success"
        fields["user"] = {"name": each.who, **({"target": {"name": each.user}} if each.user else {})}
        fields["related"] = {"user": sorted({each.who, each.user} - {""})}
        fields["message"] = f"{each.what}: {each.user}" if each.user else each.what
        fields["provision"] = {"fingerprint": each.fingerprint or None, "detail": dict(each.detail)}
        yield _line(fields)


def _finding(audit: Audit, finding: Finding) -> dict[str, Any]:
    fields = _event(audit.started, "alert", "audit", ("intrusion_detection", "info"), finding.rule)
    fields["event"] |= {"id": finding.id, "severity": _SEVERITY[finding.severity.value]}
    fields["rule"] = {"id": finding.rule, "name": finding.rule, "ruleset": "provision audit"}
    fields["file"] = {"path": finding.place.path}
    fields["message"] = f"{finding.message}. {finding.cure}"
    fields["provision"] = {
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "line": finding.place.line,
        "where": finding.place.where,
        "owner": finding.owner,
        "stage": finding.stage,
        "fingerprint": finding.fingerprint,
        "verdict": finding.verdict,
    }
    return _on_machine(fields, audit, finding.owner)


def _event(at: str, kind: str, dataset: str, kinds: tuple[str, str], action: str) -> dict[str, Any]:
    return {
        "@timestamp": at,
        "ecs": {"version": _ECS},
        "event": {
            "kind": kind,
            "category": [kinds[0]],
            "type": [kinds[1]],
            "action": action,
            "dataset": f"provision.{dataset}",
            "module": "provision",
        },
        "observer": {"vendor": "provision", "product": "provision", "version": provision.__version__},
    }


def _on_machine(fields: dict[str, Any], audit: Audit, owner: str | None = None) -> dict[str, Any]:
    users = sorted({audit.user or "", owner or ""} - {""})
    fields["host"] = {"name": audit.host}
    if audit.user:
        fields["user"] = {"name": audit.user}
    fields["related"] = {"hosts": [audit.host], **({"user": users} if users else {})}
    return fields


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(_clean(fields), ensure_ascii=False) + "\n"


def _clean(value: Any) -> Any:
    """Without empty values, and with all texts printable."""
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items() if each is not None and each != {}}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return printable(value) if isinstance(value, str) else value
