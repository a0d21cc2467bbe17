"""How places in a git history are named, and which tips count. (Real repositories: integration tests.)"""

from __future__ import annotations

from pathlib import Path

import pytest
from leakcraft import match
from sourcescraft import a_key

from provision.audit.sources.git import _once, _Origin, _tips, _where, printable_path
from provision.audit.sources.git_part import GitObject
from provision.containers.blob import MatchPosition
from provision.detect.secret import Secret

BLOB = GitObject(b"b" * 40, b"blob")
ORIGIN = _Origin(5, b"c" * 40, b"conf/a.env")
COMMIT = GitObject(b"c" * 40, b"commit")


@pytest.mark.parametrize(
    ("held", "origin", "named", "expected"),
    [
        (BLOB, ORIGIN, {b"c" * 40}, "commit cccccccccc:conf/a.env"),
        (BLOB, ORIGIN, set(), "commit cccccccccc:conf/a.env (in no branch or tag)"),
        (BLOB, ORIGIN, None, "commit cccccccccc:conf/a.env"),
        (BLOB, None, set(), "blob bbbbbbbbbb, in no commit"),
        (COMMIT, _Origin(5, b"c" * 40, b""), None, "commit cccccccccc:(message)"),
        (COMMIT, None, None, "commit cccccccccc"),
        (GitObject(b"d" * 40, b"tag"), None, None, "tag dddddddddd"),
    ],
)
def test_where(held: GitObject, origin: _Origin | None, named: set[bytes] | None, expected: str) -> None:
    assert _where(held, origin, named) == expected


def test_paths_show_nothing_invisible_and_no_secret() -> None:
    key = a_key()
    assert printable_path(b"a\x1b[31m\nb\xff") == "a?[31m?b\ufffd"
    assert key not in printable_path(f"keys/{key}/x".encode())


def test_each_secret_is_reported_once_with_its_line() -> None:
    data = b"one\n  abc abc def\n"
    wanted = {Secret("abc")}
    assert _once(wanted, data, None, match("abc", start=6)) == MatchPosition(None, 2, 3)
    assert _once(wanted, data, None, match("abc", start=10)) is None
    assert _once({Secret("abc")}, b"\0" + data, None, match("abc", start=7)) == MatchPosition()
    assert _once({Secret("abc")}, data, None, match("def", start=14)) is None


def test_tips_are_heads_branches_and_tags_but_not_the_stash(tmp_path: Path) -> None:
    one, two, three, four, five = (character * 40 for character in "12345")
    (tmp_path / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "worktrees" / "w").mkdir(parents=True)
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "refs" / "heads" / "main").write_text(one + "\n")
    (tmp_path / "refs" / "stash").write_text(two + "\n")
    (tmp_path / "worktrees" / "w" / "HEAD").write_text(three + "\n")
    (tmp_path / "packed-refs").write_text(f"# pack-refs with: peeled\n{four} refs/tags/v1\n{five} refs/stash\n")
    assert set(_tips(tmp_path)) == {text.encode() for text in (one, three, four)}
