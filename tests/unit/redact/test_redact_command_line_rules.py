"""Secrets on command lines are found, options without a secret are not."""

from __future__ import annotations

import pytest
from redactcraft import opaque, session

from provision.redact.command_line_rules import COMMAND_LINE_RULES
from provision.redact.stream import redact_bytes

WORD = opaque("command line", 12)


def redacted(line: str) -> str:
    return redact_bytes(line.encode(), session(), "history").decode()


@pytest.mark.parametrize(
    "line",
    [
        "tool --api-key {} run",
        "tool --password={} run",
        'tool --client-id x --token "{}" run',
        "hermes config set AISA_API_KEY {} # now",
        "curl -s -u ada:{} https://gateway.example",
        "mysql -u root -p{} db",
        "sshpass -p {} ssh ada@host",
    ],
)
def test_a_typed_secret_is_masked_and_the_rest_of_the_line_stays(line: str) -> None:
    before, after = (part.strip('"') for part in line.split("{}"))  # quotes may be masked too
    result = redacted(line.format(WORD))
    assert WORD not in result
    assert result.startswith(before)
    assert "[REDACTED:" in result
    assert result.endswith(after)


@pytest.mark.parametrize(
    "line",
    [
        "provision rotate --token-file notes.txt",
        "hermes config set model.key_env AISA_API_KEY",
        "mysql -u root -p db",
        "tool --password $PASSWORD run",
        "curl -u ada https://gateway.example",
        "mkdir -p some/long/path",
    ],
)
def test_a_command_line_without_a_secret_stays(line: str) -> None:
    assert redacted(line) == line


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in COMMAND_LINE_RULES}) == len(COMMAND_LINE_RULES)
