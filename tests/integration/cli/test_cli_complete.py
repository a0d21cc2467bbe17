"""Completion: which words may follow, without any shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provision.cli.reference.complete import FILES, completions

TREE: dict[str, Any] = {
    "": {
        "options": {
            "--quiet": {"help": "Less.", "takes_value": False, "kind": ""},
            "-w": {"help": "", "takes_value": True, "kind": "file"},
        },
        "arguments": [],
        "commands": {"keys": "Keys.", "show": "Show.", "check": "Check."},
    },
    "keys": {"options": {}, "arguments": [], "commands": {"list": "List keys."}},
    "keys list": {
        "options": {
            "--limit": {"help": "Users.", "takes_value": True, "kind": "limit"},
            "--format": {"help": "Format.", "takes_value": True, "kind": "choices:table|json"},
            "--all": {"help": "All.", "takes_value": False, "kind": ""},
        },
        "arguments": [],
        "commands": {},
    },
    "show": {"options": {}, "arguments": ["user", "file"], "commands": {}},
    "check": {"options": {}, "arguments": [], "commands": {}},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "provision.toml").write_text("")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "engineering.yaml").write_text("")
    (tmp_path / "inventory.yaml").write_text(
        'users:\n  - id: ada\n    tags: [pilot, "eu"]\n  - {id: "alan", profile: x, tags: [pilot]}\n  - profile: y\n    id: bob\n'
    )
    (tmp_path / "inside").mkdir()
    return tmp_path / "inside"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", ["keys", "show", "check"]),
        ("ke", ["keys"]),
        ("-q", []),
        ("--q", ["--quiet"]),
        ("keys ", ["list"]),
        ("-w . keys ", ["list"]),
        ("--quiet keys list --", ["--quiet", "--limit", "--format", "--all"]),
        ("keys list --format ", ["table", "json"]),
        ("keys list --format=j", ["--format=json"]),
        ("keys list --limit a", ["ada", "alan"]),
        ("keys list --limit ada,b", ["ada,bob"]),
        ("keys list --limit ada,", ["ada,profile:", "ada,tag:", "ada,platform:", "ada,ada", "ada,alan", "ada,bob"]),
        ("keys list --limit profile:", ["profile:engineering"]),
        ("keys list --limit tag:", ["tag:pilot", "tag:eu", "tag:pilot"]),
        ("keys list --limit platform:m", ["platform:macos"]),
        ("keys list --all ", []),
        ("show al", ["alan"]),
        ("show ada ", [FILES[0]]),
        ("-w ", [FILES[0]]),
    ],
)
def test_words(typed: str, words: list[str], workspace: Path) -> None:
    assert [word for word, _ in completions(TREE, typed.split(" "), workspace)] == words


def test_a_csv_inventory_and_its_name_in_the_settings(workspace: Path) -> None:
    root = workspace.parent
    (root / "provision.toml").write_text('inventory = "people.csv"\n')
    (root / "people.csv").write_text("id,profile,tags\nada,engineering,pilot eu\nbob,,\n")
    assert [w for w, _ in completions(TREE, ["show", ""], root)] == ["ada", "bob"]
    (root / "people.csv").unlink()
    assert list(completions(TREE, ["show", ""], root)) == []
    assert list(completions(TREE, ["show", ""], Path("/"))) == []
