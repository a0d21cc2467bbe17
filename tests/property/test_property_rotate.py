"""Rotations that went anywhere: whatever is cut off a journal's end, what is left is a rotation that can go on."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.rotate.journal import Journal, drop_torn_line, read_entries
from provision.rotate.model import RotationKind, RotationUser, Terms
from provision.rotate.rotation import Rotation, event_entries, plan_entries, replay
from provision.rotate.states import TRANSITIONS, Course, RotationEvent, State

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def walked(seed: int, users: int, steps: int) -> list[dict[str, Any]]:
    """The entries of a rotation in which everything that may happen happens, by chance."""
    chance = random.Random(seed)
    kind = chance.choice(list(RotationKind))
    terms = Terms("2026-06-01-01", kind, "ada@desk", NOW, "0" * 32)
    course, state = (Course.LEAK, State.EXPOSED) if kind is RotationKind.LEAK else (Course.SCHEDULED, State.PLANNED)
    people = [RotationUser(f"u{n}", "p", n % 2, course, f"new{n}", f"old{n}", state, NOW, NOW) for n in range(users)]
    entries = [terms.entry(1), *plan_entries(people, terms)]
    rotation = replay(iter(entries), Path("journal"))
    assert rotation is not None
    for step in range(steps):
        person = chance.choice(list(rotation.people.values()))
        possible = [event for (at, event) in TRANSITIONS[course] if at is person.state]
        if not possible:
            continue
        event = chance.choice(possible)
        more = {"idle": "yes", "reason": "why", "cause": "c", "message": "m", "cure": "d"}
        named: Any = {person.user: 5} if event in {RotationEvent.BUILT, RotationEvent.SUPPLIED} else [person.user]
        for entry in event_entries(event, named, NOW + timedelta(seconds=step), **more):
            entries.append(entry)
            rotation.apply(entry)
    return entries


def told(rotation: Rotation | None) -> list[tuple[str, State, str, str]]:
    assert rotation is not None
    return [(p.user, p.state, p.target, p.other) for p in rotation.people.values()]


@given(seed=st.integers(0, 2**32), cut=st.floats(0, 1))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_journal_that_is_cut_anywhere_is_a_shorter_one(tmp_path: Path, seed: int, cut: float) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    entries = walked(seed, users=4, steps=40)
    with Journal(path) as journal:
        journal.append(entries)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    lines = path.read_bytes().count(b"\n")
    before = replay(read_entries(path), path)
    drop_torn_line(path)
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:lines])
    after = replay(read_entries(path), path)
    if before is None or after is None:
        assert lines == 0
        return
    assert told(before) == told(after) == told(replay(iter(entries[:lines]), path))
    with Journal(path) as journal:
        journal.append(entries[lines:])
    assert path.read_bytes() == whole
