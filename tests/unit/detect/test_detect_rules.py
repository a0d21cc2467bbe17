"""Every rule proves itself by its own examples, run through the real detector."""

from __future__ import annotations

import re
import re._parser as regex_parser

import pytest
import re2

from provision.detect.detector import Detector
from provision.detect.entropy import HINT
from provision.detect.rule import Example, Rule
from provision.detect.rules import BUILTIN

EVERY = (*BUILTIN, HINT)
ALL = Detector(BUILTIN, decode=False, engine="re2")


def text(example: Example) -> bytes:
    return (example if isinstance(example, str) else example()).encode()


def cases(which: str) -> list[object]:
    return [
        pytest.param(rule, each, id=f"{rule.id}-{n}") for rule in BUILTIN for n, each in enumerate(getattr(rule, which))
    ]


@pytest.mark.parametrize(("rule", "example"), cases("examples"))
def test_an_example_is_found_by_its_rule(rule: Rule, example: Example) -> None:
    data = text(example)
    found = Detector((rule,), decode=False, engine="re2").scan(data)
    assert [each.rule for each in found] == [rule.id]
    secret = found[0].secret.reveal().encode()
    assert data[found[0].start : found[0].end] == secret
    assert len(secret) >= 6


@pytest.mark.parametrize(("rule", "example"), cases("counter_examples"))
def test_a_counter_example_is_no_finding(rule: Rule, example: Example) -> None:
    assert Detector((rule,), decode=False, engine="re2").scan(text(example)) == []


@pytest.mark.parametrize(("rule", "example"), cases("counter_examples"))
def test_no_other_rule_minds_a_counter_example(rule: Rule, example: Example) -> None:
    assert ALL.scan(text(example)) == []


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_a_rule_is_well_formed(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.id)
    assert rule.description
    assert not rule.description.endswith(".")
    assert all(word == word.lower() and len(word) >= 2 for word in rule.keywords)
    assert "(?P<secret>" in rule.pattern
    re2.compile(rule.pattern)
    longest = regex_parser.parse(rule.pattern.replace("(?i:", "(?:")).getwidth()[1]
    assert longest <= rule.reach or longest > 100_000, f"{rule.id}: matches up to {longest} bytes, reach {rule.reach}"
    if rule is not HINT:
        assert len(rule.examples) >= 1
        assert len(rule.counter_examples) >= 1


@pytest.mark.parametrize("rule", BUILTIN, ids=lambda rule: rule.id)
def test_a_keyword_stands_within_reach_of_each_example(rule: Rule) -> None:
    for example in rule.examples:
        lowered = text(example).lower()
        assert any(word.encode() in lowered for word in rule.keywords)


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.id for rule in EVERY}) == len(EVERY)
