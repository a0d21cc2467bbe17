"""Names that become folders, options, URLs and `.env` lines."""

from __future__ import annotations

import re

import pytest

from provision.fleet import names
from provision.fleet.models import ProfileFile, UserEntry


@pytest.mark.parametrize("name", ["ada", "a.b", "0", "x" * 64, "auxiliary", "con-1", "_x"])
def test_ids(name: str) -> None:
    assert re.match(names.ID, name)
    assert names.id_refusal(name) is None


@pytest.mark.parametrize("name", [".a", "-a", "a.", "con", "aux.txt", "com1", "lpt9.x"])
def test_ids_that_match_the_pattern_and_are_refused(name: str) -> None:
    assert re.match(names.ID, name)
    assert names.id_refusal(name) is not None
    assert re.search(names.ID_REFUSED, name)  # what the published schema says


@pytest.mark.parametrize("name", ["Ada", "a b", "", "x" * 65, "ä", "a/b"])
def test_ids_that_do_not_match(name: str) -> None:
    assert not re.match(names.ID, name)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (names.MODEL, "anthropic/claude-4.5:beta", "-m"),
        (names.MODEL, "gpt-5.2", "GPT 5.2"),
        (names.PROVIDER, "aisa", "AIsa"),
        (names.KEY_ENV, "AISA_API_KEY", "aisa_key"),
        (names.ENV_NAME, "_x1", "1x"),
        (names.COMMAND_GLOB, "rm -rf *", "rm *\t"),
        (names.COMMAND_GLOB, "*", " rm *"),
        (names.COMMAND_GLOB, "x" * 512, "rm * "),
        (names.HOST, "ada@host.corp", "-oProxyCommand=x"),
        (names.HOST, "ada@corp.example@host", "$(id)@host"),
        (names.HOST, "CORP\\ada@host", "+ada@host"),
        (names.HOST, "[fe80::1%eth0]:22", "a b"),
        (names.URL, "https://h/v1", "https://h/ v1"),
        (names.RECIPIENTS_FILE, "team/ada.txt", "/etc/passwd"),
        (names.RECIPIENTS_FILE, "a", "~/x"),
        (names.HERMES_HOME, r"C:\Users\ada\hermes", "hermes"),
        (names.HERMES_HOME, "~/.hermes", "/h\nx"),
        (names.RECIPIENT, "age1" + "q" * 58, "age1" + "b" * 58),
    ],
)
def test_patterns(pattern: str, good: str, bad: str) -> None:
    assert re.match(pattern, good)
    assert not re.match(pattern, bad)


def test_every_rule_belongs_to_a_field_and_says_what_the_field_contains() -> None:
    fields = {*ProfileFile.model_fields, *UserEntry.model_fields}
    assert names.RULES.keys() <= fields
    assert all(rule.noun and rule.hint and rule.id.startswith("bad-") for rule in names.RULES.values())
