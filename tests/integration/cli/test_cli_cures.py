"""Every command that the code can print: it exists, its options exist, and what is put into it is quoted for a shell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.cli import main
from provision.cli.app import COMMANDS

ROOT = Path(__file__).parents[3] / "provision"
PROGRAMS = "provision|chmod|chown|rm|mv|cp|age|cd|ssh|ssh-keygen|git|icacls|mkdir|systemctl|launchctl"
BEFORE = re.compile(rf"(?:^|[`:;(] ?|run |then |next: |-e )(?:{PROGRAMS}) [^;`\n]*$")
PRINTED = re.compile(r"(`?)provision ((?:[a-z][a-z-]+)[^`;,:()\n]*)(`?)")
NO_SHELL_CHARACTER = re.compile(
    r"(?:\w+\.)*(?:user|id|name|fingerprint|busy\[(?:key\.)?user\]|__version__|version|target)|LOG_NAME|_FIX|rotation|user|owner|aside|arguments\[0\]"
    r"|shell_(?:word|path)\(.*|' '\.join\(map\(shell_word, .*"
    r"|shlex\.join\(.*|platform|file|vault|mask|text|wanted|reason|major|minor|extra|self._silence_s|.*type\(.*"
)
"""Expressions whose value is made of `[A-Za-z0-9._@-]`: users, rotations, versions; or that are quoted already."""


def strings() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every string of the code that is no docstring, with its place; of f-strings also what stands before each value."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text, values = "", []
                for part in node.values:
                    if isinstance(part, ast.Constant):
                        text += str(part.value)
                    elif isinstance(part, ast.FormattedValue):
                        values.append((text, ast.unparse(part.value)))
                        text += "X"
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {text}", values
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}", []


@pytest.fixture(scope="module")
def printed() -> list[tuple[str, list[tuple[str, str]]]]:
    return list(strings())


def test_values_in_commands_are_quoted(printed: list[tuple[str, list[tuple[str, str]]]]) -> None:
    wrong = [
        f"{text!r}: {{{value}}}"
        for text, values in printed
        for before, value in values
        if BEFORE.search(before) and not NO_SHELL_CHARACTER.fullmatch(value)
    ]
    assert wrong == []


def _wrong(words: list[str], quoted: bool) -> str:
    """What is wrong with a printed command line, without its values; empty if nothing is."""
    tree: Any = main._tree()
    if words[0] not in COMMANDS:
        return "no such command" if quoted else ""
    command = tree.get_command(None, words[0])
    rest = words[1:]
    while hasattr(command, "commands") and rest:
        below = re.sub(r"\W+$", "", rest[0])
        if below.startswith("-") or below not in command.commands:
            return f"no command {below!r} in it" if quoted and "|" not in rest[0] and below.islower() else ""
        command, rest = command.commands[below], rest[1:]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help", "--"}
    if command.name == "run":
        return ""
    for word in rest:
        option = re.match(r"\[?(--[a-z][a-z-]*|-[a-z])(?![a-z-])", word)
        if option and option[1] not in known:
            return f"no option {option[1]}"
    return ""


def test_printed_commands_exist_with_their_options(printed: list[tuple[str, list[tuple[str, str]]]]) -> None:
    wrong, count = [], 0
    for text, _ in printed:
        for opened, line, closed in PRINTED.findall(text):
            count += 1
            fault = _wrong(line.split(), bool(opened and closed))
            if fault:
                wrong.append(f"{text}: provision {line}: {fault}")
    assert count > 150
    assert wrong == []


@pytest.mark.parametrize("line", ["redcat x", "keys implort FILE", "check --strcit"])
def test_the_check_finds_mistakes(line: str) -> None:
    assert _wrong(line.split(), quoted=True)
