"""The facts are consistent with each other, and other modules use the names from here."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED, RESERVED_PROVIDERS
from provision.hermes.facts.v0_19_env_names import KNOWN_ENV
from provision.hermes.routing.providers import resolve_alias

ROOT = Path(__file__).parents[4]


def test_aliases_lead_to_built_in_providers_or_custom() -> None:
    targets = {
        NEWEST_VERIFIED.provider_aliases.get(target, target) for target in NEWEST_VERIFIED.provider_aliases.values()
    }
    assert targets - NEWEST_VERIFIED.built_in_providers == {"custom"}
    assert {"aisa", "custom:aisa"}.isdisjoint(RESERVED_PROVIDERS)
    assert resolve_alias("Moonshot") == "kimi-coding"


def test_a_managed_config_pins_every_spelling_of_a_key_and_url() -> None:
    template = (ROOT / "templates/config.yaml.j2").read_text()
    assert all(re.search(rf"^    {key}: ", template, re.MULTILINE) for key in facts.URL_KEYS)
    assert facts.MANAGED_PROVIDER_PINS[facts.API_KEY] == ""
    assert not isinstance(facts.MANAGED_PROVIDER_PINS[facts.EXTRA_HEADERS], dict)


def test_every_mode_that_we_render_has_a_path() -> None:
    assert facts.MODE_PATHS.keys() < facts.API_MODES


def test_the_variable_of_the_key_is_a_credential_that_the_repair_does_not_know() -> None:
    assert "AISA_API_KEY".endswith(facts.CREDENTIAL_SUFFIXES)
    assert "AISA_API_KEY" not in KNOWN_ENV
    assert {"OPENAI_API_KEY", "HF_TOKEN"} <= KNOWN_ENV


def test_hermes_names_of_settings_are_written_in_the_facts_only() -> None:
    """`"key_env"` outside of hermes/facts is only the field of our own profile, of that name."""
    own_field = {"lint.py", "render.py"}
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "provision/hermes").rglob("*.py")
        if path.parent.name != "facts" and path.name not in own_field and '"key_env"' in path.read_text()
    ]
    assert found == []


def test_docs_name_the_same_version() -> None:
    text = (ROOT / "docs/hermes.md").read_text()
    assert f"`hermes-agent` {NEWEST_VERIFIED.version}" in text
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    assert yaml.safe_load(example[1])[facts.VERSION_KEY] == NEWEST_VERIFIED.config_version
