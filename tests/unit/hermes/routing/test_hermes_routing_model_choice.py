"""The model, and what HERMES_INFERENCE_MODEL changes with it."""

from __future__ import annotations

import pytest
from routecraft import AISA, resolver_input

from provision.hermes.routing.model_choice import choose_model
from provision.hermes.routing.providers import NotModelledError

ALIASES = """
model: {provider: custom:aisa, default: gpt-5.2, aliases: {fast: gpt-5-mini, other: "Groq/llama 3"}}
model_aliases:
  MINE: {model: m, base_url: "http://h/v1/", provider: Custom}
"""


@pytest.mark.parametrize(
    ("config", "model"), [(AISA, "gpt-5.2"), ("model: m", "m"), ("model: {model: m}", "m"), ("model: {}", "")]
)
def test_the_configured_model(config: str, model: str) -> None:
    assert choose_model(resolver_input(config), "custom:aisa") == (model, None, "", None)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mine", ("m", "custom", "http://h/v1", None)),
        ("Fast", ("gpt-5-mini", "custom:aisa", "", None)),
        ("other", ("llama 3", "groq", "", None)),
    ],
)
def test_an_alias_brings_provider_and_url(name: str, found: tuple[object, ...]) -> None:
    assert choose_model(resolver_input(ALIASES, HERMES_INFERENCE_MODEL=name), "custom:aisa") == found


@pytest.mark.parametrize("name", ["sonnet", "OPUS", "anthropic", "claude"])
def test_a_vendor_or_family_leaves_the_provider(name: str) -> None:
    with pytest.raises(NotModelledError, match="HERMES_INFERENCE_MODEL"):
        choose_model(resolver_input(HERMES_INFERENCE_MODEL=name), "custom:aisa")


def test_another_name_is_sent_with_a_doubt() -> None:
    model, provider, url, doubt = choose_model(resolver_input(HERMES_INFERENCE_MODEL="gpt-9"), "custom:aisa")
    assert (model, provider, url) == ("gpt-9", None, "")
    assert doubt is not None
    assert "OpenRouter" in doubt
