"""How sure a finding is: the precision of its rule, measured on a corpus that ships with the tests.

The corpus (`tests/craft/triage.py`) has a secret and something that only looks like one in each of 356 places. A rule of at
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
    "assigned-argument": (154, 99.4),
    "assigned-authorization": (58, 100.0),
    "assigned-bare": (920, 98.5),
    "assigned-by-attribute": (245, 99.2),
    "assigned-by-cell": (185, 98.9),
    "assigned-by-column": (985, 99.0),
    "assigned-by-command": (675, 98.7),
    "assigned-by-command-options": (278, 98.2),
    "assigned-by-cookies": (91, 100.0),
    "assigned-by-directive": (63, 98.4),
    "assigned-by-element-in-other-languages": (125, 97.6),
    "assigned-by-fallback": (215, 99.1),
    "assigned-by-fallback-of-another": (62, 98.4),
    "assigned-by-given-auth": (135, 90.4),
    "assigned-by-given-chpasswd": (166, 93.4),
    "assigned-by-given-connect": (67, 94.0),
    "assigned-by-given-dsl": (98, 94.9),
    "assigned-by-given-option": (735, 90.3),
    "assigned-by-given-redis": (168, 91.1),
    "assigned-by-given-setting": (68, 92.6),
    "assigned-by-given-sql": (102, 90.2),
    "assigned-by-given-sudo": (70, 90.0),
    "assigned-by-kubernetes": (64, 96.9),
    "assigned-by-list": (71, 97.2),
    "assigned-by-member": (124, 99.2),
    "assigned-by-object": (63, 96.8),
    "assigned-by-pair-in-other-languages": (366, 99.5),
    "assigned-by-symbol": (97, 96.9),
    "assigned-by-tab": (93, 98.9),
    "assigned-by-tag": (339, 98.2),
    "assigned-by-words": (826, 98.7),
    "assigned-by-words-in-other-languages": (2053, 98.2),
    "assigned-element": (63, 98.4),
    "assigned-line": (188, 98.9),
    "assigned-pair": (218, 98.6),
    "assigned-quoted": (346, 98.8),
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
