"""Findings of `doctor` as a table and as JSON. The home folder is written `~`: such output is pasted into public issues."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from provision.doctor.health import HealthFinding, Tier
from provision.report.document import document
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = re.compile(r"`([^`]+)`|: ((?:provision|git|chmod|rm|ssh-keygen|hermes) .+)$")
_PAGES = {
    "trust": "docs/trust.md",
    "signer": "docs/trust.md",
    "recovery": "docs/trust.md",
    "approvals": "docs/trust.md",
    "feed": "docs/feed.md",
    "vault": "docs/vault.md",
    "machine": "docs/endpoint.md",
}


def as_table(findings: Sequence[HealthFinding], home: str) -> str:
    """One line per check, the fix below it, and a summary."""
    width = max((len(each.id) for each in findings), default=0)
    lines = []
    for each in findings:
        lines.append(f"{each.tier:<7}  {each.id:<{width}}  {_masked(each.text, home)}")
        if each.fix and each.tier is not Tier.OK:
            lines.append(f"{'':<7}  {'':<{width}}  hint: {_masked(each.fix, home)}")
    counts = Counter(each.tier for each in findings)
    lines.append(
        f"{counts[Tier.FAILED]} failed, {plural(counts[Tier.WARNING], 'warning')}, {counts[Tier.OK]} ok,"
        f" {counts[Tier.SKIPPED]} skipped"
    )
    return "".join(printable(line) + "\n" for line in lines)


def as_json(findings: Sequence[HealthFinding], home: str) -> str:
    """The document `provision/doctor/v1`. `tier` is that of the worst finding; what was skipped is not worse than ok."""
    counts = Counter(each.tier for each in findings)
    worst = next((tier for tier in (Tier.FAILED, Tier.WARNING) if counts[tier]), Tier.OK)
    return document(
        "doctor/v1",
        tier=worst.value,
        summary={tier.value: counts[tier] for tier in Tier},
        findings=[_finding(each, home) for each in findings],
    )


def _finding(each: HealthFinding, home: str) -> dict[str, Any]:
    page = _PAGES.get(each.id.partition(".")[0])
    commands = [found[1] or found[2] for found in _COMMAND.finditer(each.fix)]
    return {
        "id": each.id,
        "tier": each.tier.value,
        "text": printable(_masked(each.text, home)),
        "affects": [_masked(name, home) for name in each.affects],
        "links": [page] if page else [],
        "remediation": {
            "text": printable(_masked(each.fix, home)),
            "commands": [printable(_masked(command, home)) for command in commands],
        },
    }


def _masked(text: str, home: str) -> str:
    """The text with the home folder as `~`, out of quotes, so that a pasted command still works."""
    if not home.strip("/"):
        return text
    return re.sub(rf"'{re.escape(home)}/", "~/'", text).replace(home + "/", "~/")
