"""From hits to matches: groups, entropy, rejected values, known keys, coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detectcraft import aisa_key, known

from provision.detect.engines.confirm import Confirmer
from provision.detect.engines.hits import Hits
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.rule import NamedValue, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE = "q7Rt2Vx9Lm4K"


def rule(name: str, pattern: str, *, confidence: Confidence = Confidence.HIGH, **more: Any) -> Rule:
    return Rule(name, name, FindingSeverity.HIGH, confidence, ("tok",), pattern, **more)


def matches(*rules: Rule, data: str, keys: tuple[str, ...] = ()) -> list[Match]:
    confirmer = Confirmer(rules, known(*keys) if keys else None)
    text, lowered = data.encode(), data.lower().encode()
    hits = [
        (index, at)
        for index, word in enumerate(confirmer.words)
        for at in range(len(text))
        if lowered.startswith(word, at)
    ]
    return confirmer.matches(text, Hits(sorted(hits, key=lambda hit: hit[1]), {}))


def test_the_secret_is_its_group_else_the_first_group_else_everything() -> None:
    data = f"tok_{VALUE}!"
    for pattern, secret in (
        (r"(t)ok_(?P<secret>\w{12})", VALUE),
        (r"tok_(\w{12})", VALUE),
        (r"tok_\w{12}", f"tok_{VALUE}"),
    ):
        (match,) = matches(rule("r", pattern), data=data)
        assert match.secret.reveal() == secret
        assert data[match.start : match.end] == secret


def test_the_name_is_kept() -> None:
    (match,) = matches(rule("r", r"(?P<name>tok)=(?P<secret>\w+)"), data=f"tok={VALUE}")
    assert match.key == "tok"


def test_values_of_low_entropy_and_placeholders_are_dropped() -> None:
    exact = rule("r", r"tok_(?P<secret>\w{12})", entropy=3.0)
    assert matches(exact, data="tok_ababababcdcd") == []
    assert matches(exact, data="tok_xxxxxxxxxxxx") == []
    assert len(matches(exact, data=f"tok_{VALUE}")) == 1


def test_a_known_key_is_kept_even_if_it_looks_like_a_placeholder() -> None:
    key = "sk-aisa-" + "ab1" * 15
    (match,) = matches(data=f"see {key}", keys=(key,))
    assert match.known is not None
    assert match.known.user == "u0"


def test_a_match_inside_one_of_higher_confidence_is_not_reported() -> None:
    sure = rule("sure", r"tok_\w{12}")
    unsure = rule("unsure", r"\w{12}", confidence=Confidence.MEDIUM)
    assert [match.rule for match in matches(unsure, sure, data=f"tok_{VALUE}")] == ["sure"]
    assert len(matches(unsure, sure, data=f"tok {VALUE}")) == 1


def test_known_keys_without_a_prefix_are_searched_everywhere() -> None:
    assert Confirmer((), known("0" * 8 + "4f6e2b9c1d7a5e3f8b0c6d2e")).scans_everything
    assert not Confirmer((), known(aisa_key())).scans_everything


def test_a_function_of_several_rules_runs_once_over_the_same_range() -> None:
    ranges = []

    def find(data: bytes, left: int, right: int) -> Iterator[NamedValue]:
        ranges.append((left, right))
        at = data.index(VALUE.encode(), left, right)
        yield NamedValue(at, at + len(VALUE), b"api_token")

    (match,) = matches(rule("one", "unused", find=find), rule("two", "unused", find=find), data=f"tok_{VALUE}!")
    assert (match.rule, match.key, match.secret.reveal()) == ("one", "api_token", VALUE)
    assert ranges == [(0, len(f"tok_{VALUE}!"))]
