"""A rotation out of entries: waves, budget, what a bundle must hold meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provision.report.rotation import RotationView, status_html, status_json, status_text
from provision.rotate.journal import RotationJournalError
from provision.rotate.model import Blocker, Grade, RotationKind, RotationUser, Terms, moment, stamp
from provision.rotate.revoke_list import exit_of
from provision.rotate.rotation import Rotation, blocker_entry, event_entries, plan_entries, replay
from provision.rotate.states import Course, RotationEvent, State

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TERMS = Terms("2026-06-01-01", RotationKind.SCHEDULED, "ada@desk", NOW, "0" * 32, max_failures=1)
STEPS = (
    RotationEvent.SEALED,
    RotationEvent.TAKEN,
    RotationEvent.BUILT,
    RotationEvent.HANDED,
    RotationEvent.CONFIRMED,
    RotationEvent.PROMOTED,
)


def people(*waves: int) -> list[RotationUser]:
    return [
        RotationUser(f"user{n}", "team", wave, Course.SCHEDULED, f"fp_new{n}", f"fp_old{n}", State.PLANNED, NOW, NOW)
        for n, wave in enumerate(waves)
    ]


def rotation(*waves: int, events: list[dict[str, Any]] | None = None) -> Rotation:
    entries = [TERMS.entry(3), *plan_entries(people(*waves), TERMS), *(events or [])]
    found = replay(iter(entries), Path("journal"))
    assert found is not None
    return found


def move(found: Rotation, user: str, *events: RotationEvent) -> None:
    for event in events:
        more = {"idle": "yes"} if event is RotationEvent.LISTED else {}
        users: Any = {user: 7} if event is RotationEvent.BUILT else [user]
        for entry in event_entries(event, users, NOW, **more):
            found.apply(entry)


def test_the_next_wave_opens_when_the_one_before_is_installed() -> None:
    found = rotation(0, 1, 2)
    for user in found.people:
        move(found, user, RotationEvent.SEALED)
    assert found.open_wave() == 0
    move(found, "user0", *STEPS[1:5])
    assert found.open_wave() == 0, "confirmed is not current"
    move(found, "user0", RotationEvent.PROMOTED)
    assert found.open_wave() == 1


def test_failures_within_the_budget_open_the_next_wave_and_one_more_blocks() -> None:
    found = rotation(0, 0, 1)
    for user in found.people:
        move(found, user, RotationEvent.SEALED)
    move(found, "user0", *STEPS[1:])
    trouble = Blocker("unconfirmed", "silent", "wake it", Grade.FAILED)
    found.apply(blocker_entry(trouble, ["user1"], NOW))
    assert found.open_wave() == 1
    found.apply(blocker_entry(trouble, ["user2"], NOW))
    assert found.blocked
    assert exit_of([found], ()) == 10
    found.apply({"at": stamp(NOW), "clear": ["user2"]})
    assert not found.blocked


def test_doubts_are_no_failures() -> None:
    found = rotation(0)
    found.apply(blocker_entry(Blocker("gateway-x", "cannot tell", "later", Grade.UNSURE), ["user0"], NOW))
    assert found.failures == 0
    assert exit_of([found], ()) == 4
    entry = blocker_entry(Blocker("gateway-x", "m", "later", Grade.UNSURE), ["user0"], NOW)
    found.apply({**entry, "grade": "cannot tell"})  # as journals before 0.2.0 wrote it
    assert found.people["user0"].trouble == Blocker("gateway-x", "m", "later", Grade.UNSURE)


def test_ahead_is_who_has_another_key_in_the_bundle_than_in_the_vault() -> None:
    found = rotation(0, 0, 0)
    for user in found.people:
        move(found, user, RotationEvent.SEALED)
    move(found, "user0", *STEPS[1:3])
    move(found, "user1", *STEPS[1:])
    assert found.ahead() == {"user0": "fp_new0"}
    move(found, "user0", *STEPS[3:5], RotationEvent.TURNED)
    assert found.people["user0"].target == "fp_old0"
    assert found.ahead() == {}


def test_every_event_clears_what_was_in_the_way() -> None:
    found = rotation(0)
    move(found, "user0", RotationEvent.SEALED)
    found.apply(blocker_entry(Blocker("x", "y", "z", Grade.UNSURE), ["user0"], NOW))
    move(found, "user0", RotationEvent.TAKEN)
    assert found.people["user0"].trouble is None


@pytest.mark.parametrize(
    "entry",
    [
        {"at": stamp(NOW), "event": "listed", "users": ["user0"], "idle": "yes"},
        {"at": stamp(NOW), "event": "sealed", "users": ["nobody"]},
        {"at": stamp(NOW), "event": "sealed"},
        {"at": stamp(NOW), "what": 1},
        {"event": "sealed", "users": []},
        {"plan": "late", "profile": "p", "wave": 0, "old": "a", "new": "b"},
    ],
)
def test_an_entry_that_makes_no_sense_names_its_line(entry: dict[str, Any]) -> None:
    with pytest.raises(RotationJournalError, match="line 4"):
        rotation(0, events=[entry])


def test_a_plan_that_is_not_whole_has_not_begun() -> None:
    entries = [TERMS.entry(3), *plan_entries(people(0, 0), TERMS)]
    found = replay(iter(entries[:-1]), Path("journal"))
    assert found is not None
    assert not found.begun
    assert replay(iter([]), Path("journal")) is None
    with pytest.raises(RotationJournalError):
        replay(iter([entries[0], entries[1], entries[3]]), Path("journal"))


def test_moments_survive() -> None:
    assert moment(stamp(NOW)) == NOW


def test_reports_show_foreign_text_harmlessly() -> None:
    found = rotation(0, 0)
    move(found, "user0", RotationEvent.SEALED)
    trouble = Blocker("deploy-x", "\x1b[2J<script>", "press \u202e", Grade.FAILED)
    found.apply(blocker_entry(trouble, ["user0"], NOW))
    status = RotationView(found, NOW + timedelta(days=2))
    text, page = status_text(status), "".join(status_html([status]))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert page.count("<script") == 2, "the rows and the page's own script"
    assert "&lt;script&gt;" in page
    assert "2 d" in text
    assert '"schema": "provision/rotate-status/v1"' in status_json([status])
