"""Which names and values count as secret."""

from __future__ import annotations

import pytest

from provision.detect.secret_names import names_secret, plain_value
from provision.redact.structured.secret_names import path_chosen


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "API_KEY", "AISA_API_KEY", "client-secret", "password", "db_password", "accessToken", "token",
     "X-Api-Key", "Authorization", "secret_access_key", "private_key", "AUTH_TOKEN", "PASSPHRASE"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    ["key_env", "max_tokens", "token_url", "tokens", "keyboard", "monkey", "primary_key", "key", "secret_name", "api_key_env",
     "password_file", "token_count", "access_token_env", "author", "public_key", "", "cookie_policy"],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "value", ["", "  ", "true", "8192", "${AISA_API_KEY}", "$TOKEN", "your-api-key", "null", "0.5"]
)
def test_values_that_tell_nothing(value: str) -> None:
    assert plain_value(value)


def test_key_paths_match_step_by_step() -> None:
    assert path_chosen(("providers", "aisa", "note"), ["providers.*.note"])
    assert not path_chosen(("providers", "aisa", "x", "note"), ["providers.*.note"])
