"""Values that are converted without typer's validators are what typer makes of them, for every parameter of every command."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.core
from typer.main import get_command

from provision.cli.app import COMMANDS, app
from provision.cli.plain_values import _ELSE, _PlainValues

WORDS = (
    "",
    "-",
    "x",
    "table",
    "json",
    "high",
    "tag",
    "12",
    "0.5",
    "-1",
    "true",
    "/",
    "/dev/null",
    "./a//b",
    "\0",
    "ä ",
    "3w",
)
INFO = ("parser", "min", "max", "exists", "file_okay", "dir_okay", "readable", "case_sensitive")
_BUILD = getattr(typer.core, "build_runtime_param", None)
pytestmark = pytest.mark.skipif(_BUILD is None, reason="this typer has no validators")


@functools.cache
def parameters() -> list[Any]:
    root: Any = get_command(app)
    return list(_below(root, typer.Context(root), None))


def _below(command: Any, ctx: Any, name: str | None) -> Iterator[Any]:
    yield from command.get_params(ctx)
    for word in COMMANDS if name is None else getattr(command, "commands", {}):
        yield from _below(command.get_command(ctx, word), ctx, word)


def outcome(param: Any, coerce: Any, value: object) -> tuple[str, object, object]:
    try:
        found = coerce(value, param=param, ctx=None)
    except Exception as e:
        return "refused", type(e).__name__, str(e)
    return "taken", type(found), found


def test_all_parameters_take_plain_values() -> None:
    assert len(parameters()) > 300
    assert {type(param._runtime_param) for param in parameters()} == {_PlainValues}


def test_every_value_becomes_what_typer_makes_of_it(tmp_path: Path) -> None:
    assert _BUILD
    seen = set()
    for param in parameters():
        shape = [param.type_descriptor.annotation, param.multiple, param.nargs]
        shape += [getattr(param.type_descriptor.parameter_info, each) for each in INFO]
        if repr(shape) in seen:
            continue
        seen.add(repr(shape))
        theirs = _BUILD(param.type_descriptor)
        default = None if callable(param.default) else param.default
        values: list[object] = [None, default, *WORDS, str(tmp_path), (), ("x", "json"), ["/dev/null", str(tmp_path)]]
        for value in values:
            ours = outcome(param, param._runtime_param.coerce, value)
            assert ours == outcome(param, theirs.coerce, value), (param.name, value)
    assert len(seen) > 10


def test_usual_values_need_no_validator() -> None:
    plain = {
        "limit": ["a", "b"],
        "workspace": "/nowhere",
        "paths": ["/nowhere"],
        "format_": "json",
        "min_severity": "high",
    }
    for param in parameters():
        if param.name in plain:
            several = param.multiple or param.nargs == -1
            assert param._runtime_param._plain(plain[param.name], several=several) is not _ELSE, param.name
