"""SARIF 2.1.0 as an output format, which code hosts and editors show beside the code.

A place inside a container (a row, a member of an archive) is a logical location: SARIF has lines only for files. A finding in
git history is at the file's own path, with the commit as a property.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import provision
from provision.detect.entropy import HINT
from provision.detect.rules.builtin import BUILTIN
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.audit.finding import Finding
    from provision.audit.result import Audit

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RULES_FOLDER = "rules/"
"""Where the documentation site has a page for each built-in rule."""
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_COMMIT = re.compile(r"commit (?P<commit>[0-9a-f]{7,64}):(?P<path>.+?)(?: \(in no branch or tag\))?(?:: .*)?$")
"""How an audit names a file in history: `commit abc1234:path`, followed by a place inside that file."""
_SECURITY = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}
"""The `security-severity` by which GitHub sorts alerts."""


def as_sarif(audit: Audit, descriptions: Mapping[str, str]) -> str:
    """Write a SARIF log. `descriptions` says what each rule finds; a rule without one is described by its id."""
    found = [*audit.findings, *(e.finding for e in audit.ignored)]
    rules = sorted({f.rule for f in found})
    excuses = {e.finding.id: e for e in audit.ignored}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "provision audit",
                "version": provision.__version__,
                "rules": [_rule(rule, descriptions.get(rule, rule), found) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not audit.unread,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": printable(f"not read: {u.path}: {u.reason}")}}
                    for u in audit.unread
                ],
            }
        ],
        "results": [],
    }
    for finding in found:
        result = _result(finding, rules.index(finding.rule))
        if finding.id in excuses:
            result["suppressions"] = [{"kind": "external", "justification": printable(excuses[finding.id].reason)}]
        run["results"].append(result)
    return json.dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(rule: str, description: str, findings: Iterable[Finding]) -> dict[str, Any]:
    worst = next(f for f in findings if f.rule == rule)
    page = f"{provision.SITE}{RULES_FOLDER}{rule}.html" if rule in {HINT.id, *(each.id for each in BUILTIN)} else ""
    return {
        "id": rule,
        "shortDescription": {"text": description},
        "help": {"text": f"{description}. {rule_advice(rule)}"},
        **({"helpUri": page} if provision.SITE and page else {}),
        "defaultConfiguration": {"level": _LEVELS[worst.severity]},
        "properties": {"security-severity": _SECURITY[worst.severity], "tags": ["security", "secrets"]},
    }


def rule_advice(rule: str) -> str:
    """What to do about findings of a rule."""
    return (
        "Revoke or rotate the secret where it was issued if others could have read it, then remove the copy. "
        f"If it is not a secret, say so in its line: provision:allow={rule} and the reason, or accept it in the baseline."
    )


def _result(finding: Finding, index: int) -> dict[str, Any]:
    place = finding.place
    history = _COMMIT.match(place.where or "")
    in_file = history is not None and not history["path"].startswith("(message)")
    path = _historic_path(place.path, history["path"]) if history and in_file else place.path
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(path)}}
    if place.line is not None:
        region = {"startLine": place.line}
        if place.column is not None:
            region["startColumn"] = place.column
        physical["region"] = region
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.where:
        location["logicalLocations"] = [{"fullyQualifiedName": printable(place.where)}]
    text = (
        f"{finding.message}: {finding.excerpt}. {finding.cure}"
        if finding.excerpt
        else f"{finding.message}. {finding.cure}"
    )
    properties = {
        "confidence": finding.confidence.value,
        "severity": finding.severity.value,
        "owner": finding.owner,
        "stage": finding.stage,
        "fingerprint": finding.fingerprint,
        "verdict": finding.verdict,
        "commit": history["commit"] if history else None,
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": printable(text)},
        "locations": [location],
        "partialFingerprints": {"provisionFinding/v1": finding.id},
        "properties": {k: v for k, v in properties.items() if v is not None},
    }


def _historic_path(repository: str, path: str) -> str:
    """The path of a file in history: in the repository's own folder, of which `.git` is a part."""
    folder = re.sub(r"(?:^|[/\\])\.git$", "", repository)
    return f"{folder}/{path}" if folder not in {"", "."} else path


def _uri(path: str) -> str:
    """A path as a URI reference. Relative paths stay relative: a code host resolves them in its checkout."""
    windows = os.name == "nt"
    if windows:  # elsewhere a backslash is part of a name
        path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    quoted = quote(path.encode("utf-8", "surrogateescape"), safe="/!$&'()*+,;=@~-._")
    if windows and re.match(r"[A-Za-z]:/", path):
        return f"file:///{path[:2]}{quoted[4:]}"
    if path.startswith("/"):
        return "file:///" + quoted.lstrip("/")
    return quoted or "."
