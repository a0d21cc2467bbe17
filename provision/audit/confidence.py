"""How sure a finding is: the precision of its rule, measured on a corpus that ships with the tests.

The corpus (`tests/craft/triage.py`) has a secret and something that only looks like one in each of 260 places. A rule of at
least 95 % is high, of at least 80 % medium. A rule for names with fewer than 50 findings there is not measured and therefore
low; a rule for tokens with a prefix of their own keeps what it says. `tests/bench/test_bench_triage.py` prints this table.
"""

from __future__ import annotations

from provision.detect.match import Confidence

LEAST_FINDINGS = 50
HIGH_PERCENT, MEDIUM_PERCENT = 95.0, 80.0
_BY_NAME = "assigned-"
PRECISION: dict[str, tuple[int, float]] = {
    "assigned-argument": (156, 98.1),
    "assigned-authorization": (58, 100.0),
    "assigned-bare": (856, 98.8),
    "assigned-by-attribute": (246, 98.8),
    "assigned-by-cell": (184, 99.5),
    "assigned-by-column-key": (158, 97.5),
    "assigned-by-column-password": (218, 98.2),
    "assigned-by-command": (645, 98.4),
    "assigned-by-command-options": (279, 97.8),
    "assigned-by-cookies": (91, 100.0),
    "assigned-by-fallback": (216, 98.6),
    "assigned-by-fallback-of-another": (61, 100.0),
    "assigned-by-given-auth": (66, 93.9),
    "assigned-by-given-option": (721, 92.1),
    "assigned-by-given-redis": (175, 87.4),
    "assigned-by-given-sql": (108, 85.2),
    "assigned-by-kubernetes": (61, 100.0),
    "assigned-by-list": (68, 98.5),
    "assigned-by-member": (123, 100.0),
    "assigned-by-object": (65, 93.8),
    "assigned-by-tab": (93, 98.9),
    "assigned-by-tag": (218, 97.7),
    "assigned-by-words": (794, 98.9),
    "assigned-by-words-in-other-languages": (1744, 98.2),
    "assigned-line": (67, 98.5),
    "assigned-pair": (185, 99.5),
    "assigned-quoted": (130, 98.5),
    "assigned-setting": (66, 97.0),
}
"""Findings and the percentage that is right, by rule."""


def confidence_of(rule: str, stated: Confidence) -> Confidence:
    """Return the confidence of a rule's findings; `stated` is the rule's own, for rules that do not go by names."""
    if rule in PRECISION:
        return confidence_for(PRECISION[rule][1])
    return Confidence.LOW if rule.startswith(_BY_NAME) else stated


def confidence_for(percent: float) -> Confidence:
    """Return the confidence that a measured precision stands for."""
    if percent >= HIGH_PERCENT:
        return Confidence.HIGH
    return Confidence.MEDIUM if percent >= MEDIUM_PERCENT else Confidence.LOW
