"""The shape of the code: sizes of rooms and files, no import circles, one meaning for each class name."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "provision"
FILES = sorted(p for p in PACKAGE.rglob("*.py") if "collection" not in p.parts)
MAX_FILES = 25
MAX_LINES = 400


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Every module of the package that this one imports, anywhere in the file; `TYPE_CHECKING` blocks count too."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("provision"):
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inside or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES.keys()
    return found & MODULES.keys()


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            component = stack[stack.index(name) :]
            del stack[-len(component) :]
            if len(component) > 1:
                found.append(sorted(component))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_no_import_circle() -> None:
    assert circles({name: imports_of(path) for name, path in MODULES.items()}) == []


def test_no_room_has_too_many_files() -> None:
    rooms = defaultdict(list)
    for path in FILES:
        rooms[path.parent].append(path.name)
    assert {str(room): len(names) for room, names in rooms.items() if len(names) > MAX_FILES + 1} == {}


def test_no_file_is_too_long() -> None:
    lengths = {module_of(path): path.read_text(encoding="utf-8").count("\n") for path in FILES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_every_class_name_has_one_meaning() -> None:
    places = defaultdict(set)
    for name, path in MODULES.items():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(name)
    assert {name: sorted(modules) for name, modules in places.items() if len(modules) > 1} == {}


def test_every_module_and_package_says_what_it_is_for() -> None:
    assert [name for name, path in MODULES.items() if not ast.get_docstring(tree(path))] == []


def test_no_room_without_meaning() -> None:
    empty = {"utils", "helpers", "common", "manager", "misc", "shared", "more"}
    assert [name for name in MODULES if empty & set(name.split("."))] == []
