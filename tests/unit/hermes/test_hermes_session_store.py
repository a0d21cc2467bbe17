"""What conversations of the messaging gateway keep: read without a change, and reset without a loss."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from provision.files import FileProblemError
from provision.hermes.session_store import read_session_choices, reset_session_choices

X = "https://x.example/v1"


def entry(**choice: str) -> dict[str, object]:
    return {"session_id": "s1", "origin": {"text": "ü"}, **({"model_override": choice} if choice else {})}


def database(home: Path, **entries: dict[str, object]) -> Path:
    path = home / "state.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE gateway_routing (scope TEXT, session_key TEXT, entry_json TEXT, updated_at REAL)")
        rows = [("s", key, json.dumps(value), 1.0) for key, value in entries.items()]
        made.executemany("INSERT INTO gateway_routing VALUES (?, ?, ?, ?)", rows)
    made.close()
    return path


def listing(home: Path, **entries: object) -> Path:
    path = home / "sessions" / "sessions.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"_README": "a note", **entries}, indent=2))
    return path


def test_rows_count_before_the_file(tmp_path: Path) -> None:
    database(tmp_path, a=entry(provider="custom:aisa", base_url=X), b=entry(), c=entry(model="m"))
    listing(tmp_path, a=entry(provider="old"), d=entry(provider="custom:mine"), e=7)
    found = {c.conversation: (c.provider, c.base_url) for c in read_session_choices(tmp_path)}
    assert found == {"a": ("custom:aisa", X), "d": ("custom:mine", "")}
    assert X not in repr(read_session_choices(tmp_path))


@pytest.mark.parametrize("content", [b"", b"not a database", None])
def test_a_database_that_cannot_be_read_is_unknown(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "state.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    found = read_session_choices(tmp_path)
    assert [bool(c.unread) for c in found] == ([] if content == b"" else [True]), found


def test_nothing_is_made_by_reading(tmp_path: Path) -> None:
    database(tmp_path, a=entry(provider="x"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(read_session_choices(tmp_path)) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert read_session_choices(tmp_path / "missing") == ()


def test_a_reset_takes_the_choice_only(tmp_path: Path) -> None:
    path = database(tmp_path, a=entry(base_url=X), b=entry(base_url=X, model="m"))
    file = listing(tmp_path, a=entry(base_url=X), c=entry(base_url=X))
    reset_session_choices(tmp_path, ["a", "c", "unknown"])
    assert [c.conversation for c in read_session_choices(tmp_path)] == ["b"]
    with sqlite3.connect(path) as made:
        rows = dict(made.execute("SELECT session_key, entry_json FROM gateway_routing"))
    made.close()
    assert {key: json.loads(text) for key, text in rows.items()} == {"a": entry(), "b": entry(base_url=X, model="m")}
    assert file.read_text() == json.dumps({"_README": "a note", "a": entry(), "c": entry()}, indent=2)
    reset_session_choices(tmp_path, ["a", "c"])


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    database(tmp_path / "there", a=entry(base_url=X))
    (tmp_path / "state.db").symlink_to(tmp_path / "there" / "state.db")
    with pytest.raises(FileProblemError, match="symbolic link"):
        reset_session_choices(tmp_path, ["a"])
    assert [c.base_url for c in read_session_choices(tmp_path)] == [X]
