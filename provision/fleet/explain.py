"""Turn pydantic's validation errors into problems for the author of the file: place, what is wrong, what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.errors import Problem
from provision.fleet.models import MachineEntry, McpRuleFile, Overrides, PolicyFile
from provision.fleet.names import RULES
from provision.fleet.nearest import nearest_words, spelling_hint
from provision.formats.located import locate, place, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_NOT_A_CONSEQUENCE = frozenset(("yaml-ambiguous", "no-recipients", "duplicate-id"))
_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping (`name: value` lines)",
    "model_type": "a mapping (`name: value` lines)",
    "model_attributes_type": "a mapping (`name: value` lines)",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
}


def validation_problems(
    error: ValidationError, model: type[BaseModel], root: Any, file: str, start: int
) -> list[Problem]:
    """Return one problem for each error, with its place inside `root` (a located mapping that begins at `start`)."""
    return [_problem(details, model, root, file, start) for details in error.errors(include_url=False)]


def _problem(error: ErrorDetails, model: type[BaseModel], root: Any, file: str, start: int) -> Problem:
    path = [step for step in error["loc"] if step != "[key]"]
    at_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"]
    where = place(file, locate(root, path, start, key=at_key))
    name = ".".join(str(step) for step in path)
    field = _field(path)
    kind = error["type"]
    if kind == "extra_forbidden":
        hint = spelling_hint(str(path[-1]), allowed_fields(model, path[:-1]))
        return Problem("unknown-key", f"unknown key {quoted(path[-1])}", where, hint)
    if kind == "missing":
        return Problem("missing-key", f"'{name}' is missing", where, "add it: every entry needs one")
    if kind in _EXPECTED:
        hint = "put it in quotes" if kind == "string_type" and not isinstance(error["input"], (list, dict)) else ""
        return Problem(
            "wrong-type",
            f"{name or 'this'} must be {_EXPECTED[kind]}, not {describe_value(error['input'])}",
            where,
            hint,
        )
    table: Mapping[str, Callable[[], Problem]] = {
        "string_pattern_mismatch": lambda: _pattern(field, str(error["input"]), where),
        "enum": lambda: _enum(name, error, where),
    }
    if kind in table:
        return table[kind]()
    if kind == "bad_id":
        rule = RULES[field].id if field in RULES else "bad-name"
        return Problem(rule, f"invalid value {quoted(error['input'])}: {error['msg']}", where)
    return Problem("bad-value", f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}", where)


def _field(path: list[int | str]) -> str:
    """Return the field that a path belongs to. A name inside `env` and an item of a list belong to the outer field."""
    names = [step for step in path if isinstance(step, str)]
    if names and names[0] == "overrides":
        names = names[1:]
    if len(names) > 1 and names[0] == "machines":
        return "machine" if names[1] == "name" else names[1]
    return names[0] if names else ""


def drop_consequences(problems: list[Problem]) -> list[Problem]:
    """Drop problems that only follow from an ambiguous unquoted word at the same place."""
    refused = {p.place for p in problems if p.rule == "yaml-ambiguous"}
    return [p for p in problems if p.place not in refused or p.rule in _NOT_A_CONSEQUENCE]


def allowed_fields(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """Return the keys allowed at a path inside a file described by `model`."""
    if "policy" in path:
        return list((McpRuleFile if "mcp_servers" in path else PolicyFile).model_fields)
    if path and path[-1] == "overrides":
        return list(Overrides.model_fields)
    return list((MachineEntry if path and path[0] == "machines" else model).model_fields)


def _pattern(field: str, value: str, where: Any) -> Problem:
    rule = RULES.get(field)
    if rule is None:
        return Problem("bad-value", f"invalid value {quoted(value)} for {field}", where)
    if field == "env":
        return _env_pattern(value, where)
    if not value.strip():
        return Problem(rule.id, f"{field} is blank", where, rule.hint)
    if field == "recipients" and value.lstrip().upper().startswith(("AGE-SECRET-KEY-", "-----BEGIN")):
        message = "this is a private key: it must never be in this file"
        return Problem(
            "private-key",
            message,
            where,
            "replace it by its public key, and create a new key: this one is no longer secret",
        )
    suggestion = value.strip().lower()
    hint = (
        f"write '{suggestion}'"
        if field in {"id", "profile"} and suggestion != value and suggestion.isalnum()
        else rule.hint
    )
    return Problem(rule.id, f"invalid {rule.noun} {quoted(value)}", where, hint)


def _env_pattern(value: str, where: Any) -> Problem:
    if "\n" in value or "\t" in value:
        return Problem(
            "bad-env-value",
            "a value of env contains a line break or a tab",
            where,
            "remove it: a .env line cannot contain either",
        )
    rule = RULES["env"]
    return Problem(rule.id, f"invalid {rule.noun} {quoted(value)}", where, rule.hint)


def _enum(name: str, error: ErrorDetails, where: Any) -> Problem:
    expected = str(error.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
    allowed = [word.strip(" '") for word in expected.split(",")]
    value = error["input"]
    if not isinstance(value, str):
        return Problem(
            "wrong-type",
            f"{name} must be one word, not {describe_value(value)}",
            where,
            f"allowed: {', '.join(allowed)}",
        )
    close = nearest_words(value, allowed)
    hint = (f"did you mean '{close[0]}'? " if close else "") + f"allowed: {', '.join(allowed)}"
    return Problem("bad-choice", f"invalid {name.rpartition('.')[2]} {quoted(value)}", where, hint)


def describe_value(value: Any) -> str:
    """Describe the kind of a value, and show it only if it is short."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {str(value)[:24]}"
        case str():
            return f"the text {quoted(value)}" if value else "empty text"
        case list():
            return "a list"
        case _:
            return "a mapping"
