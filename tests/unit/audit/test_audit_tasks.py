"""One unit of work of a scan."""

from __future__ import annotations

from pathlib import Path

import pytest
from leakcraft import LiteralDetector, literal

from provision.audit import tasks
from provision.audit.finding import RawFinding
from provision.audit.sources.processes import FoundProcess
from provision.audit.sources.walk import FoundFile
from provision.audit.tasks import Scanner, task_path
from provision.containers.blob import Blob, ReadLimits, Unreadable


@pytest.mark.hostile
def test_a_parser_that_fails_is_reported_after_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(task: object, limits: ReadLimits, watch: None):  # type: ignore[no-untyped-def]
        yield Blob("f", literal(1))
        raise RecursionError(literal(2).decode())

    monkeypatch.setattr(tasks, "read_task", hostile)
    found = list(Scanner(LiteralDetector(), ReadLimits()).scan(FoundFile("f", 1)))  # type: ignore[arg-type]
    assert isinstance(found[0], RawFinding)
    assert found[1:] == [Unreadable("f", "not scanned to its end (RecursionError)")], "the message quotes no content"


def test_a_link_is_followed_only_when_the_caller_named_it(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(literal(1))
    (tmp_path / "link").symlink_to("target")
    path = str(tmp_path / "link")
    for named, expected in ((True, RawFinding), (False, Unreadable)):
        (found,) = Scanner(LiteralDetector(), ReadLimits()).scan(FoundFile(path, 1, named))  # type: ignore[arg-type]
        assert isinstance(found, expected)


def test_names_in_reports() -> None:
    assert task_path(FoundProcess(12)) == "/proc/12"
    assert task_path(FoundFile("a/b", 1)) == "a/b"
