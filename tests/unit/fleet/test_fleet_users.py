"""Inventory entries in their three forms, and what one may not say."""

from __future__ import annotations

import json

import pytest
from fleet_texts import ALICE, BOB, told, users

from provision.errors import Place, Severity
from provision.fleet.desired import Platform

SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhL5cUERm2OM0IyoVYWNb/u654hguiIfvPlFJSqOXFN ada-mbp"

YAML = f"""\
defaults: {{platform: linux, profile: base}}
users:
  - id: ada
    platform: macos
    recipients: [{ALICE}, "{SSH}"]
    endpoint_key: "{SSH}"
    host: ada.corp
    hermes_home: /home/ada/.hermes
    hermes_profile: blue
    tags: [pilot, eu]
    overrides: {{model: m2, context_length: 128000, hermes: {{a: {{b: true}}}}, env: {{X.Y: z}}}}
  - {{id: bob, recipients: [{BOB}]}}
""".replace("X.Y", "XY")
CSV = f"""\
id,profile,platform,recipients,endpoint_key,host,hermes_home,hermes_profile,tags,overrides.model,overrides.context_length,\
overrides.hermes.a.b,overrides.env.XY
ada,base,macos,{ALICE}; {SSH},{SSH},ada.corp,/home/ada/.hermes,blue,pilot;eu,m2,128000,true,z
bob,base,,{BOB},,,,,,,,,
"""
ANSIBLE = json.dumps(
    {
        "_meta": {
            "hostvars": {
                "ada.corp": {
                    "ansible_host": "10.0.0.1",
                    "hermes_id": "ada",
                    "hermes_profile": "base",
                    "hermes_platform": "macos",
                    "hermes_recipients": [ALICE, SSH],
                    "hermes_endpoint_key": SSH,
                    "hermes_home": "/home/ada/.hermes",
                    "hermes_hermes_profile": "blue",
                    "hermes_tags": ["pilot", "eu"],
                    "hermes_overrides": {
                        "model": "m2",
                        "context_length": 128000,
                        "hermes": {"a": {"b": True}},
                        "env": {"XY": "z"},
                    },
                },
                "bob": {"hermes_profile": "base", "hermes_recipients": [BOB]},
                "db1": {"ansible_host": "10.0.0.2"},
            }
        }
    },
    indent=1,
)


@pytest.mark.parametrize(("text", "file"), [(YAML, "i.yaml"), (CSV, "i.csv"), (ANSIBLE, "i.json")])
def test_three_forms_of_one_inventory(text: str, file: str) -> None:
    found = users(text, file)
    assert told(found.problems) == []
    ada, bob = found.states
    assert (ada.user, ada.platform, ada.host, ada.tags) == ("ada", Platform.MACOS, "ada.corp", ("pilot", "eu"))
    assert (ada.recipients, ada.endpoint_key) == ((ALICE, SSH), SSH)
    assert (ada.hermes_home, ada.hermes_profile) == ("/home/ada/.hermes", "blue")
    assert (ada.profile.model, ada.profile.context_length) == ("m2", 128000)
    assert (ada.profile.hermes, ada.profile.env) == ({"a": {"b": True}}, {"XY": "z"})
    assert (bob.user, bob.profile.model, bob.platform) == ("bob", "gpt-5.2", Platform.LINUX)
    assert all(ada.origin(path).file == file for path in ("id", "model", "recipients.1", "tags", "env.XY"))


def test_csv_overrides_may_be_json() -> None:
    found = users(f'id,profile,recipients,overrides\nada,base,{ALICE},"{{""model"": ""m2""}}"\n', "i.csv")
    assert told(found.problems) == []
    assert found.states[0].profile.model == "m2"
    assert found.states[0].origin("model") == Place("i.csv", 2, 10 + len(ALICE) + 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id;profile\nx;y\n", [("missing-key", "i.csv:1:1"), ("unknown-key", "i.csv:1:1")]),
        (f"id,profil,recipients\na,b,{ALICE}\n", [("missing-key", "i.csv:2:1"), ("unknown-key", "i.csv:1:4")]),
        (
            "id,id\na,b\n",
            [("csv-duplicate", "i.csv:1:4"), ("missing-key", "i.csv:2:1"), ("no-recipients", "i.csv:2:1")],
        ),
        ("id,overrides,overrides.model\n", [("csv-duplicate", "i.csv:1:14")]),
        ("id,overrides.hermes\n", [("unknown-key", "i.csv:1:4")]),
        ("id,profile,recipients\na,base\n", [("csv-cells", "i.csv:2:3")]),
        (f"id,profile,recipients,overrides\na,base,{ALICE},{{x\n", [("csv-json", "i.csv:2:71")]),
        (f"id,profile,recipients,overrides.managed\na,base,{ALICE},yes\n", [("yaml-ambiguous", "i.csv:2:71")]),
        ("", [("wrong-type", "i.csv")]),
        ('id\n"a', [("csv-syntax", "i.csv:2:1")]),
    ],
)
def test_csv_refuses(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(users(text, "i.csv").problems) == expected


def entry(fields: str) -> str:
    return f"users:\n  - {{id: ada, profile: base, {fields}}}\n"


R = f"recipients: [{ALICE}]"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (entry("x: 1, " + R), "unknown-key"),
        (entry("platform: win, " + R), "bad-choice"),
        (entry("tags: [a b], " + R), "bad-tag"),
        (entry("host: -oProxyCommand, " + R), "bad-host"),
        (entry("host: 'a b', " + R), "bad-host"),
        (entry("hermes_home: rel/x, " + R), "bad-home"),
        (entry("hermes_profile: Blue, " + R), "bad-hermes-profile"),
        (entry("hermes_profile: default, " + R), "bad-hermes-profile"),
        (entry("hermes_profile: root, " + R), "bad-hermes-profile"),
        (entry("endpoint_key: ssh-rsa AAAA, " + R), "bad-endpoint-key"),
        (entry("overrides: {extends: base}, " + R), "unknown-key"),
        (entry("overrides: {env: {A: null, 1B: x}}, " + R), "bad-env-name"),
        (entry("recipients: [age1abc]"), "bad-recipient"),
        (entry("recipients: ['']"), "bad-recipient"),
        (entry(f"recipients: {ALICE}"), "wrong-type"),
        (entry("recipients: [AGE-SECRET-KEY-1QQQQQ]"), "private-key"),
        (entry("recipients_file: ../x"), "bad-recipients-file"),
        (entry("recipients_file: /etc/x"), "bad-recipients-file"),
        (entry("recipients_file: a\\b"), "bad-recipients-file"),
        (entry("recipients_file: gone.txt"), "no-file"),
        (entry("recipients_file: team.txt, " + R), "recipients-twice"),
        (entry("tags: []"), "no-recipients"),
        (f"users: [{{id: ada, {R}}}]", "missing-key"),
        (f"users: [{{profile: base, {R}}}]", "missing-key"),
        (f"users: [{{id: ada, profile: bas, {R}}}]", "unknown-profile"),
        (f"users: [{{id: ada, profile: null, {R}}}]", "missing-key"),
        ("users: [ada]", "wrong-type"),
        ("users: {ada: 1}", "wrong-type"),
        ("users:", "wrong-type"),
        ("[]", "wrong-type"),
        ("", "wrong-type"),
        ("defaults: {}", "missing-key"),
        ("defaults: {host: x}\nusers: []", "unknown-key"),
        ("defaults: 1\nusers: []", "wrong-type"),
        ("user: []\nusers: []", "unknown-key"),
    ],
)
def test_what_an_inventory_must_not_contain(text: str, rule: str) -> None:
    found = users(text, files={"team.txt": ((ALICE,), {})})
    assert [p.rule for p in found.problems] == [rule]
    assert all(p.place and p.place.line and p.place.column for p in found.problems)
    assert not found.states


@pytest.mark.parametrize("user", ["Ada", "a b", ".a", "a.", "con", "lpt1.x", "..", "-x", "a/b", "x" * 65, "ä"])
def test_ids_that_no_user_may_have(user: str) -> None:
    assert [p.rule for p in users(f"users: [{{id: '{user}', profile: base, {R}}}]").problems] == ["bad-id"]


def test_ids_are_unique_whatever_the_case_and_hosts_too() -> None:
    text = "".join(
        f"  - {{id: {i}, profile: base, host: {h}, {R}}}\n" for i, h in [("a", "w1"), ("b", "W1"), ("a", "w2")]
    )
    assert told(users("users:\n" + text).problems) == [
        ("duplicate-id", "inventory.yaml:4:10"),
        ("host-twice", "inventory.yaml:3:34"),
    ]


def test_two_users_of_one_machine_need_homes_of_their_own() -> None:
    text = "".join(
        f"  - {{id: {i}, profile: base, host: w1, hermes_home: /home/{i}/.hermes, {R}}}\n" for i in ("a", "b")
    )
    assert told(users("users:\n" + text).problems) == []


def test_two_users_cannot_have_one_endpoint_key() -> None:
    """Else each could sign the other's receipts. The comment of a key does not make it another one."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
    text = "".join(f"  - {{id: {i}, profile: base, endpoint_key: {key} {i}, {R}}}\n" for i in ("a", "b"))
    found = users("users:\n" + text).problems
    assert told(found) == [("endpoint-key-twice", "inventory.yaml:3:42")]
    assert "'a'" in found[0].message


def test_one_run_reports_all_problems_of_an_entry() -> None:
    found = users("users:\n  - {id: a, profile: nope, hostt: x, tags: [a b], recipients: [x]}\n")
    assert [rule for rule, _ in told(found.problems)] == ["bad-recipient", "bad-tag", "unknown-key", "unknown-profile"]


def test_an_empty_list_of_recipients_means_not_enrolled() -> None:
    found = users(entry("recipients: []"))
    assert [(p.rule, p.severity) for p in found.problems] == [("not-enrolled", Severity.WARNING)]
    assert found.states[0].recipients == ()


def test_recipients_from_a_file_have_their_own_places() -> None:
    at = Place("team.txt", 3, 1)
    files = {
        "team.txt": ((ALICE, BOB), {"recipients": at, "recipients.0": at, "recipients.1": Place("team.txt", 4, 1)})
    }
    state = users(entry("recipients_file: team.txt"), files=files).states[0]
    assert state.recipients == (ALICE, BOB)
    assert state.origin("recipients.1") == Place("team.txt", 4, 1)
    assert state.origin("recipients_file").file == "inventory.yaml"


def test_defaults_below_the_users_count_all_the_same() -> None:
    found = users(f"users:\n  - {{id: ada, {R}}}\ndefaults: {{profile: base, overrides: {{model: m9}}}}\n")
    assert told(found.problems) == []
    assert found.states[0].profile.model == "m9"
    assert str(found.states[0].origin("model")) == "inventory.yaml:3:46"


def test_own_overrides_win_over_those_of_the_defaults() -> None:
    text = "defaults: {profile: base, overrides: {model: m9, hermes: {a: 1}}}\n" + entry(
        f"overrides: {{model: m8, hermes: {{b: 2}}}}, {R}"
    )
    state = users(text).states[0]
    assert (state.profile.model, state.profile.hermes) == ("m8", {"a": 1, "b": 2})
    assert str(state.origin("hermes.a")) == "inventory.yaml:1:62"


def test_a_profile_without_model_is_reported_once() -> None:
    text = "".join(f"  - {{id: u{n}, profile: p, {R}}}\n" for n in range(5))
    found = users("users:\n" + text, p="description: x\n")
    assert told(found.problems) == [("no-model", "profiles/p.yaml:1:1")]
    found = users(f"users: [{{id: a, profile: base, overrides: {{model: null}}, {R}}}]")
    assert [p.rule for p in found.problems] == ["no-model"]


def test_users_of_a_broken_profile_add_no_noise() -> None:
    found = users(f"users: [{{id: a, profile: p, {R}}}]", p="modle: x\n")
    assert told(found.problems) == [("unknown-key", "profiles/p.yaml:1:1")]
    assert found.refused == ("a",)


def test_no_message_shows_a_long_value() -> None:
    secret = "sk-aisa-TEST-" + "q" * 30
    for text in (
        entry(f"host: '{secret} x', {R}"),
        entry(f"recipients: [{secret}]"),
        entry(f"hermes_home: {secret}, {R}"),
    ):
        for problem in users(text).problems:
            assert "qqqq" not in str(problem)


def test_equal_users_share_one_profile() -> None:
    text = "".join(f"  - {{id: u{n}, profile: base, overrides: {{model: m{n % 2}}}, {R}}}\n" for n in range(6))
    states = users("users:\n" + text).states
    assert len({id(s.profile) for s in states}) == 2


def test_ansible_output_without_our_variables_or_shape() -> None:
    assert [p.rule for p in users('{"_meta": {"hostvars": {"a": {}}}}', "i.json").problems] == ["no-users"]
    assert [p.rule for p in users('{"_meta": 1}', "i.json").problems] == ["missing-key"]
    native = users(json.dumps({"users": [{"id": "a", "profile": "base", "recipients": [ALICE]}]}), "i.json")
    assert [s.user for s in native.states] == ["a"]
