"""One scan of files: what the minimum severity and the baseline leave."""

from __future__ import annotations

import io
import itertools
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from provision.audit.baseline import update_baseline
from provision.audit.scan import ScanProgress
from provision.cli.context import Run
from provision.cli.leaks.audit.baseline import BaselineOptions, replace_baseline
from provision.cli.leaks.audit.scan import Scan, ScanOptions, _progress, scan_machine, verify_found_keys
from provision.errors import UsageError

KEY = "sk-aisa-" + "".join(reversed("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"))
OPTIONS = ScanOptions((Path("src"),), False, None, None, False, None, 1, "low", "low")


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "src").mkdir()
    (tmp_path / "src/leak.py").write_text(f"KEY = '{KEY}'\ndb_password = 'h7Kq9vTz2LmWx4'\n")
    return scan_machine(Run(quiet=True), None, OPTIONS)


def test_the_progress_counts_each_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, clock = io.StringIO(), itertools.count(10)
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    with monkeypatch.context() as slow:
        slow.setattr(time, "monotonic", lambda: float(next(clock)))
        draw, clear = _progress(Run())
        for files in (3, 1200):
            draw(ScanProgress(files=files, bytes=files * 10_000))
        clear()
    assert "files audited 1,200 " in screen.getvalue()
    assert "12 MB" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_findings_below_the_minimum_are_left_out(scan: Scan) -> None:
    everything = scan.audit({}).findings
    assert {f.rule for f in everything} >= {"aisa-key"}
    only = replace(scan, options=replace(OPTIONS, min_severity="critical")).audit({}).findings
    assert [f.rule for f in only] == ["aisa-key"]
    assert len(only) < len(everything)


def test_what_a_baseline_ignores_is_not_fixed(scan: Scan) -> None:
    (known,) = [f for f in scan.audit({}).findings if f.rule == "aisa-key"]
    entries = update_baseline((), [known], date(2026, 6, 1), "a test", None).entries
    ignoring = replace(scan, entries=entries)
    assert len(ignoring.without_baseline().leaks) == len(scan.raw.leaks) - 1
    assert [item.finding.id for item in ignoring.audit({}).ignored] == [known.id]


def test_no_key_means_no_request(scan: Scan, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_found_keys(Run(), None, replace(scan.raw, leaks=())) == {}
    assert "no request is sent" in capsys.readouterr().err


def test_a_baseline_needs_a_file() -> None:
    with pytest.raises(UsageError, match="--update-baseline needs --baseline FILE"):
        replace_baseline(Run(), None, OPTIONS, BaselineOptions(None, "why", None), verify=False)
