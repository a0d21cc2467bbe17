"""Plain words (docs/style.md): the words that must not appear in code, messages and docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = re.compile(
    r"\b(nobody|somebody|everybody|anybody|judge[sd]?|judging|judgements?|let be|mend(s|ed|ing)?|look yourself|is no (?!longer)"
    r"|less bad|anew|of ours)\b|[\d}] [a-z]+\(s\)",
    re.IGNORECASE,
)
TERMS_PAGE = ROOT / "docs" / "style.md"
SUFFIXES = {".py", ".md", ".j2", ".sh", ".ps1", ".yml", ".yaml", ".toml", ".html"}


def texts() -> list[Path]:
    folders = [ROOT / name for name in ("provision", "docs", "templates", "profiles")]
    inside = [p for folder in folders for p in folder.rglob("*") if p.suffix in SUFFIXES and p != TERMS_PAGE]
    return sorted([*inside, *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "inventory.example.yaml"])


@pytest.mark.parametrize("path", texts(), ids=lambda p: str(p.relative_to(ROOT)))
def test_plain_words(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if WORDS.search(line)] == []


@pytest.mark.parametrize(
    "text", ["Nobody is asked", "'x' is no size", "judged offline", "what was mended", "2 file(s) read"]
)
def test_the_words_are_found(text: str) -> None:
    assert WORDS.search(text)


@pytest.mark.parametrize("text", ["it is no longer there", "recommended", "amend the file"])
def test_other_words_are_not(text: str) -> None:
    assert not WORDS.search(text)
