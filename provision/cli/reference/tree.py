"""The command tree as values: every command with its texts, arguments, options and examples. Hidden ones are left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.app import SECTIONS, app
from provision.cli.reference.examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_NAME = {"limit": "limit", "user": "user", "users": "user", "profile": "profile", "team": "profile", "tags": "tag"}
"""What completes a parameter of this name, if its metavar does not say."""
_BY_METAVAR = {"USERS": "limit", "USER": "user", "ROTATION": "rotation"}
_FILES = {"FILE", "DIR", "PATH", "BUNDLE"}


@dataclass(frozen=True, slots=True)
class ParameterHelp:
    """An argument or option. `form` is how it is written (`-l, --limit USERS`), `kind` what completes its value: a word of
    `complete.py`, `choices:A|B`, or empty."""

    names: tuple[str, ...]
    form: str
    help: str
    takes_value: bool
    kind: str


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """A command or group. `words` are its name, such as `("rotate", "start")`; `section` is its heading in `--help`."""

    words: tuple[str, ...]
    section: str
    text: str
    arguments: tuple[ParameterHelp, ...]
    options: tuple[ParameterHelp, ...]
    commands: tuple[str, ...]
    examples: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name as it is typed."""
        return " ".join(("provision", *self.words))

    @property
    def summary(self) -> str:
        """The first sentence."""
        return self.text.partition("\n\n")[0]


@cache
def all_commands() -> tuple[CommandHelp, ...]:
    """`provision` itself, then every command below it, in the order of `--help`."""
    from typer.main import get_command

    return tuple(_walk(get_command(app), (), ""))


def _walk(command: Any, words: tuple[str, ...], section: str) -> Iterator[CommandHelp]:
    names = command.list_commands(None) if hasattr(command, "list_commands") else []
    below = {name: command.get_command(None, name) for name in names}
    below = {name: each for name, each in below.items() if not each.hidden}
    shown = [param for param in command.params if not getattr(param, "hidden", False) and param.name != "help"]
    yield CommandHelp(
        words,
        section,
        re.sub(r"(?<!\n)\n(?!\n)", " ", (command.help or "").strip()),
        tuple(_parameter(param) for param in shown if not _is_option(param)),
        tuple(_parameter(param) for param in shown if _is_option(param)),
        tuple(below),
        EXAMPLES.get(" ".join(words), ()),
    )
    for name, each in below.items():
        yield from _walk(each, (*words, name), section or _section(name))


def _section(name: str) -> str:
    return next((title for title, commands in SECTIONS.items() if name in commands), "")


def _is_option(param: Any) -> bool:
    return all(name.startswith("-") for name in param.opts)


def _parameter(param: Any) -> ParameterHelp:
    flag, metavar = bool(getattr(param, "is_flag", False)), param.metavar or ""
    names = (*param.opts, *param.secondary_opts)
    if not _is_option(param):
        form = metavar or param.name.upper().strip("_")
        return ParameterHelp((), form, param.help or "", True, _kind(param, metavar))
    ordered = sorted(names, key=lambda name: name.startswith("--"))
    value = "" if flag else f" {metavar or param.name.upper().strip('_')}"
    return ParameterHelp(
        names, ", ".join(ordered) + value, param.help or "", not flag, "" if flag else _kind(param, metavar)
    )


def _kind(param: Any, metavar: str) -> str:
    choices = re.fullmatch(r"\[([a-z0-9-]+(?:\|[a-z0-9-]+)+)\]", metavar) or re.fullmatch(
        r"<([a-z0-9-]+(?:\|[a-z0-9-]+)+)>", metavar
    )
    if choices:
        return f"choices:{choices[1]}"
    enum = _enum_values(param)
    if enum:
        return f"choices:{'|'.join(enum)}"
    words = re.findall(r"[A-Z]+", metavar)
    for word in words:
        if word in _BY_METAVAR:
            return _BY_METAVAR[word]
    if set(words) & _FILES or _annotation(param) is Path:
        return "file"
    return _BY_NAME.get(param.name, "")


def _annotation(param: Any) -> Any:
    """The type of a value, as this version of typer keeps it."""
    found = getattr(getattr(param, "type_descriptor", None), "annotation", None) or getattr(param, "type", None)
    inner = [each for each in getattr(found, "__args__", ()) if each is not type(None)]
    return inner[0] if inner else Path if type(found).__name__ in {"Path", "TyperPath"} else found


def _enum_values(param: Any) -> list[str]:
    found = _annotation(param)
    members = getattr(found, "__members__", None)
    values = list(members.values()) if members else getattr(found, "choices", None) or []
    return [str(getattr(value, "value", value)) for value in values]
