"""Tokens of services: exact lengths, tokens without a keyword, addresses that are secrets."""

from __future__ import annotations

import pytest

from provision.detect.detector import Detector
from provision.detect.rules.pieces import ALNUM, HEX, UPPER, URLSAFE, filler, in_base64
from provision.detect.rules.services import RULES

DETECTOR = Detector(RULES, decode=False, engine="re2")
AWS = filler("aws", ALNUM + "+/", 40)
DISCORD = f"{in_base64('1093847562109384756')}.{filler('d', URLSAFE, 6)}.{filler('e', URLSAFE, 38)}"


def found(text: str) -> list[tuple[str, str]]:
    return [(match.rule, match.secret.reveal()) for match in DETECTOR.scan(text.encode())]


@pytest.mark.parametrize("end", ['"', "\n", ""])
def test_an_aws_secret_has_exactly_forty_characters(end: str) -> None:
    assert found(f"aws_secret_access_key={AWS}{end}") == [("aws-secret-key", AWS)]
    assert found(f"aws_secret_access_key={AWS}x{end}") == []
    assert found(f"other_access={AWS}{end}") == []


def test_a_discord_token_needs_no_keyword() -> None:
    assert found(f"see {DISCORD} there") == [("discord-token", DISCORD)]
    assert found("see " + DISCORD.replace(".", "-") + " there") == []


def test_a_telegram_token_may_begin_in_the_row_above() -> None:
    token = ":AA" + filler("t", URLSAFE, 32) + "x"
    assert found(f"bot 7102015431{token} ") == [("telegram-token", f"7102015431{token}")]
    assert found(f"bot 7102\n015431{token}\n") == [("telegram-token-end", f"015431{token}")]
    assert found("00:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99 ") == []


def test_webhook_addresses_are_secrets_as_a_whole() -> None:
    address = (
        f"https://hooks.slack.com/services/T{filler('s', UPPER, 10)}/B{filler('b', UPPER, 10)}/{filler('w', ALNUM, 24)}"
    )
    assert found(f"curl {address} -d x") == [("slack-webhook", address)]
    assert found("https://hooks.slack.com/services/") == []


def test_words_that_contain_a_keyword_are_not_tokens() -> None:
    assert found("mon" + "key-" + filler("k", HEX, 32)) == []
    assert [rule for rule, _ in found("x key-" + filler("k", HEX, 32) + " ")] == ["mailgun-key"]
