"""A receipt that cannot be signed is a remark: the install itself has succeeded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.cli.context import Run
from provision.cli.endpoint.receipt import sign_receipt
from provision.cli.main import run

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_nothing_installed_is_not_signed(tmp_path: Path) -> None:
    assert sign_receipt(Run(), tmp_path, None, None, (), NOW) is None
    assert list(tmp_path.iterdir()) == []


def test_without_an_endpoint_key_the_install_succeeds(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--quiet", "render"]) == 0
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    (tmp_path / "machine/endpoint_key").unlink()
    capsys.readouterr()
    assert run(["--verbose", "install", str(fleet / "dist/ada"), "--home", str(tmp_path / "home")]) == 0
    assert "provision enroll" in capsys.readouterr().err
    assert not (tmp_path / "home/.provision/receipt.json").exists()
