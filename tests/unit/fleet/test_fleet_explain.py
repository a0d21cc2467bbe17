"""Validation errors become problems with a place, what is wrong, and what is allowed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from provision.errors import Place, Problem
from provision.fleet.explain import allowed_fields, describe_value, drop_consequences, validation_problems
from provision.fleet.models import ProfileFile, UserEntry
from provision.formats.located import mark
from provision.formats.yaml_reader import read_yaml


def problems(text: str, model: type[ProfileFile | UserEntry] = ProfileFile) -> list[Problem]:
    root, found = read_yaml(text.encode(), "f.yaml")
    assert found == []
    with pytest.raises(ValidationError) as e:
        model.model_validate(root)
    return validation_problems(e.value, model, root, "f.yaml", mark(1, 1))


@pytest.mark.parametrize(
    ("text", "rule", "column", "message", "hint"),
    [
        ("modell: x", "unknown-key", 1, "unknown key 'modell'", "did you mean 'model'?"),
        ("model: 5", "wrong-type", 8, "model must be text, not the number 5", "put it in quotes"),
        ("model: [a]", "wrong-type", 8, "model must be text, not a list", ""),
        ("model: 'G P'", "bad-model", 8, "invalid model id 'G P'", "copy the exact id"),
        ("provider: AIsa", "bad-provider", 11, "invalid provider name 'AIsa'", "a-z"),
        ("model: ' '", "bad-model", 8, "model is blank", "copy the exact id"),
        ("managed: 1", "wrong-type", 10, "managed must be true or false, not the number 1", ""),
        ("api_mode: chat", "bad-choice", 11, "invalid api_mode 'chat'", "allowed: auto, chat_completions"),
        (
            "api_mode: codex_response",
            "bad-choice",
            11,
            "invalid api_mode 'codex_response'",
            "did you mean 'codex_responses'?",
        ),
        ("api_mode: 3", "wrong-type", 11, "api_mode must be one word, not the number 3", "allowed"),
        ("extends: con", "bad-id", 10, "invalid value 'con': Windows reserves", ""),
        ("extends: Base", "bad-id", 10, "invalid profile name 'Base'", ""),
        ("env: {1x: a}", "bad-env-name", 7, "invalid environment variable name '1x'", "letters"),
        ('env: {X: "a\\nb"}', "bad-env-value", 10, "a value of env contains a line break", "remove it"),
        ("context_length: 0", "bad-value", 17, "context_length: input should be greater", ""),
    ],
)
def test_one_error(text: str, rule: str, column: int, message: str, hint: str) -> None:
    (found,) = problems(text)
    assert (found.rule, found.place) == (rule, Place("f.yaml", 1, column))
    assert message in found.message
    assert hint in found.hint


def test_a_wrong_case_of_an_id_is_corrected() -> None:
    (found,) = problems("{id: Ada, recipients: []}", UserEntry)
    assert (found.message, found.hint) == ("invalid user id 'Ada'", "write 'ada'")


def test_a_private_key_is_not_shown() -> None:
    (found,) = problems("{id: ada, recipients: [AGE-SECRET-KEY-1VERYSECRET]}", UserEntry)
    assert found.rule == "private-key"
    assert "VERYSECRET" not in str(found)


def test_a_missing_key_has_the_place_of_its_entry() -> None:
    (found,) = problems("\n\n{recipients: []}", UserEntry)
    assert (found.rule, found.message, found.place) == ("missing-key", "'id' is missing", Place("f.yaml", 1, 1))


def test_consequences_of_an_ambiguous_word_are_dropped() -> None:
    at, other = Place("f", 1, 1), Place("f", 2, 1)
    kept = [Problem("yaml-ambiguous", "", at), Problem("duplicate-id", "", at), Problem("wrong-type", "", other)]
    assert drop_consequences([*kept, Problem("wrong-type", "", at)]) == kept


def test_the_keys_inside_overrides_are_those_of_a_profile() -> None:
    assert "model" in allowed_fields(UserEntry, ["overrides"])
    assert "extends" not in allowed_fields(UserEntry, ["overrides"])
    assert "host" in allowed_fields(UserEntry, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "empty"),
        (True, "true"),
        (1.5, "the number 1.5"),
        ("", "empty text"),
        ({}, "a mapping"),
        (10**99, "the number 1" + "0" * 23),
    ],
)
def test_describe_value(value: object, text: str) -> None:
    assert describe_value(value) == text
