"""The reference and the man pages, written from the command tree. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.cli.reference.tree import CommandHelp, ParameterHelp


def markdown(commands: Iterable[CommandHelp]) -> str:
    """The pages of these commands as one Markdown text, a heading each."""
    return "\n".join(line for command in commands for line in _markdown(command))


def _markdown(command: CommandHelp) -> Iterator[str]:
    yield f"{'#' * (len(command.words) + 1)} {command.name}\n"
    yield f"{command.text}\n"
    if command.examples:
        yield "```sh\n" + "\n".join(command.examples) + "\n```\n"
    rows = [*command.arguments, *command.options]
    if rows:
        yield "| argument or option | |\n|---|---|"
        yield from (f"| `{_cell(each.form)}` | {_cell(each.help)} |" for each in rows)
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def man_page(command: CommandHelp, below: Iterable[CommandHelp], version: str) -> str:
    """The man page of a command, in section 1, with the commands below it. Macros: man(7)."""
    title = "-".join(("provision", *command.words))
    lines = [
        f'.TH "{title.upper()}" "1" "" "provision {version}" "provision"',
        ".SH NAME",
        f"{_roff(title)} \\- {_roff(command.summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_roff(command.name)}",
        _roff(" ".join(["[OPTIONS]", *(each.form for each in command.arguments)])),
        ".SH DESCRIPTION",
        *(line for paragraph in command.text.split("\n\n") for line in (".PP", _roff(paragraph))),
    ]
    if command.arguments:
        lines += [".SH ARGUMENTS", *_described(command.arguments)]
    if command.options:
        lines += [".SH OPTIONS", *_described(command.options)]
    inner = list(below)
    if inner:
        lines.append(".SH COMMANDS")
        for each in inner:
            lines += [".TP", f".B {_roff(each.name)}", _roff(each.summary)]
    if command.examples:
        lines += [".SH EXAMPLES", *(line for each in command.examples for line in (".PP", ".EX", _roff(each), ".EE"))]
    return "\n".join(lines) + "\n"


def _described(parameters: Iterable[ParameterHelp]) -> Iterator[str]:
    for each in parameters:
        yield ".TP"
        yield f".B {_roff(each.form)}"
        yield _roff(each.help or "(see the description)")


def _roff(text: str) -> str:
    """Text that roff does not interpret: backslashes, hyphens, and lines that begin with a control character."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    spelled = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in plain)
    return f"\\&{spelled}" if spelled.startswith((".", "'")) else spelled
