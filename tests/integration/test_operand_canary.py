"""A key that is passed by mistake as an operand or option of any command is never echoed, nor written into the workspace."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import seeded
from commandcraft import apart, inside
from rotatecraft import Fleet, new_key
from typer.main import get_command

from provision.aisa.simulator import Simulator
from provision.cli.app import COMMANDS, app
from provision.report.opaque_operand import opaque_operands

FREE = {"run"}
"""Commands that start another program, which gets its operands as they are."""
LONG = {("demo",), ("build-zipapp",)}
"""Commands that work for seconds before they fail; a usage error of them shows their operands too."""


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, also inside groups, with its parsed definition."""
    tree = get_command(app)
    for name in COMMANDS:
        command = tree.get_command(None, name)  # type: ignore[attr-defined]
        subs = getattr(command, "commands", None)
        if subs:
            yield from (((name, sub), found) for sub, found in subs.items())
        else:
            yield (name,), command


def lines(name: tuple[str, ...], command: Any, key: str) -> Iterator[list[str]]:
    """Command lines with the key as each operand, option, attached value, and where nothing is expected."""
    operands = [p for p in command.params if p.param_type_name == "argument"]
    filled = [key for _ in operands]
    if filled:
        yield [*name, *filled]
    yield [*name, *filled, key]
    yield [*name, f"--{key}"]
    yield [*name[:-1], key]
    for option in command.params:
        if option.param_type_name != "option" or option.is_flag or "--help" in option.opts:
            continue
        for spelling in option.opts:
            yield [*name, *(["ada"] if operands else []), spelling, key]
            yield [*name, f"{spelling}={key}" if spelling.startswith("--") else f"{spelling}{key}"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Simulator() as sim:
        yield Fleet(tmp_path_factory.mktemp("canary"), sim)


def environment(fleet: Fleet) -> dict[str, str]:
    """One home for all commands: the rules of `audit` and `redact` are compiled once."""
    return {"PATH": os.environ["PATH"], "HOME": str(fleet.config), "PROVISION_CONFIG_DIR": str(fleet.config)}


def tried() -> list[tuple[tuple[str, ...], Any]]:
    return [(name, command) for name, command in commands() if name not in LONG and name[0] not in FREE]


@pytest.mark.parametrize(
    ("name", "command"), tried(), ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_a_key_in_any_place_of_a_command_is_masked(
    fleet: Fleet, name: tuple[str, ...], command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = fleet.keys["ada"]
    environ = environment(fleet)
    shown = []
    slow = name == ("redact",)  # its output is a descriptor: only a process has one
    for words in [*lines(name, command, key)][: 4 if slow else None]:
        runs = apart if slow else inside
        done = runs("-v", "-w", fleet.root, *words, environ=environ, cwd=tmp_path)
        assert "this is a bug" not in done.stderr, words
        if key in done.stdout + done.stderr:
            shown.append(words)
    assert not shown, "a whole key was printed"
    for path in fleet.root.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path


def opaque_keys() -> dict[str, str]:
    """Keys without a prefix of their own. How many of all random ones are recognized is a unit test's question."""
    found = _drawn_keys()
    while len([*opaque_operands(list(found.values()))]) < len(found):
        found = _drawn_keys()
    return found


def _drawn_keys() -> dict[str, str]:
    return {
        "hex": seeded.token_hex(16),
        "long hex": seeded.token_hex(32),
        "base64": base64.b64encode(seeded.token_bytes(32)).decode(),
        "base64url": f"{seeded.token_urlsafe(15)}A1b2{seeded.token_urlsafe(15)}",
        "UUID": str(uuid.UUID(int=seeded.randbelow(1 << 128))),
    }


def shown_keys(fleet: Fleet, folder: Path, words: list[str], keys: list[str]) -> list[str]:
    """Which of the keys a command prints or keeps."""
    environ = environment(fleet)
    runs = apart if words[0] == "redact" else inside
    done = runs("-v", "-w", fleet.root, *words, environ=environ, cwd=folder)
    kept = [path.read_bytes() for path in fleet.root.rglob("*") if path.is_file()]
    return [key for key in keys if key in done.stdout + done.stderr or any(key.encode() in data for data in kept)]


@pytest.mark.parametrize(
    ("name", "command"), tried(), ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_keys_without_a_prefix_are_masked(fleet: Fleet, name: tuple[str, ...], command: Any, tmp_path: Path) -> None:
    """Every command with as many operands as it takes; with too many, the last is named in a usage error."""
    keys = list(opaque_keys().values())
    taken = sum(p.param_type_name == "argument" for p in command.params)
    assert shown_keys(fleet, tmp_path, [*name, *keys[: taken or len(keys)]], keys) == []


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "command"), tried(), ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_keys_without_a_prefix_are_masked_in_any_place(
    fleet: Fleet, name: tuple[str, ...], command: Any, tmp_path: Path
) -> None:
    """Each line in a folder of its own: what a command makes of the key there would be a name for the next."""
    kinds = list(opaque_keys().values())
    for number, words in enumerate(lines(name, command, "KEY")):
        key, folder = kinds[number % len(kinds)], tmp_path / str(number)
        folder.mkdir()
        said = [word.replace("KEY", key) for word in words]
        assert shown_keys(fleet, folder, said, [key]) == [], said


@pytest.mark.parametrize("before", [("-w",), ("--workspace",), ("--workspace-of",), ()])
def test_a_key_among_the_global_options_is_masked(before: tuple[str, ...], tmp_path: Path) -> None:
    key = new_key()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for words in ([*before, key, "check"], [f"--{key}"], [key], ["keys", key], ["keys", f"{before}={key}"]):
        done = inside(*words, environ=environ, cwd=tmp_path)
        assert key not in done.stdout + done.stderr
        assert done.returncode != 0
        json = inside(*words, environ=environ | {"PROVISION_ERRORS": "json"}, cwd=tmp_path)
        assert key not in json.stdout + json.stderr
        if words[-1] == key and len(words) == 1:
            assert key[-4:] in json.stderr, "the last four characters name it"
