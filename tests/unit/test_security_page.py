"""docs/security.md and docs/trust.md: every answer to a threat names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
TEST = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")


def rows(page: str) -> list[tuple[str, str]]:
    """Each threat and the text with its tests: a section of docs/security.md, or a row of the table in docs/trust.md."""
    part = re.split(r"## (?:Threats and answers|Attacks)\n", page)[-1]
    part = re.split(r"^## ", part, maxsplit=1, flags=re.MULTILINE)[0]
    if "\n### " in part:
        return [(each.partition("\n")[0], each.partition("\nTests:")[2]) for each in part.split("\n### ")[1:]]
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in part.splitlines() if line.startswith("| ")]
    return [(row[0], row[2] if len(row) == 3 else "") for row in cells[1:]]


def unproved(page: str) -> list[str]:
    """Threats whose answer names no test, or one that is not there."""
    found = []
    for threat, cell in rows(page):
        tests = TEST.findall(cell)
        missing = [name for file, name in tests if not _has(ROOT / "tests" / file, name)]
        if not tests or missing:
            found.append(f"{threat}: {', '.join(missing) or 'no test'}")
    return found


def _has(path: Path, name: str) -> bool:
    return path.is_file() and re.search(rf"^(?:async )?def {name}\(", path.read_text("utf-8"), re.MULTILINE) is not None


def test_every_answer_is_proved() -> None:
    assert len(rows(PAGE)) > 25
    assert unproved(PAGE) == []


def test_no_cell_of_a_table_is_a_page() -> None:
    assert [line[:60] for line in PAGE.splitlines() if line.startswith("|") and len(line) > 700] == []


def test_every_attack_on_trust_is_refused_by_a_test() -> None:
    page = (ROOT / "docs" / "trust.md").read_text("utf-8")
    assert len(rows(page)) > 20
    assert unproved(page) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("| a threat | an answer |", "a threat: no test"),
        ("| a threat | an answer | `unit/test_house.py::test_that_is_missing` |", "a threat: test_that_is_missing"),
        ("| a threat | an answer | soon |", "a threat: no test"),
        ("### a threat\n\n- an answer\n", "a threat: no test"),
        (
            "### a threat\n\n- an answer\n\nTests:\n\n- `unit/test_house.py::test_that_is_missing`\n",
            "a threat: test_that_is_missing",
        ),
    ],
)
def test_an_answer_without_a_test_is_noticed(row: str, said: str) -> None:
    head = "" if row.startswith("###") else "| threat | answer | tests |\n|---|---|---|\n"
    page = f"## Threats and answers\n\n{head}{row}\n\n## More\n"
    assert unproved(page) == [said]


def test_every_file_that_grows_has_a_stated_limit() -> None:
    """Files of lines grow with use: journals, logs, trends."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "provision").rglob("*.py"))
    names = set(re.findall(r"[\"/` ]([a-z-]+\.jsonl)\b", code))
    limits = PAGE.partition("## What may be left, and what grows")[2].partition("\n## ")[0]
    assert len(names) >= 5
    assert {name for name in names if f"`{name}`" not in limits} == set()
