"""Rules of the publishing policy: examples are masked, counter-examples stay, gates and windows fit their patterns."""

from __future__ import annotations

from re import _parser as regex_parser  # type: ignore[attr-defined]

import pytest
import re2

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.rule import Rule
from provision.detect.rules.named import RULES

CASES = [(rule, example) for rule in RULES for example in rule.examples if isinstance(example, str)]
OTHERS = [(rule, example) for rule in RULES for example in rule.counter_examples if isinstance(example, str)]
ALONE = Detector((), policy=Policy.PUBLISHING, engine="re2")


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_an_example_is_found(rule: Rule, example: str) -> None:
    for engine in ("re2", "hyperscan"):
        found = Detector((), policy=Policy.PUBLISHING, engine=engine).scan(f"{example}\n".encode())
        assert [match.rule for match in found] == [found[0].rule], engine
        assert found[0].rule.startswith("named-")


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_a_gate_matches_in_each_example(rule: Rule, example: str) -> None:
    pattern = re2.compile(rule.pattern.encode("latin-1"))
    assert rule.gate is not None
    if pattern.search(example.encode()):
        assert re2.compile(rule.gate.encode("latin-1")).search(example.encode())


@pytest.mark.parametrize(("rule", "example"), OTHERS)
def test_a_counter_example_stays(rule: Rule, example: str) -> None:
    assert ALONE.scan(f"{example}\n".encode()) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_value_of_250_bytes_fits_its_window(rule: Rule) -> None:
    before = regex_parser.parse(rule.pattern.split("(?P<secret>")[0]).getwidth()[1]
    assert before <= rule.reach
    assert rule.reach >= 250


def test_an_audit_does_not_run_them() -> None:
    assert Detector((), engine="re2").scan(b"password: hunter2\n") == []
