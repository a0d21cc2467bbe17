"""`install` on an enrolled machine, in one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run


def test_a_dry_run_writes_nothing(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", str(bundle), "--dry-run"]) == 0
    assert "would be set" in capsys.readouterr().out
    assert not (tmp_path / "home").exists()


def test_a_second_install_changes_nothing(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for _ in range(2):
        assert run(["--quiet", "install", str(bundle), "-f", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert [document["changed"] for document in found] == [True, False]
    assert "SSH SIGNATURE" in found[0]["receipt"]
    assert (tmp_path / "home/.env").stat().st_mode & 0o777 == 0o600


def test_a_bundle_for_another_user_is_refused(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", str(bundle), "--user", "eve"]) == 1
    assert not (tmp_path / "home").exists()
    assert run(["install", str(bundle), "--requires", "99.0"]) == 1
    assert "at least 99.0 is required" in capsys.readouterr().err
