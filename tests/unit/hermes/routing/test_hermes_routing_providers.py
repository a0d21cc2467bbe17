"""Which entry a name means, in both ways in which Hermes reads entries."""

from __future__ import annotations

from typing import Any

import pytest

from provision.hermes.routing.environment import Environment
from provision.hermes.routing.providers import (
    HermesStopsError,
    compatible_entries,
    find_named_provider,
    is_enabled,
    resolve_alias,
)

ENV = Environment({"ONE_API_KEY": "sk-one-key", "TWO_API_KEY": "sk-two-key"})


def found(config: dict[str, Any], name: str) -> tuple[str, str, tuple[str | int, ...]] | None:
    entry = find_named_provider(config, name, ENV)
    return (entry.base_url, entry.key, entry.path) if entry else None


def test_the_first_entry_whose_name_normalizes_to_the_request_wins() -> None:
    providers = {
        "A B": {"api": "https://one", "key_env": "ONE_API_KEY"},
        "a-b": {"api": "https://two", "key_env": "TWO_API_KEY"},
    }
    assert found({"providers": providers}, "custom:a-b") == ("https://one", "sk-one-key", ("providers", "A B"))


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ({"base_url": "c", "url": "b", "api": "a"}, "a"),
        ({"base_url": "c", "url": "b"}, "b"),
        ({"base_url": "c"}, "c"),
        ({"baseUrl": "https://d"}, "https://d"),  # read in the compatible form only
    ],
)
def test_the_order_of_url_spellings(entry: dict[str, Any], url: str) -> None:
    assert found({"providers": {"x": entry}}, "custom:x") == (url, "", ("providers", "x"))


def test_the_compatible_form_reads_urls_in_the_reverse_order() -> None:
    entry = {"base_url": "https://c", "url": "https://b", "api": "https://a", "apiKeyEnv": "ONE_API_KEY"}
    (compatible, path), *more = compatible_entries({"providers": {"x": entry}})
    assert (compatible["base_url"], compatible["key_env"], path, more) == (
        "https://c",
        "ONE_API_KEY",
        ("providers", "x"),
        [],
    )


def test_an_alias_of_key_env_counts_in_custom_providers_only() -> None:
    entry = {"name": "x", "api": "https://a", "api_key_env": "ONE_API_KEY"}
    assert found({"providers": {"x": entry}}, "custom:x") == ("https://a", "", ("providers", "x"))
    assert found({"custom_providers": [entry]}, "custom:x") == ("https://a", "sk-one-key", ("custom_providers", 0))


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"providers": {"openrouter": {"api": "https://a"}}}, "openrouter"),  # the built-in provider wins
        ({"providers": {"x": {"api": "https://a", "enabled": "off"}}, "custom_providers": {}}, "x"),
        ({"providers": {"x": {"api": ""}}}, "x"),
        ({"providers": {"auto": {"api": "https://a"}}}, "auto"),
        ({"providers": ["x"]}, "x"),
        ({"providers": {}, "custom_providers": [{"name": "x", "api": "no-scheme"}]}, "x"),
    ],
)
def test_no_entry(config: dict[str, Any], name: str) -> None:
    assert found(config, name) is None


def test_an_alias_of_a_built_in_provider_can_name_an_entry() -> None:
    assert found({"providers": {"kimi": {"api": "https://a"}}}, "kimi") == ("https://a", "", ("providers", "kimi"))


@pytest.mark.parametrize(
    "providers", [{1: {"api": "https://a"}}, {"x": {"api": ["https://a"]}}, {"x": {"name": 1, "api": "a"}}]
)
def test_a_value_of_the_wrong_type_stops_hermes(providers: dict[Any, Any]) -> None:
    with pytest.raises(HermesStopsError):
        find_named_provider({"providers": providers}, "custom:x", ENV)


def test_duplicates_count_once_and_a_mapping_hides_all() -> None:
    entry = {"name": "x", "base_url": "https://a/"}
    twice = {
        "custom_providers": [entry, {**entry, "base_url": "HTTPS://a"}],
        "providers": {"x": {"base_url": "https://b"}},
    }
    assert [path for _, path in compatible_entries(twice)] == [("custom_providers", 0), ("providers", "x")]
    assert list(compatible_entries({**twice, "custom_providers": {}})) == []


@pytest.mark.parametrize(
    ("flag", "on"), [(True, True), (None, False), ("no", False), (" OFF ", False), ("maybe", True), (0, False)]
)
def test_enabled(flag: object, on: bool) -> None:
    assert is_enabled({"enabled": flag}) is on
    assert is_enabled({})


@pytest.mark.parametrize(
    ("name", "resolved"),
    [(" Claude ", "anthropic"), ("ollama", "custom"), ("auto", "auto"), ("moa", None), ("aisa", None)],
)
def test_resolve_alias(name: str, resolved: str | None) -> None:
    assert resolve_alias(name) == resolved
