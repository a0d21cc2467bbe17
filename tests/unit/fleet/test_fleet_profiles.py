"""Inheritance, origins, and what a profile may say."""

from __future__ import annotations

import pytest
from fleet_texts import ALICE, GATEWAY, profiles, told, users

from provision.fleet.desired import ApiMode, SecretDelivery
from provision.fleet.nearest import nearest_words, spelling_hint
from provision.fleet.profiles import EffectiveProfiles, merge_settings, read_profile

USER = f"users:\n  - id: ada\n    profile: {{}}\n    recipients: [{ALICE}]\n"


def one(profile: str = "child", extra: str = "", **texts: str):  # type: ignore[no-untyped-def]
    found = users(USER.replace("{}", profile) + extra, **texts)
    assert told(found.problems) == []
    return found.states[0]


def test_settings_are_inherited_deeply_and_lists_replace() -> None:
    state = one(
        base="model: m1\nfallback_models: [a, b]\nhermes: {x: {p: 1, q: 2}, y: [1, 2]}\nenv: {A: '1'}\n",
        child="extends: base\nfallback_models: [c]\nhermes: {x: {q: 3}, y: [4]}\nenv: {B: '2'}\n",
    )
    assert state.profile.name == "child"
    assert state.profile.fallback_models == ("c",)
    assert state.profile.hermes == {"x": {"p": 1, "q": 3}, "y": [4]}
    assert state.profile.env == {"A": "1", "B": "2"}
    assert str(state.origin("hermes.x.p")) == "profiles/base.yaml:3:17"
    assert str(state.origin("hermes.x.q")) == "profiles/child.yaml:3:17"
    assert str(state.origin("hermes.y.1")) == "profiles/child.yaml:3:25"
    assert str(state.origin("fallback_models.0")) == "profiles/child.yaml:2:19"


def test_null_removes_a_value_and_is_its_origin() -> None:
    state = one(
        base="model: m1\ncontext_length: 128000\nhermes: {x: {p: 1}, y: 1}\n",
        child="extends: base\ncontext_length: null\nhermes: {x: null}\n",
    )
    assert state.profile.context_length is None
    assert state.profile.hermes == {"y": 1}
    assert str(state.origin("context_length")) == "profiles/child.yaml:2:17"


def test_overrides_win_and_have_their_place() -> None:
    extra = "    overrides: {model: m2, hermes: {x: {q: 9}}, api_mode: codex_responses, secret_delivery: run}\n"
    state = one("base", extra, base="model: m1\nhermes: {x: {p: 1}}\n")
    assert (state.profile.model, state.profile.hermes) == ("m2", {"x": {"p": 1, "q": 9}})
    assert state.profile.api_mode is ApiMode.CODEX_RESPONSES
    assert state.profile.secret_delivery is SecretDelivery.RUN
    assert str(state.origin("model")) == "inventory.yaml:5:24"
    assert str(state.origin("hermes.x.q")) == "inventory.yaml:5:44"
    assert str(state.origin("hermes.x.p")) == "profiles/base.yaml:2:17"
    assert str(state.origin("hermes")) == "inventory.yaml:5:44"


def test_the_gateway_is_the_default_base_url() -> None:
    state = one("base", base="model: m1\n")
    assert state.profile.base_url == GATEWAY
    assert state.origin("base_url").file == "provision.toml"


def test_a_mapping_over_a_value_and_a_value_over_a_mapping() -> None:
    known = profiles(base="model: m\nhermes: {a: {b: 1}, c: 2}\n", child="extends: base\nhermes: {a: 3, c: {d: 4}}\n")
    inherited = known.inherit("child")
    assert inherited is not None
    assert inherited.values["hermes"] == {"a": 3, "c": {"d": 4}}
    assert {path for path in inherited.origins if path.startswith("hermes")} == {"hermes.a", "hermes.c.d"}


def test_a_cycle_and_a_missing_parent_are_reported_once_with_their_place() -> None:
    text = "".join(f"  - {{id: u{n}, profile: a, recipients: [{ALICE}]}}\n" for n in range(3))
    found = users("users:\n" + text, a="extends: b\n", b="model: m\nextends: a\n", c="extends: nope\n")
    assert told(found.problems) == [("extends-cycle", "profiles/b.yaml:2:10")]
    known = profiles(c="extends: bsae\n", base="model: x\n")
    assert known.inherit("c") is None
    assert told(known.problems) == [("unknown-profile", "profiles/c.yaml:1:10")]
    assert known.problems[0].hint.startswith("did you mean 'base'?")


def test_a_profile_that_extends_itself() -> None:
    known = profiles(a="extends: a\nmodel: m\n")
    assert known.inherit("a") is None
    assert told(known.problems) == [("extends-cycle", "profiles/a.yaml:1:10")]


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("modle: x\n", "unknown-key", 1, 1),
        ("model: ''\n", "bad-model", 1, 8),
        ("model: GPT 5\n", "bad-model", 1, 8),
        ("model: 5.2\n", "wrong-type", 1, 8),
        ("api_mode: chat\n", "bad-choice", 1, 11),
        ("api_mode: 1\n", "wrong-type", 1, 11),
        ("context_length: 64000.5\n", "wrong-type", 1, 17),
        ("context_length: '64000'\n", "wrong-type", 1, 17),
        ("context_length: true\n", "wrong-type", 1, 17),
        ("context_length: 0\n", "bad-value", 1, 17),
        ("provider: Aisa\n", "bad-provider", 1, 11),
        ("key_env: aisa_key\n", "bad-key-env", 1, 10),
        ("key_env: 1KEY\n", "bad-key-env", 1, 10),
        ("env: {1A: x}\n", "bad-env-name", 1, 7),
        ("env: {A: 1}\n", "wrong-type", 1, 10),
        ('env: {A: "x\\ny"}\n', "bad-env-value", 1, 10),
        ("fallback_models: gpt-5.2\n", "wrong-type", 1, 18),
        ("fallback_models: [gpt-5.2, '']\n", "bad-model", 1, 28),
        ("managed: 1\n", "wrong-type", 1, 10),
        ("hermes: [1]\n", "wrong-type", 1, 9),
        ("base_url: 'https://x y'\n", "bad-url", 1, 11),
        ("extends: ../base\n", "bad-id", 1, 10),
        ("[1]\n", "wrong-type", 1, 1),
        ("text\n", "wrong-type", 1, 1),
    ],
)
def test_what_a_profile_must_not_contain(text: str, rule: str, line: int, column: int) -> None:
    assert told(profiles(p=text).problems) == [(rule, f"profiles/p.yaml:{line}:{column}")]


def test_all_errors_of_a_file_come_in_one_run() -> None:
    text = "modle: x\napi_mode: chat\nkey_env: x\nmodel: yes\nextends: nope\n"
    assert len(profiles(p=text).problems) == 5


@pytest.mark.parametrize("name", ["Base", "con", "nul.x", "a.", ".a", "-a", "ä", "a b", "", "com1", "x" * 65])
def test_names_that_no_profile_may_have(name: str) -> None:
    assert "bad-id" in [p.rule for p in profiles(**{name: "model: x\n"}).problems]


def test_equal_profiles_are_one_object_whatever_the_order_of_keys() -> None:
    known = profiles(base="model: m\nhermes: {b: 1, a: 2}\n")
    inherited = known.inherit("base")
    assert inherited is not None
    effective = EffectiveProfiles(GATEWAY)
    plain = effective.build(inherited)
    assert (
        plain is effective.build(inherited, {"hermes": {"a": 2, "b": 1}}) is effective.build(inherited, {"model": "m"})
    )
    assert plain is not effective.build(inherited, {"model": "m2"})
    assert plain is not None
    assert list(plain.hermes) == ["a", "b"]


def test_merging_leaves_both_sides_alone() -> None:
    base, over = {"a": {"b": 1}}, {"a": {"b": None, "c": [1]}}
    assert merge_settings(base, over) == {"a": {"c": [1]}}
    assert (base, over) == ({"a": {"b": 1}}, {"a": {"b": None, "c": [1]}})


def test_the_nearest_spelling() -> None:
    assert nearest_words("Contextlength", ["context_length", "model"]) == ["context_length"]
    assert nearest_words("zzz", ["context_length", "model"]) == []
    assert "and " in spelling_hint("x", [f"name{n}" for n in range(30)])


def test_an_empty_file_is_a_profile_that_sets_nothing() -> None:
    layer, found = read_profile("base", b"# only a comment\n", "profiles/base.yaml")
    assert (layer is not None, found) == (True, [])


def test_a_file_that_is_not_yaml_has_that_problem_only() -> None:
    layer, found = read_profile("base", b"a: b: c\n", "profiles/base.yaml")
    assert (layer, [problem.rule for problem in found]) == (None, ["yaml-syntax"])
