"""Tokens of developer tools: gates match inside every token, lengths and alphabets are exact."""

from __future__ import annotations

import re2

from provision.detect.detector import Detector
from provision.detect.rules.pieces import ALNUM, HEX, filler
from provision.detect.rules.tools import RULES

DETECTOR = Detector(RULES, decode=False, engine="re2")


def rules(text: str) -> list[str]:
    return [match.rule for match in DETECTOR.scan(text.encode())]


def test_every_gate_matches_inside_every_example() -> None:
    for rule in RULES:
        for example in rule.examples:
            text = example if isinstance(example, str) else example()
            (match,) = Detector((rule,), decode=False, engine="re2").scan(text.encode())
            assert rule.gate is not None
            assert re2.search(rule.gate, match.secret.reveal()), rule.id


def test_a_github_token_has_at_least_36_characters_of_its_alphabet() -> None:
    assert rules("ghp_" + filler("g", ALNUM, 36)) == ["github-token"]
    assert rules("ghp_" + filler("g", ALNUM, 35)) == []
    assert rules("ghx_" + filler("g", ALNUM, 36)) == []


def test_hex_tokens_accept_only_lower_case_hex() -> None:
    assert rules("pul-" + filler("p", HEX, 40)) == ["pulumi-token"]
    assert rules("pul-" + filler("p", HEX, 39) + "g") == []


def test_a_terraform_token_begins_before_its_keyword() -> None:
    before = filler("t", ALNUM, 14)
    (match,) = DETECTOR.scan(f"token {before}.atlasv1.{filler('u', ALNUM, 67)} ".encode())
    assert match.secret.reveal().startswith(before + ".atlasv1.")
