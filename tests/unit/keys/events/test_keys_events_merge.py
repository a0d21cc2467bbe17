"""Events of another branch, appended once and under their own name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.keys.events.log import Event, EventLogError, append, read_events, verify_log
from provision.keys.events.merge import merge_logs

AT = datetime(2026, 6, 1, tzinfo=UTC)


def event(what: str, who: str = "op@desk") -> Event:
    return Event(AT, who, what)


def words(path: Path) -> list[str]:
    return [each.event.what for each in read_events(path)]


def branches(tmp_path: Path) -> tuple[Path, Path]:
    ours, theirs = tmp_path / "ours.jsonl", tmp_path / "theirs.jsonl"
    append(ours, [event("common")])
    theirs.write_bytes(ours.read_bytes())
    append(ours, [event("ours")])
    append(theirs, [event("theirs", "bob@far")])
    return ours, theirs


def test_only_what_is_new_is_appended_with_its_author_and_old_hash(tmp_path: Path) -> None:
    ours, theirs = branches(tmp_path)
    assert merge_logs(ours, theirs) == 1
    assert words(ours) == ["log begins", "common", "ours", "theirs"]
    last = list(read_events(ours))[-1].event
    assert last.who == "bob@far"
    assert last.detail["merged_from"] == list(read_events(theirs))[-1].sha256
    assert verify_log(ours).faults == ()


def test_merging_again_or_back_appends_nothing_twice(tmp_path: Path) -> None:
    ours, theirs = branches(tmp_path)
    merge_logs(ours, theirs)
    assert merge_logs(ours, theirs) == 0
    assert merge_logs(theirs, ours) == 1
    assert words(theirs) == ["log begins", "common", "theirs", "ours"]


def test_a_damaged_log_of_the_other_side_is_refused(tmp_path: Path) -> None:
    ours, theirs = branches(tmp_path)
    theirs.write_bytes(theirs.read_bytes().replace(b"bob@far", b"eve@far"))
    before = ours.read_bytes()
    with pytest.raises(EventLogError, match="the other log is damaged") as caught:
        merge_logs(ours, theirs)
    assert caught.value.place is not None
    assert caught.value.place.line == 3
    assert ours.read_bytes() == before
