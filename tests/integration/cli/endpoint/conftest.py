"""Ada's machine, with her bundle rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.main import run


@pytest.fixture
def bundle(fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Ada's bundle; the current user is ada."""
    assert run(["--quiet", "render"]) == 0
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "home"))
    capsys.readouterr()
    return fleet / "dist/ada"
