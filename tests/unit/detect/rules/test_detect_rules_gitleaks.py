"""Rules in gitleaks' format: what they find, and warnings for unsupported features."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from provision.detect.detector import Detector
from provision.detect.match import FindingSeverity
from provision.detect.rules.gitleaks import LARGEST_FILE, load_rules, read_rules
from provision.detect.rules.pieces import LOWER, filler
from provision.errors import InvalidFilesError

if TYPE_CHECKING:
    from pathlib import Path

RULES = b"""
title = "ours"

[extend]
useDefault = true

[allowlist]
description = "for all"
stopwords = ["Sample"]
paths = ['''vendor/''']

[[rules]]
id = "Acme Token"
description = "Acme's token."
regex = '''(?i)acme_(key|tok)[(]?_([a-z0-9]{20})\\b'''
secretGroup = 2
keywords = ["ACME_"]
severity = "critical"
[[rules.allowlists]]
regexes = ['''^zzzz''']

[[rules]]
id = "plain"
regex = '''corp-([0-9]{12})'''
entropy = 2.0
"""


def found(data: str) -> list[tuple[str, str]]:
    rules, _ = read_rules(RULES, "r.toml")
    return [(each.rule, each.secret.reveal()) for each in Detector(rules, engine="re2").scan(data.encode())]


def test_a_rule_finds_its_group() -> None:
    value = filler("acme", LOWER, 20)
    assert found(f"x acme_tok_{value} y") == [("x-acme-token", value)]
    assert found("n corp-918273645102 y") == [("x-plain", "918273645102")]


def test_allow_lists_and_entropy_are_honoured() -> None:
    value = filler("acme", LOWER, 16)
    assert found(f"acme_tok_zzzz{value}") == []
    assert found(f"acme_tok_sample{value[:14]}") == []
    assert found("corp-111111111111") == []


def test_rules_travel_to_other_processes() -> None:
    rules, _ = read_rules(RULES, "r.toml")
    copy = pickle.loads(pickle.dumps(rules))
    assert copy == rules
    assert rules[0].severity is FindingSeverity.CRITICAL
    assert rules[0].description == "Acme's token"


def test_unsupported_features_are_warnings_with_their_line() -> None:
    _, problems = read_rules(RULES, "r.toml")
    assert [(p.rule, p.place.line if p.place else 0, p.severity.value) for p in problems] == [
        ("rules-allow", 7, "warning"),
        ("rules-extend", 4, "warning"),
    ]


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        (b"[[rules]\n", "rules-toml", 1),
        (b"\xff", "rules-encoding", 0),
        (b"title = 'x'\n", "rules-none", 0),
        (b"[[rules]]\nregex = 'x'\n", "rules-id", 1),
        (b"[[rules]]\nid = 'a'\n", "rules-regex", 1),
        (b"[[rules]]\nid = 'a'\n\nregex = 'a(?=b)'\n", "rules-regex", 4),
        (b"[[rules]]\nid = 'a'\nregex = '(a)'\nsecretGroup = 2\n", "rules-group", 4),
        (b"[[rules]]\nid = 'a'\nregex = 'a'\n[[rules]]\nid = 'A'\nregex = 'b'\n", "rules-duplicate", 5),
        (b"[[rules]]\nid = 'a'\npath = 'x'\n", "rules-path", 3),
        (b"[[rules]]\nid = 'a'\nregex = 'a'\n[rules.allowlist]\nregexes = ['(']\n", "rules-regex", 1),
    ],
)
def test_problems_have_a_name_and_a_place(text: bytes, rule: str, line: int) -> None:
    _, problems = read_rules(text, "r.toml")
    assert [(p.rule, p.place.line if p.place else None) for p in problems] == [(rule, line)]


def test_a_file_with_errors_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(RULES)
    told: list[str] = []
    assert len(load_rules(path, lambda problem: told.append(problem.rule))) == 2
    assert told == ["rules-allow", "rules-extend"]
    path.write_bytes(RULES + b"[[rules]]\nregex = 'x'\n")
    with pytest.raises(InvalidFilesError) as refused:
        load_rules(path)
    assert refused.value.message == "1 error in the rules; nothing was scanned"
    with pytest.raises(InvalidFilesError):
        load_rules(tmp_path / "none.toml")
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(InvalidFilesError):
        load_rules(path)
