"""Measure the precision of each rule for names on the corpus of `craft/triage.py`.

    pytest -m bench -s tests/bench/test_bench_triage.py

prints the table of `provision/audit/confidence.py`, and fails if a rule's measured precision stands for another confidence.
"""

from __future__ import annotations

from collections import Counter

import pytest
from triage import samples

from provision.audit.confidence import LEAST_FINDINGS, PRECISION, confidence_for, measured_as
from provision.detect.detector import Detector

pytestmark = pytest.mark.bench


def test_each_rule_is_as_precise_as_its_confidence_says(capsys: pytest.CaptureFixture[str]) -> None:
    detector, right, wrong = Detector(), Counter[str](), Counter[str]()
    for text, secret in samples(7, 10):
        for match in detector.scan(text.encode()):
            value = match.secret.reveal()
            (right if secret and (value in secret or secret in value) else wrong)[measured_as(match.rule)] += 1
    measured = {
        rule: (count + wrong[rule], round(100 * count / (count + wrong[rule]), 1))
        for rule, count in sorted(right.items())
        if count + wrong[rule] >= LEAST_FINDINGS
    }
    with capsys.disabled():
        print()
        for rule, (findings, percent) in measured.items():
            print(f'    "{rule}": ({findings}, {percent}),')
    bands = {rule: confidence_for(percent) for rule, (_, percent) in measured.items() if rule.startswith("assigned-")}
    assert bands == {rule: confidence_for(percent) for rule, (_, percent) in PRECISION.items()}
