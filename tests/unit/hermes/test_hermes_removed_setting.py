"""Removed values are shown, but never a credential."""

from __future__ import annotations

import pytest

from provision.hermes.removed_setting import masked_value

SECRET = "nothing-special-0123"


@pytest.mark.parametrize("name", ["api_key", "apiKey", "Authorization", "GITHUB_TOKEN", "password", "cookie"])
def test_the_name_masks_the_value(name: str) -> None:
    assert SECRET not in masked_value(name, SECRET)


@pytest.mark.parametrize("name", ["base_url", "key_env", "model"])
def test_other_values_are_shown(name: str) -> None:
    assert masked_value(name, SECRET) == SECRET


@pytest.mark.parametrize("url", ["https://ada:pw@h/v1", "https://h/v1?sig=pw"])
def test_a_url_with_credentials_is_masked(url: str) -> None:
    assert "pw" not in masked_value("base_url", url)


def test_names_inside_mappings_and_lists_count() -> None:
    value = {"name": "mine", "extra": [{"api_key": SECRET, "enabled": True}]}
    assert masked_value("providers", value) == "{name: mine, extra: [{api_key: ****, enabled: True}]}"


def test_a_long_value_is_cut() -> None:
    assert masked_value("description", "x" * 500) == "x" * 120 + "…"
