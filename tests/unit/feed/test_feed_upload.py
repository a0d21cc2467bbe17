"""Uploading: words of the command, order, and what is not uploaded twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from provision.errors import UsageError
from provision.feed.publish import PublishSummary
from provision.feed.upload import IMMUTABLE, REVALIDATE, parse_command, upload_tree

BUNDLES = ("e/a/" + "1" * 64 + ".tar", "e/b/" + "2" * 64 + ".tar")
PARTS = {"index/0a3.json": BUNDLES[:1], "index/0b4.json": BUNDLES[1:]}


def test_words_are_split_before_paths_are_filled_in() -> None:
    assert parse_command("put '{path}' \"a b\" {cache}") == ("put", "{path}", "a b", "{cache}")


@pytest.mark.parametrize("text", ["put", "put '{path}", ""])
def test_invalid_commands(text: str) -> None:
    with pytest.raises(UsageError):
        parse_command(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (*BUNDLES, *PARTS):
        path = tmp_path / "feed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "state").mkdir()
    return tmp_path / "feed"


def run(tree: Path, fails: str = "no such name") -> tuple[list[str], list[str]]:
    """Names that were uploaded, in order, with their cache rule, and names that failed."""
    log = tree.parent / "log"
    log.unlink(missing_ok=True)
    program = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[3:5]) + '\\n'); sys.exit(sys.argv[2] in sys.argv[3])"
    command = (sys.executable, "-c", program, str(log), fails, "{name}", "{cache}", "{path}")
    summary = PublishSummary(2, 0, 0, BUNDLES, PARTS)
    done = list(upload_tree(tree, summary, command, tree.parent / "state"))
    return log.read_text().splitlines() if log.exists() else [], [item.name for item in done if not item.ok]


def test_bundles_first_then_the_index_each_once(tree: Path) -> None:
    lines, failed = run(tree)
    assert failed == []
    assert sorted(lines[:2]) == [f"{name} {IMMUTABLE}" for name in BUNDLES]
    assert sorted(lines[2:]) == [f"{name} {REVALIDATE}" for name in PARTS]
    assert run(tree) == ([], [])
    (tree / "index/0a3.json").write_text("new")
    assert run(tree) == ([f"index/0a3.json {REVALIDATE}"], [])


def test_a_part_waits_for_its_bundles(tree: Path) -> None:
    lines, failed = run(tree, fails=BUNDLES[1])
    assert failed == [BUNDLES[1], "index/0b4.json"]
    assert not any("0b4" in line for line in lines)
    lines, failed = run(tree)
    assert failed == []
    assert [line.split()[0] for line in lines] == [BUNDLES[1], "index/0b4.json"]
