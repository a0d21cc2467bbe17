"""The published schemas agree with the loader."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from fleet_texts import ALICE, profiles, users

from provision.errors import ProvisionError
from provision.fleet.schema import json_schema

ROOT = Path(__file__).parents[3]
R = f"recipients: [{ALICE}]"


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(name))


def valid(name: str, value: Any) -> bool:
    return bool(validator(name).is_valid(value))


@pytest.mark.parametrize("name", ["profile", "inventory"])
def test_the_schema_is_a_schema(name: str) -> None:
    schema = json_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_there_is_no_other_schema() -> None:
    with pytest.raises(ProvisionError):
        json_schema("profil")


def test_the_shipped_examples_fit_their_schema() -> None:
    for path in (ROOT / "profiles").glob("*.yaml"):
        assert valid("profile", yaml.safe_load(path.read_text())), path
    assert valid("inventory", yaml.safe_load((ROOT / "inventory.example.yaml").read_text()))


PROFILES = [
    "{}",
    "model: gpt-5.2",
    "model: null",
    "modle: x",
    "model: ''",
    "model: a b",
    "model: 5",
    "api_mode: auto",
    "api_mode: chat",
    "context_length: 64000",
    "context_length: 0",
    "context_length: '1'",
    "context_length: true",
    "provider: Aisa",
    "key_env: AISA_API_KEY",
    "key_env: aisa",
    "env: {A: x}",
    "env: {A: null}",
    "env: {A: 1}",
    "env: {1A: x}",
    'env: {A: "x\\ty"}',
    "fallback_models: [a, b]",
    "fallback_models: a",
    "fallback_models: [null]",
    "hermes: {a: {b: [1, null, {c: true}]}}",
    "hermes: []",
    "managed: true",
    "managed: 1",
    "extends: base",
    "extends: Base",
    "extends: con",
    "extends: nul.x",
    "extends: a.",
    "extends: .a",
    "base_url: 'a b'",
    "secret_delivery: run",
    "secret_delivery: mail",
    "[]",
    "description: [x]",
]


@pytest.mark.parametrize("text", PROFILES)
def test_schema_and_loader_agree_on_profiles(text: str) -> None:
    found = [p for p in profiles(p=text, base="model: x").problems if p.rule != "unknown-profile"]
    assert valid("profile", yaml.safe_load(text)) == (not found)


ENTRIES = [
    R,
    "recipients: []",
    "recipients: null",
    "tags: [x]",
    "recipients_file: team.txt",
    "recipients_file: ../team.txt",
    "recipients_file: a/../team.txt",
    "recipients_file: /team.txt",
    "recipients_file: team.txt, recipients: null",
    "recipients_file: team.txt, " + R,
    "recipients: [age1x]",
    "platform: windows, " + R,
    "platform: bsd, " + R,
    "tags: [a b], " + R,
    "tags: [a, b], " + R,
    "host: user@web-1.corp, " + R,
    "host: '-x', " + R,
    "host: '[fe80::1%eth0]:22', " + R,
    "hermes_home: '~/.hermes', " + R,
    "hermes_home: 'C:\\Users\\ada', " + R,
    "hermes_home: '%LOCALAPPDATA%\\hermes', " + R,
    "hermes_home: x, " + R,
    "hermes_home: null, " + R,
    "hermes_profile: blue, " + R,
    "hermes_profile: default, " + R,
    "overrides: {model: x, env: {A: null}}, " + R,
    "overrides: {extends: x}, " + R,
    "overrides: [], " + R,
    "endpoint_key: x, " + R,
    "x: 1, " + R,
]


@pytest.mark.parametrize("fields", ENTRIES)
def test_schema_and_loader_agree_on_inventories(fields: str) -> None:
    text = f"users:\n  - {{id: ada, profile: base, {fields}}}\n"
    found = users(text, files={"team.txt": ((ALICE,), {})}).problems
    assert valid("inventory", yaml.safe_load(text)) == (not [p for p in found if p.severity == "error"])


@pytest.mark.parametrize(
    "text",
    [
        "users: []",
        "users: {}",
        "{}",
        "[]",
        "defaults: {platform: linux}\nusers: []",
        "x: 1\nusers: []",
        "defaults: {host: x}\nusers: []",
        "defaults: null\nusers: []",
        "users: [x]",
    ],
)
def test_schema_and_loader_agree_on_the_shape(text: str) -> None:
    assert valid("inventory", yaml.safe_load(text)) == (not users(text).problems)


def test_fields_are_described_in_the_words_of_the_models() -> None:
    schema = json_schema("inventory")
    assert schema["$defs"]["UserEntry"]["properties"]["left"]["description"].startswith(
        "The day on which this user left"
    )
    overrides = json_schema("profile")["properties"]
    assert overrides["model"]["description"] == "Exact AIsa model id."
    assert "description" not in schema["$defs"]["UserEntry"]["properties"]["platform"]
