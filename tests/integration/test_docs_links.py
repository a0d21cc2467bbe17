"""What the pages point at is there: other pages and their headings, files of the repository, commands and their options."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_group

from provision.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "provision").rglob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`|^ {4}(\S[^\n]*)$", re.DOTALL | re.MULTILINE)


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_the_readme_leads_to_every_page() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "README.md").read_text())}
    assert {page_name(page) for page in PAGES if page.parent.name == "docs"} <= linked


def shown(page: Path) -> Iterator[list[str]]:
    """The words of each `provision …` in code, up to the end of that command."""
    for code in CODE.findall(page.read_text()):
        for line in re.sub(r"\\\n\s*", " ", "".join(code)).splitlines():
            for call in re.findall(r"(?:^|[\s(`$&;|])provision ((?:[^|;&#`\n'\"]|'[^']*'|\"[^\"]*\")+)", f" {line}"):
                yield shlex.split(call)


@functools.cache
def _command(*names: str) -> Any:
    """The command of that name, None when there is none."""
    return _command(*names[:-1]).get_command(None, names[-1]) if names else get_group(app)


def unknown(words: list[str]) -> str | None:
    """What is no command, or no option of it, in a command line."""
    node: Any = _command()
    path: tuple[str, ...] = ()
    options = {o for p in node.params for o in (*p.opts, *p.secondary_opts)}
    for word in words:
        if word == "--":
            return None
        if word.startswith("-") and word != "-":
            name = word.split("=")[0].rstrip(",.…)")
            if name not in options | {"--help", "-h"}:
                return f"{node.name} {name}"
        elif hasattr(node, "get_command"):
            if not re.fullmatch(r"[a-z-]+", word):
                return None
            path += (word,)
            inner = _command(*path)
            if inner is None:
                return f"{node.name} {word}"
            node = inner
            options |= {o for p in node.params for o in (*p.opts, *p.secondary_opts)}
    return None


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_and_options_exist(page: Path) -> None:
    assert [wrong for words in shown(page) if (wrong := unknown(words))] == []


def test_enough_is_read_and_a_typo_is_seen() -> None:
    assert sum(1 for page in PAGES for _ in shown(page)) > 100
    assert unknown(["rotate", "start", "--form", "x"]) == "start --form"
    assert unknown(["rotatee"]) == "provision rotatee"
    assert unknown(["-q", "keys", "list", "--all"]) is None
