"""How sure a finding is: the precision of its rule, measured on a corpus that ships with the tests.

The corpus (`tests/craft/triage.py`) has a secret and something that only looks like one in each of 260 places. A rule of at
least 95 % is high, of at least 80 % medium. A rule for names with fewer than 50 findings there is not measured and therefore
low; a rule for tokens with a prefix of their own keeps what it says. `tests/bench/test_bench_triage.py` prints this table.
"""

from __future__ import annotations

from provision.detect.match import Confidence
from provision.detect.rules.beside import COLUMN

LEAST_FINDINGS = 50
HIGH_PERCENT, MEDIUM_PERCENT = 95.0, 80.0
_BY_NAME = "assigned-"
PRECISION: dict[str, tuple[int, float]] = {
    "assigned-argument": (154, 98.7),
    "assigned-authorization": (59, 100.0),
    "assigned-bare": (869, 97.2),
    "assigned-by-attribute": (244, 99.6),
    "assigned-by-cell": (186, 98.4),
    "assigned-by-column": (946, 98.6),
    "assigned-by-command": (675, 98.8),
    "assigned-by-command-options": (277, 98.6),
    "assigned-by-cookies": (91, 100.0),
    "assigned-by-element-in-other-languages": (124, 98.4),
    "assigned-by-fallback": (218, 97.7),
    "assigned-by-fallback-of-another": (62, 98.4),
    "assigned-by-given-auth": (67, 92.5),
    "assigned-by-given-option": (721, 92.1),
    "assigned-by-given-redis": (175, 87.4),
    "assigned-by-given-sql": (112, 82.1),
    "assigned-by-kubernetes": (62, 98.4),
    "assigned-by-list": (67, 100.0),
    "assigned-by-member": (124, 99.2),
    "assigned-by-object": (63, 96.8),
    "assigned-by-pair-in-other-languages": (375, 97.1),
    "assigned-by-symbol": (95, 98.9),
    "assigned-by-tab": (95, 96.8),
    "assigned-by-tag": (335, 99.4),
    "assigned-by-words": (806, 97.3),
    "assigned-by-words-in-other-languages": (2010, 98.9),
    "assigned-element": (63, 98.4),
    "assigned-line": (159, 98.1),
    "assigned-pair": (216, 99.5),
    "assigned-quoted": (344, 98.5),
    "assigned-setting": (64, 100.0),
}
"""Findings and the percentage that is right, by rule (`measured_as`)."""


def measured_as(rule: str) -> str:
    """Return under which name a rule is in the table: the rules for columns have one function, and are measured together."""
    return COLUMN.rstrip("-") if rule.startswith(COLUMN) else rule


def confidence_of(rule: str, stated: Confidence) -> Confidence:
    """Return the confidence of a rule's findings; `stated` is the rule's own, for rules that do not go by names."""
    measured = PRECISION.get(measured_as(rule))
    if measured:
        return confidence_for(measured[1])
    return Confidence.LOW if rule.startswith(_BY_NAME) else stated


def confidence_for(percent: float) -> Confidence:
    """Return the confidence that a measured precision stands for."""
    if percent >= HIGH_PERCENT:
        return Confidence.HIGH
    return Confidence.MEDIUM if percent >= MEDIUM_PERCENT else Confidence.LOW
