"""Values of names such as `api_key`: the syntaxes, the name that is reported, values that are not secrets."""

from __future__ import annotations

import pytest

from provision.detect.detector import Detector
from provision.detect.rules.assigned import RULES
from provision.detect.rules.pieces import ALNUM, filler

DETECTOR = Detector(RULES, decode=False, engine="re2")
VALUE = filler("v", ALNUM, 32)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f'api_key: "{VALUE}"', "api_key"),
        (f"export AISA_API_KEY={VALUE}\n", "AISA_API_KEY"),
        (f"smtp.password = {VALUE}\r\n", "smtp.password"),
        (f"GET /v1?access_token={VALUE}&x=1", "access_token"),
        (f"X-Api-Key: {VALUE}\r\n", "X-Api-Key"),
        (f"{{user: x, client_secret: {VALUE}}}", "client_secret"),
        (f'setdefault("AISA_API_KEY", "{VALUE}")', "AISA_API_KEY"),
        (f"<apiKey>{VALUE}</apiKey>", "apiKey"),
        (f'{{"name": "DB_PASSWORD", "value": "{VALUE}"}}', "DB_PASSWORD"),
        (f"cmd --api-key {VALUE}", "api-key"),
        (f"hermes config set AISA_API_KEY {VALUE}", "AISA_API_KEY"),
        (f'{{\\"auth_token\\": \\"{VALUE}\\"}}', "auth_token"),
    ],
)
def test_a_value_is_found_in_every_syntax_with_its_name(text: str, name: str) -> None:
    (match,) = DETECTOR.scan(text.encode())
    assert (match.secret.reveal(), match.key) == (VALUE, name)


@pytest.mark.parametrize(
    "text",
    [
        f"commit: {VALUE}",
        f'digest = "{VALUE}"',
        "api_key = settings.api_key2",
        "token = next_token(stream, 2)",
        'password: "changeme"',
        f"primary_key: {VALUE}",
        f"# api_key_{VALUE}",
    ],
)
def test_other_names_and_code_are_not_secrets(text: str) -> None:
    assert DETECTOR.scan(text.encode()) == []


def test_a_comment_after_the_value_is_not_part_of_it() -> None:
    (match,) = DETECTOR.scan(f"  api_key: {VALUE}  # of ada\n".encode())
    assert match.secret.reveal() == VALUE
