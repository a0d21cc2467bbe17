"""Values of options that need no validation library.

From 0.20 on, typer builds a pydantic validator for every option of a command, used or not, and imports pydantic for it: with
both a command took twice as long to start. Here the usual values are converted directly: texts, paths, one word of a few, and
defaults. Everything else, and every value that is refused, is left to typer, so all messages are typer's.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

_ELSE = object()
"""The value is one for typer."""


def take_plain_values(command: Any, ctx: Any) -> None:
    """Make the parameters of a command, and of those below it, convert plain values without typer's validators.

    `ctx` is only needed for the option --help, which typer adds when it is asked for the parameters in a context.
    """
    for below in getattr(command, "commands", {}).values():
        take_plain_values(below, ctx)
    make_plain(command.params if ctx is None else command.get_params(ctx))


def make_plain(params: Iterable[Any]) -> None:
    """Make these parameters convert plain values. Does nothing with a typer that has no validators."""
    for param in params:
        if getattr(param, "_runtime_param", _ELSE) is None:
            param._runtime_param = _PlainValues(param.type_descriptor)  # noqa: SLF001  typer has no public place for it


class _PlainValues:
    """Stands where typer keeps the validator of a parameter."""

    def __init__(self, descriptor: Any) -> None:
        self._descriptor = descriptor

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Convert the value of `param` as typer does. Raises what typer raises."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        plain = self._plain(value, several=several)
        if plain is not _ELSE:
            return plain
        from typer._coercion import build_runtime_param

        return build_runtime_param(self._descriptor).coerce(value, param=param, ctx=ctx)

    def _plain(self, value: Any, *, several: bool) -> Any:
        annotation, info = self._descriptor.annotation, self._descriptor.parameter_info
        if self._descriptor.file_annotation is not None:
            return _ELSE
        if get_origin(annotation) is not list:
            return _ELSE if several else _plain_value(value, annotation, info)
        if not several or not isinstance(value, list | tuple):
            return _ELSE
        items = [_plain_value(item, get_args(annotation)[0], info) for item in value]
        return _ELSE if any(item is _ELSE for item in items) else items


def _plain_value(value: Any, annotation: Any, info: Any) -> Any:
    if info.parser is not None:
        return _parsed(value, info.parser)
    if get_origin(annotation) is Literal:
        return value if value in get_args(annotation) else _ELSE
    if not isinstance(annotation, type):
        return _ELSE
    if issubclass(annotation, Enum):
        return next((each for each in annotation if value is each or value == str(each.value)), _ELSE)
    if annotation is str:
        return value if type(value) is str else _ELSE
    if annotation is Path:
        return _path(value, info)
    return value if annotation in {int, float} and type(value) is annotation else _ELSE  # a default


def _parsed(value: Any, parser: Any) -> Any:
    try:
        return parser(value)
    except ValueError:
        return _ELSE


def _path(value: Any, info: Any) -> Any:
    if type(value) is not str or info.path_type not in {None, Path}:
        return _ELSE
    from typer._param_types import coerce_cli_path

    try:
        return coerce_cli_path(Path(value), info, path_type=Path)
    except (typer.BadParameter, ValueError):
        return _ELSE
