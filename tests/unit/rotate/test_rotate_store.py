"""The folder of rotations: names, what a crash left, and the lock note of another machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.errors import NothingMatchedError, UsageError
from provision.rotate.journal import Journal
from provision.rotate.model import RotationKind, RotationUser, Terms, stamp
from provision.rotate.rotation import event_entries, plan_entries
from provision.rotate.states import Course, RotationEvent, State
from provision.rotate.store import HeldError, RotationStore, busy_with, keys_ahead_of_vault

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RELEASED = (RotationEvent.SEALED, RotationEvent.TAKEN, RotationEvent.BUILT)


def begin(store: RotationStore, name: str, *events: RotationEvent, user: str = "ada", whole: bool = True) -> None:
    terms = Terms(name, RotationKind.SCHEDULED, "op@desk", NOW, "0" * 32)
    member = RotationUser(user, "team", 0, Course.SCHEDULED, "fp_new", "fp_old", State.PLANNED, NOW, NOW)
    entries = [terms.entry(1), *plan_entries([member], terms)]
    store.folder.mkdir(exist_ok=True)
    with Journal(store.path(name)) as journal:
        journal.append(entries if whole else entries[:-1])
        for event in events:
            journal.append(event_entries(event, {user: 7} if event is RotationEvent.BUILT else [user], NOW))


def test_new_names_count_up_within_a_day(tmp_path: Path) -> None:
    store = RotationStore(tmp_path)
    assert store.new_name(NOW) == "2026-06-01-01"
    begin(store, "2026-06-01-01")
    begin(store, "2026-05-31-07")
    assert store.new_name(NOW) == "2026-06-01-02"
    assert store.names() == ["2026-05-31-07", "2026-06-01-01"]


def test_a_rotation_is_chosen_by_id_or_because_it_is_the_only_one(tmp_path: Path) -> None:
    store = RotationStore(tmp_path)
    with pytest.raises(NothingMatchedError, match="no rotation is in progress"):
        store.select(None)
    begin(store, "2026-06-01-01")
    assert store.select(None).id == "2026-06-01-01"
    begin(store, "2026-06-01-02", user="bob")
    with pytest.raises(UsageError, match="2 rotations") as caught:
        store.select(None)
    assert caught.value.hint == "2026-06-01-01, 2026-06-01-02"
    assert store.select("2026-06-01-02").people.keys() == {"bob"}
    with pytest.raises(NothingMatchedError, match="'2026-06-01-03'"):
        store.select("2026-06-01-03")


def test_a_crash_leaves_no_torn_line_and_no_incomplete_plan(tmp_path: Path) -> None:
    store = RotationStore(tmp_path)
    begin(store, "2026-06-01-01")
    begin(store, "2026-06-01-02", whole=False)
    path = store.path("2026-06-01-01")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at": "2026-')
    store.clean_up()
    assert store.names() == ["2026-06-01-01"]
    assert path.read_bytes() == whole


def test_users_in_progress_and_their_released_keys(tmp_path: Path) -> None:
    store = RotationStore(tmp_path)
    begin(store, "2026-06-01-01", *RELEASED)
    begin(store, "2026-06-01-02", RotationEvent.SEALED, user="bob")
    assert busy_with(list(store.unfinished())) == {"ada": "2026-06-01-01", "bob": "2026-06-01-02"}
    assert keys_ahead_of_vault(tmp_path) == {"ada": "fp_new"}


def test_a_note_of_another_machine_stays_until_it_is_taken_over(tmp_path: Path) -> None:
    store = RotationStore(tmp_path)
    with store.locked("rotate start", NOW) as remark:
        assert remark == ""
    note = tmp_path / ".provision" / "rotate.owner"
    assert not note.exists()
    left = {"who": "eve", "host": "far-away", "pid": 7, "doing": "rotate start", "since": stamp(NOW)}
    note.write_text(json.dumps(left))
    with pytest.raises(HeldError, match="eve@far-away") as caught, store.locked("rotate resume", NOW):
        pass
    assert "--take-over" in caught.value.hint
    assert note.exists()
    with store.locked("rotate resume", NOW, take_over=True) as remark:
        assert "eve@far-away" in remark
        assert json.loads(note.read_text())["doing"] == "rotate resume"
