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
    "assigned-argument": (153, 100.0),
    "assigned-authorization": (61, 100.0),
    "assigned-bare": (856, 98.7),
    "assigned-by-attribute": (247, 98.4),
    "assigned-by-cell": (185, 98.4),
    "assigned-by-column": (432, 99.1),
    "assigned-by-command": (673, 99.0),
    "assigned-by-command-options": (275, 99.3),
    "assigned-by-cookies": (94, 96.8),
    "assigned-by-fallback": (217, 98.2),
    "assigned-by-fallback-of-another": (62, 98.4),
    "assigned-by-given-auth": (68, 91.2),
    "assigned-by-given-option": (735, 90.3),
    "assigned-by-given-redis": (167, 91.6),
    "assigned-by-given-sql": (104, 88.5),
    "assigned-by-kubernetes": (62, 98.4),
    "assigned-by-list": (66, 98.5),
    "assigned-by-member": (125, 98.4),
    "assigned-by-object": (61, 100.0),
    "assigned-by-symbol": (94, 100.0),
    "assigned-by-tab": (94, 97.9),
    "assigned-by-tag": (218, 97.7),
    "assigned-by-words": (797, 98.4),
    "assigned-by-words-in-other-languages": (1775, 98.3),
    "assigned-line": (66, 100.0),
    "assigned-pair": (184, 100.0),
    "assigned-quoted": (254, 98.0),
    "assigned-setting": (66, 97.0),
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
