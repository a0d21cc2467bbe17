"""Every rule proves itself by its own examples, run through the real detector."""

from __future__ import annotations

import re
import re._parser as regex_parser
import time
from functools import cache
from typing import Literal

import pytest
import re2

from provision.detect.detector import Detector
from provision.detect.entropy import HINT, looks_random, run_share, shannon, word_share
from provision.detect.not_secret import is_not_secret
from provision.detect.rule import Example, Rule
from provision.detect.rules.builtin import BUILTIN
from provision.detect.rules.pieces import ALNUM, HEX, LEFT, filler, is_one_run

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
def test_a_counter_example_is_not_a_finding(rule: Rule, example: Example) -> None:
    assert Detector((rule,), decode=False, engine="re2").scan(text(example)) == []


@pytest.mark.parametrize(("rule", "example"), cases("counter_examples"))
def test_no_other_rule_finds_a_counter_example(rule: Rule, example: Example) -> None:
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
        assert rule.mark or any(word.encode() in lowered for word in rule.keywords)


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.id for rule in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("${AISA_API_KEY}", "assigned-line"),
        ("{{ secret }}", "assigned-line"),
        ("%TOKEN%", "assigned-line"),
        ("$(cat key)", "assigned-line"),
        ("op://vault/item/field", "assigned-line"),
        ("550e8400-e29b-41d4-a716-446655440000", "assigned-quoted"),
        ("sha512-" + filler("sri", ALNUM, 86), "assigned-quoted"),
        ("$2b$12$" + filler("crypt", ALNUM, 53), "assigned-line"),
        ("sk-aisa-abcd…wxyz", "sk-key"),
        ("sk-a...WXYZ", "sk-key"),
        ("your-api-key-goes-here-123", "assigned-quoted"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "assigned-quoted"),
        ("https://example.com/token/1a2b3c4d5e6f", "assigned-quoted"),
        ("AKIAIOSFODNN7EXAMPLE", "aws-access-key"),
        ("ghp_" + "x" * 36, "github-token"),
        ("ghp_" + "1234567890abcdefghij" * 2, "github-token"),
        ("guest", "dsn-password"),
        ("<password>", "dsn-password"),
    ],
)
def test_placeholders_and_references_are_rejected(value: str, rule: str) -> None:
    assert is_not_secret(value, rule)


@pytest.mark.parametrize("seed", range(300))
def test_random_values_are_never_rejected(seed: int) -> None:
    for prefix, alphabet, length, rule in (
        ("sk-aisa-", ALNUM + "-_", 43, "aisa-key"),
        ("ghp_", ALNUM, 36, "github-token"),
        ("sk-", HEX, 32, "deepseek-key"),
        ("", ALNUM, 32, "assigned-quoted"),
        ("", HEX, 40, "assigned-line"),
        ("", ALNUM, 14, "dsn-password"),
    ):
        assert not is_not_secret(prefix + filler(f"{seed}{rule}", alphabet, length), rule, b"api_key: ")


@pytest.mark.parametrize(
    "name", ["integrity", "sha256", "cacheKey", "public_key", "etag", "next_page_token", "csrfToken"]
)
def test_a_value_with_a_harmless_name_is_rejected(name: str) -> None:
    value = filler(name, HEX, 40)
    assert is_not_secret(value, "assigned-quoted", f'  "{name}": "{value}",'.encode())
    assert not is_not_secret(value, "assigned-quoted", f'  "api_key": "{value}",'.encode())


def test_two_dots_do_not_make_a_mask() -> None:
    left, right = filler("l", ALNUM, 9), filler("r", ALNUM, 7)
    assert not is_not_secret(f"{left}..{right}", "dsn-password")
    assert not is_not_secret(f"{left}**{right}", "assigned-quoted")
    assert not is_not_secret(f"{left}..*{right}", "dsn-password")
    assert is_not_secret(f"{left}...{right}", "dsn-password")
    assert is_not_secret(f"{left}****{right}", "assigned-quoted")


def test_random_text_differs_from_words() -> None:
    assert looks_random(filler("a", ALNUM, 32))
    assert looks_random(filler("a", HEX, 32))
    for text in (
        "get_access_token_from_request",
        "application2/json",
        "aaaaaaaaaaaaaaa1",
        "abcdefghijklmnop1234",
        "12345678901234567",
        "",
    ):
        assert not looks_random(text)
    assert word_share("get_access_token") > 0.7
    assert word_share(filler("a", ALNUM, 43)) < 0.3
    assert run_share("abcdef123456") > 0.8
    assert shannon("aaaa") == 0
    assert shannon(bytes(range(256))) == pytest.approx(8)


def test_the_entropy_rule_is_off_by_default() -> None:
    line = f"blob {filler('hint', ALNUM, 40)} end".encode()
    assert Detector(BUILTIN, engine="re2", decode=False).scan(line) == []
    assert [each.rule for each in Detector(BUILTIN, engine="re2", decode=False, entropy=True).scan(line)] == [HINT.id]


def test_what_is_called_one_run_has_no_blank() -> None:
    rules = [rule for rule in BUILTIN if is_one_run(rule)]
    assert len(rules) > 100
    for rule in rules:
        outside = re.sub(r"\\.|\[\^?(?:\\.|[^\]\\])*\]", "", rule.pattern)
        negated = re.findall(r"\[\^(?:\\.|[^\]\\])*\]", rule.pattern)
        assert "." not in outside, rule.id
        assert all(r"\s" in each for each in negated), rule.id
        assert not re.search(r"\\[WDntrfv]", rule.pattern.removeprefix(LEFT)), rule.id


def test_a_statement_that_does_nothing_is_no_keyword() -> None:
    detector = Detector()
    assert not detector.hits(b"class A(B):\n    pass\n").words
    for name in ("SMTP_PASS", "app.pass", "dbpass"):
        text = f"- name: {name}\n  value: q8{filler('pair', ALNUM, 14)}\n"
        assert [match.key for match in detector.scan(text.encode())] == [name]


WORST = {
    "many-names": b"api_key_token_secret_password_" * 4000,
    "many-keywords": b"sk-aisa-" * 15_000,
    "almost": (b"sk-" + b"a1" * 500 + b"!") * 120,
    "quotes": b"password: '" * 11_000,
    "equals": b"api_key=" * 15_000,
    "spaces": b"api_key" + b" " * 120_000 + b"=",
    "urls": b"postgres://" * 11_000,
    "userinfo": b"https://" + b"a:" * 60_000 + b"@",
    "pem": b"-----BEGIN PRIVATE KEY-----\n" * 4500,
    "dots": b"eyJ" + b"A." * 60_000,
    "jwt": b"eyJhbGciOiJI." * 9000,
    "basic": b"basic " * 20_000,
    "names": b"name: token " * 10_000,
    "flags": b" --token" * 15_000,
    "words": b"token" * 24_000,
    "nuls": b"\0" * 120_000,
}


@pytest.mark.parametrize("engine", ["re2", "auto"])
@pytest.mark.parametrize("case", WORST)
def test_time_grows_no_faster_than_the_input(case: str, engine: Literal["re2", "auto"]) -> None:
    """Sixteen times as much of the worst takes about sixteen times as long; 256 times would be quadratic."""
    detector = _detector(engine)
    worst = WORST[case]
    small = min(_seconds(detector, worst[: len(worst) // 16]) for _ in range(3))
    limit = 60 * small + 0.15
    assert any(_seconds(detector, worst) < limit for _ in range(4))


@cache
def _detector(engine: Literal["re2", "auto"]) -> Detector:
    detector = Detector(BUILTIN, engine=engine, decode=False)
    detector.scan(b"warm")
    return detector


def _seconds(detector: Detector, data: bytes) -> float:
    begun = time.process_time()
    detector.scan(data)
    return time.process_time() - begun


def test_a_name_without_a_value_does_not_take_the_assignment_in_the_next_line() -> None:
    value = f"HERMES_HOME={filler('next line', ALNUM, 16)}"
    for between in (b"", b"  ", b"\n\t"):
        assert is_not_secret(value, "assigned-bare", b"API_KEY=\n" + between + value.encode())
    assert not is_not_secret(value, "assigned-bare", b"API_KEY=" + value.encode())
    assert not is_not_secret(value.partition("=")[2], "assigned-bare", b"API_KEY:\n" + value.encode()[12:])
