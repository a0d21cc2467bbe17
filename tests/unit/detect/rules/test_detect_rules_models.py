"""Keys of model providers: the most exact rule names a key, and look-alikes are not keys."""

from __future__ import annotations

import pytest

from provision.detect.detector import Detector
from provision.detect.rules.models import RULES
from provision.detect.rules.pieces import ALNUM, HEX, URLSAFE, filler

DETECTOR = Detector(RULES, decode=False, engine="re2")


def rules(text: str) -> list[str]:
    return [match.rule for match in DETECTOR.scan(text.encode())]


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("sk-aisa-" + filler("a", URLSAFE, 43), "aisa-key"),
        ("sk-proj-" + filler("b", URLSAFE, 120), "openai-key"),
        ("sk-ant-api03-" + filler("c", URLSAFE, 93) + "AA", "anthropic-key"),
        ("sk-or-v1-" + filler("d", HEX, 64), "openrouter-key"),
        ("sk-" + filler("e", HEX, 32), "deepseek-key"),
        ("sk-" + filler("f", ALNUM, 48), "moonshot-key"),
        ("sk-" + filler("g", ALNUM, 30), "sk-key"),
    ],
)
def test_the_most_exact_rule_names_a_key(key: str, rule: str) -> None:
    assert rules(f"x {key} y") == [rule]
    assert rules(f"x_{key}") == [rule]


def test_only_a_gateway_key_is_found_inside_other_text() -> None:
    assert rules("log" + "sk-aisa-" + filler("a", URLSAFE, 43)) == ["aisa-key"]
    assert rules("task-" + filler("g", ALNUM, 30)) == []
    assert rules("Xgsk_" + filler("h", ALNUM, 52)) == []


def test_a_key_that_is_too_short_is_not_one() -> None:
    assert rules("AIza" + filler("i", URLSAFE, 34) + " ") == []
    assert rules("AIza" + filler("i", URLSAFE, 35) + " ") == ["google-key"]
