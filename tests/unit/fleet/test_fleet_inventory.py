"""The three forms of an inventory: how each is recognized, and what is wrong with its shape."""

from __future__ import annotations

import json

import pytest
from fleet_texts import ALICE, told, users

from provision.fleet.inventory import ansible_field
from provision.fleet.models import UserEntry

ENTRY = f"id: ada, profile: base, recipients: [{ALICE}]"


def test_yaml_and_json_of_the_same_inventory() -> None:
    as_json = json.dumps({"users": [{"id": "ada", "profile": "base", "recipients": [ALICE]}]})
    found = users(as_json, "i.JSON").states, users(f"users: [{{{ENTRY}}}]", "i.yml").states
    assert [[state.user for state in states] for states in found] == [["ada"], ["ada"]]


@pytest.mark.parametrize(
    ("text", "file", "expected"),
    [
        ("", "i.yaml", [("wrong-type", "i.yaml:1:1")]),
        ("[]", "i.yaml", [("wrong-type", "i.yaml:1:1")]),
        ("{}", "i.json", [("missing-key", "i.json:1:1")]),
        ("{", "i.json", [("json-syntax", "i.json:1:2")]),
        ('{"users": {}}', "i.json", [("wrong-type", "i.json:1:11")]),
        (f"users: [{{{ENTRY}}}]\nuser: x\n", "i.yaml", [("unknown-key", "i.yaml:2:1")]),
        ("", "i.csv", [("wrong-type", "i.csv")]),
        ("id,id\nada,bob\n", "i.csv", [("csv-duplicate", "i.csv:1:4"), ("missing-key", "i.csv:2:1")]),
        ('{"_meta": {}}', "i.json", [("missing-key", "i.json:1:11")]),
        ('{"_meta": {"hostvars": {"h": {"x": 1}}}}', "i.json", [("no-users", "i.json:1:24")]),
    ],
)
def test_a_shape_that_is_refused(text: str, file: str, expected: list[tuple[str, str]]) -> None:
    assert [p for p in told(users(text, file).problems) if p[0] != "no-recipients"] == expected


def test_rows_and_cells_of_csv() -> None:
    text = f"id,profile,recipients,overrides.env.A.B,overrides.hermes.x\n\nada,base,{ALICE},no,yes\n"
    found = users(text, "i.csv")
    assert told(found.problems) == [("bad-env-name", "i.csv:3:73"), ("yaml-ambiguous", "i.csv:3:76")]


def test_an_ansible_host_gives_id_and_host() -> None:
    variables = {"hermes_profile": "base", "hermes_recipients": [ALICE], "hermes_hme": "x"}
    found = users(json.dumps({"_meta": {"hostvars": {"web1": variables}}}), "i.json")
    assert [p.rule for p in found.problems] == ["unknown-key"]
    assert "hermes_home" in found.problems[0].hint
    assert [(state.user, state.host) for state in found.states] == [("web1", "web1")]


@pytest.mark.parametrize("variable", ["hermes_home", "hermes_hermes_home", "hermes_hermes_profile", "hermes_id"])
def test_every_host_variable_sets_a_field(variable: str) -> None:
    assert ansible_field(variable) in UserEntry.model_fields
