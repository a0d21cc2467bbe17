"""Tests that read hostile input have a limit of memory, and none is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from memory_caps import GROWTH_BYTES, is_hostile

TESTS = Path(__file__).parents[1]
SAYS = re.compile(r"bomb|hostile|nasty|endless|odd file|<< 3\d|\* 1024\*\*3|multiply")
LIMITED = re.compile(r"RLIMIT_AS|rss_limit")
OWN_LIMIT = {"test_fuzzing_finds_nothing", "test_fuzzing_ten_minutes_each"}
"""Tests of a program that limits itself."""


def uncapped(module: str, text: str) -> Iterator[str]:
    """Name the tests whose text says that they read hostile input, and that no limit is set for."""
    tree = ast.parse(text)
    marked = "pytest.mark.hostile" in (ast.get_source_segment(text, tree) or "").partition("\ndef ")[0]
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
            decorators = " ".join(ast.unparse(line) for line in each.decorator_list)
            source = f"{decorators} {ast.unparse(each)}"
            limited = marked or "mark.hostile" in decorators or is_hostile(module, each.name) or LIMITED.search(source)
            if SAYS.search(source) and not limited and each.name not in OWN_LIMIT:
                yield f"{module}::{each.name}"


def test_every_test_of_hostile_input_has_a_limit_of_memory() -> None:
    own = Path(__file__).name
    files = [path for path in TESTS.rglob("test_*.py") if path.name != own and path.parent.name not in {"bench", "bed"}]
    assert len(files) > 300
    assert [name for path in files for name in uncapped(path.stem, path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def test_x():\n    read(bomb())\n", ["m::test_x"]),
        ("@pytest.mark.hostile\ndef test_x():\n    read(bomb())\n", []),
        ("def test_a_bomb():\n    read(bomb())\n", []),
        ("def test_x():\n    truncate(2 << 30)\n", ["m::test_x"]),
    ],
)
def test_a_forgotten_limit_is_noticed(text: str, found: list[str]) -> None:
    assert list(uncapped("m", text)) == found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the limit is set on Linux")
def test_hostile_input_meets_the_limit() -> None:
    with pytest.raises(MemoryError):
        bytearray(2 * GROWTH_BYTES)
