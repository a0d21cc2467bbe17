"""Secrets in addresses and headers: real passwords and tokens, not the examples of manuals."""

from __future__ import annotations

import base64

import pytest

from provision.detect.detector import Detector
from provision.detect.rules.pieces import ALNUM, URLSAFE, filler, in_base64
from provision.detect.rules.web import RULES

DETECTOR = Detector(RULES, decode=False, engine="re2")
PASSWORD = filler("p", ALNUM, 14)


def found(text: str) -> list[tuple[str, str]]:
    return [(match.rule, match.secret.reveal()) for match in DETECTOR.scan(text.encode())]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"postgres://app:{PASSWORD}@db.internal:5432/x", "dsn-password"),
        (f"redis://:{PASSWORD}@10.0.0.5/0", "dsn-password"),
        (f"postgresql+asyncpg://app:{PASSWORD}@[fe80::1]/x", "dsn-password"),
        (f"https://deploy:{PASSWORD}@git.corp.example/x.git", "dsn-url-password"),
        (f"https://{PASSWORD}{PASSWORD}@github.com/o/r.git", "dsn-url-token"),
    ],
)
def test_passwords_in_addresses(text: str, rule: str) -> None:
    ((name, secret),) = found(text)
    assert name == rule
    assert secret in {PASSWORD, PASSWORD * 2}


def test_an_at_sign_in_a_password_belongs_to_it() -> None:
    assert found(f"mysql://root:{PASSWORD}@x9@db.internal/a") == [("dsn-password", f"{PASSWORD}@x9")]


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:changeme@localhost/x",
        "redis://:${REDIS_PASSWORD}@host/0",
        "https://h.example:8443/a@b",
        "ftp://u:x@h",
    ],
)
def test_examples_and_variables_are_not_passwords(text: str) -> None:
    assert found(text) == []


def test_a_jwt_begins_with_a_json_object() -> None:
    head, body, signature = in_base64('{"alg": "HS256"}'), in_base64('{"sub": "a81b4c"}'), filler("s", URLSAFE, 43)
    token = f"{head}.{body}.{signature}"
    assert found(f"t={token}; x") == [("jwt", token)]
    assert found(f"t={head[:-1]}.{body}.{signature}") == []


def test_a_basic_login_needs_a_user_and_a_password_that_is_not_a_word() -> None:
    def header(login: str) -> str:
        return "Authorization: Basic " + base64.b64encode(login.encode()).decode()

    assert [rule for rule, _ in found(header(f"svc:{PASSWORD}"))] == ["basic-login"]
    assert found(header("user:documentation")) == []
    assert found(header(PASSWORD)) == []
