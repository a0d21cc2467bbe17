"""Tokens whose prefix is all that is known of them: found after a blank or a sign, not inside words."""

from __future__ import annotations

import random
from pathlib import Path
from string import ascii_letters, digits

import pytest

from provision.audit.allow_comment import is_allowed
from provision.detect.detector import Detector

AUDIT = Detector()
PREFIXES = ("fal_", "exa_", "syt_", "retaindb_", "hsk-", "mem0_", "brv_", "am_", "fpk_", "fw-")


def token(prefix: str, length: int = 32) -> str:
    rng = random.Random(prefix)
    return prefix + "".join(rng.choice(ascii_letters + digits) for _ in range(length - 2)) + "Q7"


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("form", ["see {} ok", "key={}", '"{}"', "x:{}\n", "line\n{}\n"])
def test_a_key_of_an_agents_tool_is_found(prefix: str, form: str) -> None:
    text = form.format(token(prefix))
    assert [match.secret.reveal() for match in AUDIT.scan(text.encode())] == [token(prefix)]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_words_and_names_with_the_same_beginning_stay(prefix: str) -> None:
    for text in (
        f"see {prefix}the_next_element_of_the_list",
        f"par{token(prefix).lower()}",
        f"{prefix}short1",
        f"{prefix}{'x' * 30}",
    ):
        assert AUDIT.scan(f"{text}\n".encode()) == []


def test_a_hash_before_a_dot_is_a_key_only_with_a_key_behind_it() -> None:
    rng = random.Random(8)
    hexadecimal, rest = f"{rng.getrandbits(128):032x}", "".join(rng.choice(ascii_letters + digits) for _ in range(24))
    assert [match.rule for match in AUDIT.scan(f"see {hexadecimal}.{rest} ok".encode())] == ["ollama-cloud-key"]
    assert AUDIT.scan(f"/assets/{hexadecimal}.chunk-vendors-application.js".encode()) == []


def test_our_own_rules_and_examples_are_no_findings() -> None:
    folder = Path(__file__).parents[4] / "provision" / "detect"
    found = []
    for path in sorted(folder.rglob("*.py")):
        lines = path.read_text("utf-8").splitlines()
        data = path.read_bytes()
        for match in AUDIT.scan(data):
            line = data.count(b"\n", 0, match.start)
            if not is_allowed(lines[line], match.rule):
                found.append((path.name, line + 1, match.rule))
    assert found == []


@pytest.mark.parametrize("text", ["token = 'test_{}'", 'duffelToken="duffel_test_{}"', "api_key: live_{}"])
def test_the_mode_in_a_token_makes_it_no_example(text: str) -> None:
    value = token("", 43)
    assert [value in match.secret.reveal() for match in AUDIT.scan(f"{text.format(value)}\n".encode())] == [True]


def test_words_after_a_mode_stay_examples() -> None:
    assert AUDIT.scan(b"token = 'test_this_is_not_a_secret_value'\n") == []
