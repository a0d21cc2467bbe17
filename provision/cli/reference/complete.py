"""Complete a word of the command line: commands, options, and names from the workspace. Imports neither typer nor the fleet.

The command tree is kept in the user's cache folder as JSON, made by the first completion after an installation. The inventory is
searched for names as text, because reading it as YAML takes longer than a person waits for a completion.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Word = tuple[str, str]
"""A word and what it means, which shells show beside it."""
FILES: Word = (":files", "")
"""Says that the shell shall complete names of files."""
_ID = re.compile(r"""^\s*(?:-\s*)?(?:\{\s*)?["']?id["']?\s*:\s*["']?([A-Za-z0-9][A-Za-z0-9._@+-]*)""", re.MULTILINE)
_TAGS = re.compile(r"""\btags["']?\s*:\s*\[([^\]\n]*)\]""")
_LIMIT_BYTES = 64 << 20
_PREFIXES = ("profile:", "tag:", "platform:")
_PLATFORMS = ("linux", "macos", "windows")


def main(words: Sequence[str]) -> None:
    """Print one `WORD<TAB>MEANING` per line for the last of the words, which may be empty."""
    lines = dict.fromkeys(completions(_tree(), list(words) or [""], Path.cwd()))
    sys.stdout.write("".join(f"{word}\t{meaning}\n" for word, meaning in lines))


def completions(tree: dict[str, Any], words: Sequence[str], here: Path) -> Iterator[Word]:
    """Yield the words that the last of `words` may become."""
    *before, current = words
    path, waiting, operands = "", "", 0
    for word in before:
        node = tree[path]
        if waiting:
            waiting = ""
        elif word.startswith("-"):
            option = _option(tree, path, word)
            waiting = option["kind"] or "any" if option and option["takes_value"] and "=" not in word else ""
        elif word in node["commands"]:
            path = f"{path} {word}".strip()
        else:
            operands += 1
    node = tree[path]
    if not waiting and "=" in current and current.startswith("--"):
        name, _, value = current.partition("=")
        option = _option(tree, path, name)
        found = _values(option["kind"] if option else "", value, here)
        yield from ((f"{name}={word}", meaning) for word, meaning in found)
    elif waiting:
        yield from _values(waiting, current, here)
    elif current.startswith("-"):
        options = {**tree[""]["options"], **node["options"]}
        yield from ((name, each["help"]) for name, each in options.items() if name.startswith(current))
    elif node["commands"]:
        yield from ((name, each) for name, each in node["commands"].items() if name.startswith(current))
    else:
        kinds = node["arguments"]
        yield from _values(kinds[min(operands, len(kinds) - 1)] if kinds else "", current, here)


def _option(tree: dict[str, Any], path: str, word: str) -> dict[str, Any] | None:
    name = word.partition("=")[0]
    found = tree[path]["options"].get(name) or tree[""]["options"].get(name)
    return dict(found) if found else None


def _values(kind: str, current: str, here: Path) -> Iterator[Word]:
    """Yield the values of a kind of parameter that begin with `current`."""
    if kind == "file":
        yield FILES
        return
    if kind.startswith("choices:"):
        yield from ((word, "") for word in kind.removeprefix("choices:").split("|") if word.startswith(current))
        return
    root = _workspace(here)
    if root is None:
        return
    kept, last = "", current
    if kind == "limit" and "," in current:
        kept, _, last = current.rpartition(",")
        kept += ","
    for word, meaning in _names(kind, root, last):
        if word.startswith(last):
            yield kept + word, meaning


def _names(kind: str, root: Path, current: str) -> Iterator[Word]:
    if kind == "limit":
        prefix = next((p for p in _PREFIXES if current.startswith(p)), "")
        if prefix == "platform:":
            yield from ((prefix + name, "") for name in _PLATFORMS)
        elif prefix:
            yield from ((prefix + name, meaning) for name, meaning in _names(prefix.rstrip(":"), root, ""))
        else:
            yield from ((p, "") for p in _PREFIXES)
            yield from _names("user", root, current)
    elif kind == "profile":
        yield from ((path.stem, "profile") for path in sorted((root / "profiles").glob("*.yaml")))
    elif kind == "rotation":
        yield from ((path.stem, "rotation") for path in sorted((root / "rotations").glob("[0-9]*.jsonl"), reverse=True))
    elif kind in {"user", "tag"}:
        yield from ((name, kind) for name in _of_inventory(kind, root))


def _of_inventory(kind: str, root: Path) -> Iterator[str]:
    """Yield user ids or tags of the inventory, as they are written there."""
    path = root / _inventory(root)
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return
        text = path.read_text("utf-8", "replace")
    except OSError:
        return
    if path.suffix == ".csv":
        for row in csv.DictReader(text.splitlines()):
            yield from [row.get("id") or ""] if kind == "user" else (row.get("tags") or "").split()
    elif kind == "user":
        yield from (found[1] for found in _ID.finditer(text))
    else:
        for tags in dict.fromkeys(_TAGS.findall(text)):
            yield from (tag.strip().strip("\"'") for tag in tags.split(","))


def _workspace(here: Path) -> Path | None:
    return next((folder for folder in (here, *here.parents) if (folder / "provision.toml").is_file()), None)


def _inventory(root: Path) -> str:
    try:
        return str(tomllib.loads((root / "provision.toml").read_text("utf-8")).get("inventory", "inventory.yaml"))
    except (OSError, ValueError):
        return "inventory.yaml"


def _tree() -> dict[str, Any]:
    """The command tree, from the cache if it is that of this installation."""
    path = _cache_file()
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        pass
    from provision.cli.reference.tree import all_commands

    by_path = {" ".join(command.words): command for command in all_commands()}
    tree = {
        name: {
            "options": {
                each: {"help": option.help, "takes_value": option.takes_value, "kind": option.kind}
                for option in command.options
                for each in option.names
            },
            "arguments": [argument.kind for argument in command.arguments],
            "commands": {below: by_path[f"{name} {below}".strip()].summary for below in command.commands},
        }
        for name, command in by_path.items()
    }
    _keep(path, json.dumps(tree))
    return tree


def _cache_file() -> Path:
    """The cache of this installation: its name has the newest time of a file of the command line."""
    from provision.programs import own_code

    newest = max((changed for _, _, changed in own_code("cli")), default=0)
    return platformdirs.user_cache_path("hermes-provision", appauthor=False) / f"commands-{newest:x}.json"


def _keep(path: Path, text: str) -> None:
    from provision.files import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in path.parent.glob("commands-*.json"):
            old.unlink(missing_ok=True)
        write_atomic(path, text.encode())
    except Exception:
        return
