"""What is told, what is told only once, and what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provision.fleet.notify_target import NotifyEvent, NotifyTarget
from provision.notify.notice import SentRecord, expiring_notices, notices_of, read_sent, write_sent
from provision.report.attention import Attention, AttentionCause

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SLACK = NotifyTarget(kind="slack", url_from="env:SLACK")
ALL = frozenset(NotifyEvent)
TOLD = {
    AttentionCause.LEAKED: "leaked",
    AttentionCause.HALTED: "halted",
    AttentionCause.OVERDUE: "overdue",
    AttentionCause.SILENT: "silent",
    AttentionCause.NEVER: "silent",
    AttentionCause.EXPIRED: "expiring",
}


@pytest.mark.parametrize("cause", list(AttentionCause))
def test_which_causes_are_told(cause: AttentionCause) -> None:
    found = [each.event.value for each in notices_of([Attention(cause, "ada", "x")])]
    assert found == ([TOLD[cause]] if cause in TOLD else [])


def test_no_key_is_in_a_notice() -> None:
    key = "sk-aisa-" + "Ab3dE6gH" * 5
    (found,) = notices_of([Attention(AttentionCause.LEAKED, "", f"{key} in notes.txt")])
    assert key not in repr(found)
    assert "notes.txt" in found.detail


def notices(*named: tuple[AttentionCause, str, str]) -> list:  # type: ignore[type-arg]
    return list(notices_of(Attention(*each) for each in named))


def test_a_thing_is_told_once_and_again_after_a_week() -> None:
    record = SentRecord()
    found = notices((AttentionCause.OVERDUE, "ada", "91 days old"))
    assert record.due(SLACK, found, NOW) == found
    record.keep(SLACK, found, NOW)
    older = notices((AttentionCause.OVERDUE, "ada", "92 days old"))
    assert record.due(SLACK, older, NOW + timedelta(days=1)) == [], "it is the same key, one day older"
    record.forget(older, ALL, NOW + timedelta(days=8))
    assert record.due(SLACK, older, NOW + timedelta(days=8)) == older


def test_what_is_over_is_told_again_when_it_comes_back() -> None:
    record = SentRecord()
    halted = notices((AttentionCause.HALTED, "", "2026-06-01-01: 3 failed, 0 allowed"))
    record.keep(SLACK, halted, NOW)
    record.forget([], {NotifyEvent.LEAKED}, NOW)
    assert record.due(SLACK, halted, NOW) == [], "nobody looked at rotations"
    record.forget([], {NotifyEvent.HALTED}, NOW)
    assert record.due(SLACK, halted, NOW) == halted


def test_another_place_of_a_leaked_key_is_another_thing_and_doubles_are_one() -> None:
    record, leak = SentRecord(), AttentionCause.LEAKED
    first = notices((leak, "ada", "in .bashrc"), (leak, "ada", "in .bashrc"))
    assert len(record.due(SLACK, first, NOW)) == 1
    record.keep(SLACK, first, NOW)
    both = notices((leak, "ada", "in .bashrc"), (leak, "ada", "in notes.txt"))
    assert record.due(SLACK, both, NOW) == both[1:]


def test_a_target_gets_its_events_only_and_a_clock_that_was_ahead_silences_nothing() -> None:
    only = NotifyTarget(kind="slack", url_from="env:OTHER", events=("silent",))
    found = notices((AttentionCause.SILENT, "ada", ""), (AttentionCause.OVERDUE, "bob", ""))
    record = SentRecord()
    assert [each.subject for each in record.due(only, found, NOW)] == ["ada"]
    record.keep(SLACK, found, NOW + timedelta(days=400))
    assert record.due(SLACK, found, NOW) == found


def test_bundles_that_expire_soon() -> None:
    ends = [
        ("ada", "2026-06-14T00:00:00Z"),
        ("bob", "2026-06-16T00:00:00Z"),
        ("eve", ""),
        ("mia", "2026-05-01T00:00:00Z"),
    ]
    assert [each.subject for each in expiring_notices(ends, NOW)] == ["ada", "mia"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema": "x"}', b'{"schema": "provision/notified/v1"}'])
def test_a_damaged_record_is_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    record = SentRecord()
    record.keep(SLACK, notices((AttentionCause.SILENT, "ada", "")), NOW)
    write_sent(tmp_path, record)
    assert read_sent(tmp_path) == record
    assert b"ada" not in (tmp_path / ".provision" / "notified.json").read_bytes()
    (tmp_path / ".provision" / "notified.json").write_bytes(damage)
    assert read_sent(tmp_path) == SentRecord()
