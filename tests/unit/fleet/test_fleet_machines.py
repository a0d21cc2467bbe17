"""Several machines of a user, lost machines, and users who left: in YAML, CSV and Ansible's JSON."""

from __future__ import annotations

import json

import pytest
from fleet_texts import ALICE, BOB, told, users

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhL5cUERm2OM0IyoVYWNb/u654hguiIfvPlFJSqOXFN"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

YAML = f"""\
defaults: {{profile: base}}
users:
  - id: ada
    machine: desk
    recipients: [{ALICE}]
    endpoint_key: "{KEY}"
    host: ada-desk
    machines:
      - {{name: laptop, platform: macos, recipients: [{BOB}], endpoint_key: "{OTHER}", host: ada-mbp}}
"""
CSV = f"""\
id,profile,machine,platform,recipients,endpoint_key,host
ada,base,desk,linux,{ALICE},{KEY},ada-desk
ada,,laptop,macos,{BOB},{OTHER},ada-mbp
"""
ANSIBLE = json.dumps(
    {
        "_meta": {
            "hostvars": {
                "ada-desk": {
                    "hermes_id": "ada",
                    "hermes_profile": "base",
                    "hermes_machine": "desk",
                    "hermes_recipients": [ALICE],
                    "hermes_endpoint_key": KEY,
                },
                "ada-mbp": {
                    "hermes_id": "ada",
                    "hermes_profile": "base",
                    "hermes_machine": "laptop",
                    "hermes_platform": "macos",
                    "hermes_recipients": [BOB],
                    "hermes_endpoint_key": OTHER,
                },
            }
        }
    }
)


@pytest.mark.parametrize(("text", "file"), [(YAML, "inventory.yaml"), (CSV, "i.csv"), (ANSIBLE, "i.json")])
def test_a_user_has_several_machines(text: str, file: str) -> None:
    found = users(text, file)
    assert not found.problems, told(found.problems)
    (ada,) = found.states
    assert [(m.name, m.platform.value, m.host) for m in ada.machines] == [
        ("desk", "linux", "ada-desk"),
        ("laptop", "macos", "ada-mbp"),
    ]
    assert ada.all_recipients == (ALICE, BOB)
    assert [m.endpoint_key for m in ada.machines] == [KEY, OTHER]


def test_a_user_may_have_only_named_machines() -> None:
    found = users(f"users: [{{id: ada, profile: base, machines: [{{name: a, recipients: [{ALICE}]}}]}}]")
    assert not found.problems
    (ada,) = found.states
    assert [m.name for m in ada.machines] == ["a"]
    assert ada.all_recipients == (ALICE,)


def test_nothing_is_sealed_to_a_lost_machine() -> None:
    found = users(
        f'users: [{{id: ada, profile: base, lost: "2026-01-02", recipients: [{ALICE}],'
        f' machines: [{{name: a, recipients: [{BOB}]}}, {{name: b, lost: "2026-01-03", recipients: [{ALICE}]}}]}}]'
    )
    assert not found.problems, told(found.problems)
    (ada,) = found.states
    assert ada.all_recipients == (BOB,)
    assert [m.name for m in ada.machines] == ["a"]
    assert [(m.name, m.lost) for m in ada.lost_machines] == [(None, "2026-01-02"), ("b", "2026-01-03")]


def test_a_user_who_left_has_no_state() -> None:
    found = users('users: [{id: ada, profile: gone-with-it, left: "2026-01-02", external_id: "7"}]')
    assert not found.problems
    assert not found.states
    assert not found.refused
    assert found.left["ada"].external_id == "7"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            f"users: [{{id: ada, profile: base, recipients: [{ALICE}], machine: a, machines: [{{name: a}}]}}]",
            "machine-twice",
        ),
        (
            (
                f'users: [{{id: ada, profile: base, recipients: [{ALICE}], endpoint_key: "{KEY}",'
                f' machines: [{{name: a, endpoint_key: "{KEY}"}}]}}]'
            ),
            "endpoint-key-twice",
        ),
        (f"users: [{{id: ada, profile: base, recipients: [{ALICE}], machines: [{{name: A}}]}}]", "bad-id"),
        (
            f"users: [{{id: ada, profile: base, recipients: [{ALICE}], machines: [{{name: a, hots: x}}]}}]",
            "unknown-key",
        ),
        (f"users: [{{id: ada, profile: base, recipients: [{ALICE}], machines: [{{name: a, host: -x}}]}}]", "bad-host"),
        (f"users: [{{id: ada, profile: base, recipients: [{ALICE}], machines: [{{host: x}}]}}]", "missing-key"),
        ("users: [{id: ada, profile: base, left: 2026-01-02}]", "yaml-ambiguous"),
        ('users: [{id: ada, profile: base, left: "yesterday"}]', "bad-day"),
        ("users: [{id: ada, profile: base, machines: []}]", "no-recipients"),
    ],
)
def test_mistakes_are_reported(text: str, rule: str) -> None:
    assert rule in [problem.rule for problem in users(text).problems]


def test_rows_of_a_user_that_differ_are_reported() -> None:
    found = users(CSV.replace("ada,,laptop", "ada,other,laptop"), "i.csv")
    assert [p.rule for p in found.problems] == ["machine-row"]


def test_two_rows_without_a_machine_are_two_users_of_one_id() -> None:
    found = users(f"id,profile,recipients,machine\nada,base,{ALICE},\nada,base,{BOB},\n", "i.csv")
    assert [p.rule for p in found.problems] == ["duplicate-id"]
