"""Completion in real shells, man pages, help of topics, and examples of every command: all from the one command tree."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs_links import unknown

from provision.cli.main import run
from provision.cli.reference.examples import EXAMPLES
from provision.cli.reference.scripts import SCRIPTS
from provision.cli.reference.text import markdown
from provision.cli.reference.topics import TOPICS
from provision.cli.reference.tree import all_commands


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace, with `provision` on the PATH and a home of its own."""
    root = tmp_path_factory.mktemp("shell")
    (root / "bin").mkdir()
    program = root / "bin" / "provision"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m provision "$@"\n')
    program.chmod(0o755)
    for name, text in SCRIPTS.items():
        (root / name).write_text(text)
    (root / "provision.toml").write_text("")
    (root / "inventory.yaml").write_text("users:\n  - {id: ada, tags: [pilot]}\n  - {id: alan}\n")
    (root / "some file.txt").write_text("")
    return root


def asked(root: Path, *command: str) -> list[str]:
    environ = {
        "PATH": f"{root / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(root),
        "XDG_CACHE_HOME": str(root / "cache"),
    }
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


CASES = [
    ("provision rotate st", {"start", "status"}),
    ("provision show a", {"ada", "alan"}),
    ("provision keys list -l tag:", {"tag:pilot"}),
    ("provision keys list --format ", {"table", "json"}),
    ("provision redact so", {"some file.txt"}),
]


@pytest.mark.parametrize(("typed", "words"), CASES)
@pytest.mark.programs("bash")
def test_bash(shell: Path, typed: str, words: set[str]) -> None:
    script = """
    source ./bash; COMP_LINE=$1; COMP_POINT=${#1}; IFS=$' :=' read -ra COMP_WORDS <<<"$1"
    [[ $1 == *[\\ :] ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _provision; printf '%s\\n' "${COMPREPLY[@]}"
    """
    found = asked(shell, "bash", "-c", script, "bash", typed)
    assert set(found) == {word.rpartition(":")[2] for word in words}, "bash cuts words at colons"


@pytest.mark.parametrize(("typed", "words"), CASES)
@pytest.mark.programs("fish")
def test_fish(shell: Path, typed: str, words: set[str]) -> None:
    found = asked(shell, "fish", "--no-config", "-c", f"source ./fish; complete -C {shlex.quote(typed)}")
    assert {line.partition("\t")[0].replace("\\ ", " ") for line in found} == words


@pytest.mark.parametrize(("typed", "words"), CASES[:4])
@pytest.mark.programs("zsh")
def test_zsh(shell: Path, typed: str, words: set[str]) -> None:
    script = """
    compdef() { }; compadd() { print -l -- "${(@)values}" }; _files() { print -- :files }
    source ./zsh; words=("${(@s: :)1}"); CURRENT=${#words}; _provision
    """
    assert set(asked(shell, "zsh", "-f", "-c", script, "zsh", typed)) == words


def test_powershell_parses() -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    language = pytest.importorskip("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(language.language()))
    assert not parser.parse(SCRIPTS["powershell"].encode()).root_node.has_error


def test_the_second_completion_imports_no_command(shell: Path) -> None:
    asked(shell, "provision", "__complete", "show", "a")
    code = (
        "import sys; sys.argv = ['provision', '__complete', 'show', 'a'];"
        "import provision.__main__ as m; m.main(); print(*sys.modules)"
    )
    *words, modules = asked(shell, sys.executable, "-c", code)
    assert [word.partition("\t")[0] for word in words] == ["ada", "alan"]
    assert not {"typer", "click", "pydantic", "ruamel.yaml", "provision.cli.app"} & set(modules.split())


def test_every_command_has_examples_that_parse() -> None:
    commands = {" ".join(command.words) for command in all_commands()} - {""}
    assert commands == EXAMPLES.keys()
    for name, examples in EXAMPLES.items():
        for example in examples:
            program, *words = shlex.split(re.split(r"[<>]", example)[0])
            assert (program, unknown(words)) == ("provision", None), (name, example)
            group = [each for each in EXAMPLES if each.startswith(f"{name} ")]
            assert example.startswith(f"provision {name}"), name
            assert examples or group


def test_every_option_is_explained() -> None:
    missing = [
        f"{command.name} {each.form}"
        for command in all_commands()
        for each in (*command.options, *command.arguments)
        if not each.help
    ]
    assert missing == []
    text = markdown(all_commands())
    assert "### provision rotate start\n" in text
    assert "| `-l, --limit USERS` |" in text


@pytest.mark.programs("groff")
def test_man_pages_are_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "--man", str(tmp_path)]) == 0
    pages = sorted(tmp_path.glob("*.1"))
    assert len(pages) == len(all_commands())
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", *pages], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "Replace API keys in bulk" in done.stdout


def test_help_of_commands_and_topics(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help"]) == 0
    listed = capsys.readouterr().out
    for topic, (summary, text) in TOPICS.items():
        assert summary in listed
        assert run(["help", topic]) == 0
        assert capsys.readouterr().out == text
    assert run(["help", "rotate", "start"]) == 0
    text = capsys.readouterr().out
    assert "Usage: provision rotate start" in text
    assert "Examples:\n    provision rotate start --from keys.csv" in text
    assert run(["help", "rotate", "strat"]) == 3
    assert "provision help rotate start" in capsys.readouterr().err
