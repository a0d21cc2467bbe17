"""Write docs/audit-rules.md, a section for each rule of `audit`: `python tests/craft/rulespage.py` after a rule changed."""

from __future__ import annotations

from pathlib import Path

from provision.audit.confidence import PRECISION, confidence_of, measured_as
from provision.detect.entropy import HINT
from provision.detect.rules.builtin import BUILTIN

PAGE = Path(__file__).parents[2] / "docs" / "audit-rules.md"
_BEGIN = """# The rules of audit

Written by `tests/craft/rulespage.py`. Severity is what happens if the finding is real; a key of the fleet is rated by its stage
and by who can read it ([audit.md](audit.md#severity)). Confidence is the precision of the rule on the corpus of
`tests/craft/triage.py` (at least 95 % high, 80 % medium). Rules for names with fewer than 50 findings there are not measured
and low; rules for tokens with a prefix of their own say how sure they are.

An allow comment names a rule: `provision:allow=RULE`, followed by the reason.
"""


def page() -> str:
    """The whole page."""
    sections = []
    for rule in sorted((*BUILTIN, HINT), key=lambda rule: rule.id):
        severity = "high" if rule.severity == "critical" and rule.id != "aisa-key" else rule.severity
        confidence = confidence_of(rule.id, rule.confidence)
        measured = PRECISION.get(measured_as(rule.id))
        how = f"{measured[1]} % of {measured[0]} findings" if measured else "not measured"
        sections.append(f"## {rule.id}\n\n{rule.description}. Severity {severity}, confidence {confidence} ({how}).\n")
    return "\n".join([_BEGIN, *sections])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
