"""What the loop says: one line if nothing changed, groups otherwise, exit codes; and what its record is worth."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.reconcile.loop import LoopReport, StepDone
from provision.reconcile.record import FeedRecord, LoopRecord, digest_of, index_digest, read_record, write_record


def _step(**items: int) -> StepDone:
    step = StepDone("bundles", 812, counts_users=True)
    for what, count in items.items():
        for n in range(count):
            step.note(what, f"user-{n}: {what}")
    return step


def test_one_line_when_nothing_changed() -> None:
    report = LoopReport([_step(), StepDone("gateway", 812)])
    assert list(report.lines()) == ["nothing changed: 0 added, 0 changed, 0 removed, 0 failed, 812 unchanged"]


def test_groups_and_a_summary_otherwise() -> None:
    report = LoopReport([_step(added=3, changed=1, removed=2), StepDone("gateway")], due=["1 key is 91 days old"])
    lines = list(report.lines())
    assert lines[:2] == ["bundles:", "  + user-0: added"]
    assert lines[-3:-1] == ["due:", "  * 1 key is 91 days old"]
    assert lines[-1] == "3 added, 1 changed, 2 removed, 0 failed, 812 unchanged"


def test_long_groups_are_cut_and_say_so() -> None:
    lines = list(LoopReport([_step(changed=25)], dry_run=True).lines())
    assert lines[11] == "  ~ … and 15 more changed: --format json lists them"
    assert lines[-1].startswith("dry run: ")
    assert len(LoopReport([_step(changed=25)]).fields()["steps"][0]["changed"]) == 25


@pytest.mark.parametrize(
    ("items", "plain", "detailed"),
    [({}, 0, 0), ({"changed": 1}, 0, 10), ({"added": 1, "failed": 1}, 4, 4), ({"waiting": 1}, 0, 0), ({"failed": 1}, 4, 4)],
)  # fmt: skip
def test_exit_codes(items: dict[str, int], plain: int, detailed: int) -> None:
    report = LoopReport([_step(**items)])
    assert (report.exit_code(detailed=False), report.exit_code(detailed=True)) == (plain, detailed)


ODD_NUMBERS = (b'{"schema": "provision/reconciled/v1", "validated": {"a": 1e999}, "feeds": {}}', b"[" * 100_000)


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "reconciled.json"
    record = LoopRecord({"ada": 7}, {"/feed": FeedRecord("a", "b", "2026-01-01T00:00:00+00:00")})
    write_record(path, record)
    assert read_record(path) == record
    for damage in (b"", b"{", b"[]", b'{"schema": "provision/reconciled/v1"}', b'{"schema": "other"}', *ODD_NUMBERS):
        path.write_bytes(damage)
        assert read_record(path) == LoopRecord()


def test_a_feed_holds_while_nothing_differs_and_no_part_is_due(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "0aa.json").write_text("x")
    inputs, index = digest_of(["a", "bc"]), index_digest(tmp_path)
    known = FeedRecord(inputs, index, datetime(2026, 1, 2, tzinfo=UTC).isoformat())
    assert known.still_holds(inputs, index, now)
    assert not known.still_holds(digest_of(["ab", "c"]), index, now)
    assert not known.still_holds(inputs, index, datetime(2026, 1, 3, tzinfo=UTC))
    (tmp_path / "index" / "0aa.json").write_text("y")
    assert not known.still_holds(inputs, index_digest(tmp_path), now)
    assert index_digest(tmp_path / "none") == ""


def test_a_name_of_a_file_in_a_drop_folder_cannot_act_on_the_terminal() -> None:
    step = StepDone("receipts")
    step.note("failed", "drop/new\nline\x1b]0;title\x07.receipt: not a receipt")
    report = LoopReport([step], due=["\x1b[2J"])
    assert [line for line in report.lines() if not line.isprintable()] == []
    assert "  ! drop/new\\x0aline\\x1b]0;title\\x07.receipt: not a receipt" in report.lines()
