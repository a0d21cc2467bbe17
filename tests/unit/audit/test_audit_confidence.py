"""Confidence by measured precision: bands, rules that were not measured, rules that do not go by names."""

from __future__ import annotations

import pytest

from provision.audit.confidence import LEAST_FINDINGS, PRECISION, confidence_for, confidence_of, measured_as
from provision.detect.match import Confidence
from provision.detect.rules.builtin import BUILTIN


@pytest.mark.parametrize(
    ("percent", "confidence"),
    [(100.0, "high"), (95.0, "high"), (94.9, "medium"), (80.0, "medium"), (79.9, "low"), (0.0, "low")],
)
def test_a_precision_stands_for_a_confidence(percent: float, confidence: str) -> None:
    assert confidence_for(percent) == confidence


def test_what_was_not_measured_is_low_and_tokens_keep_their_own() -> None:
    assert confidence_of("assigned-not-measured", Confidence.HIGH) is Confidence.LOW
    assert confidence_of("github-token", Confidence.HIGH) is Confidence.HIGH


def test_only_rules_with_enough_findings_are_in_the_table() -> None:
    assert {measured_as(rule.id) for rule in BUILTIN} >= PRECISION.keys()
    assert all(findings >= LEAST_FINDINGS for findings, _ in PRECISION.values())


def test_the_levels_of_confidence_differ() -> None:
    assert {confidence_of(rule.id, rule.confidence) for rule in BUILTIN} == set(Confidence)
