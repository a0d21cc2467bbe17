"""`audit --merge` reads reports of other machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.audit.document import AuditReportError
from provision.audit.result import Audit
from provision.cli.context import Run
from provision.cli.leaks.audit.merge import merge_reports
from provision.cli.leaks.audit.output import OutputOptions
from provision.errors import Exit
from provision.report.audit import as_json
from provision.report.formats import Format


def options(tmp_path: Path) -> OutputOptions:
    return OutputOptions(Format.TABLE, tmp_path / "out", everything=False, exit_zero=False)


def test_clean_reports_are_a_clean_fleet(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).write_text(as_json(Audit(f"{name}-pc", "2026-06-01T12:00:00+00:00", ("/home",), ())))
    files = [tmp_path / "ada", tmp_path / "bob"]
    assert merge_reports(Run(), None, files, options(tmp_path)) is Exit.OK
    text = (tmp_path / "out").read_text()
    assert "ada-pc" in text
    assert text.splitlines()[-1].startswith("2 machines: 0 leaked keys in 0 places")


def test_a_report_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(AuditReportError, match=r"bad\.json: "):
        merge_reports(Run(), None, [tmp_path / "bad.json"], options(tmp_path))
    assert not (tmp_path / "out").exists()
