"""`receipts`: only what an enrolled machine signed is stored and counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run


@pytest.fixture
def receipt(fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The receipt of ada's machine, on which the bundle is installed."""
    assert run(["--quiet", "render"]) == 0
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    capsys.readouterr()
    assert run(["--quiet", "install", str(fleet / "dist/ada"), "--home", str(tmp_path / "home"), "-f", "json"]) == 0
    path = tmp_path / "ada.receipt"
    path.write_text(json.loads(capsys.readouterr().out)["receipt"])
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    return path


def test_a_fleet_is_current_when_its_receipts_are(
    receipt: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--fleet"]) == 10
    assert "never heard" in capsys.readouterr().out
    assert run(["receipts", "import", str(receipt)]) == 0
    assert capsys.readouterr().out.endswith("1 imported\n")
    assert run(["status", "--fleet"]) == 0
    assert capsys.readouterr().out.endswith("1 of 1 user current\n")
    assert run(["receipts", "import", str(receipt)]) == 0
    assert capsys.readouterr().out == "1 unchanged\n"


def test_an_altered_receipt_is_refused(receipt: Path, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipt.write_text(receipt.read_text().replace('"as_expected": "', '"as_expected":  "'))
    assert run(["receipts", "import", str(receipt), "-f", "json"]) == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out)["summary"] == {"refused": 1}
    assert "refused" in captured.err
    assert not (fleet / "receipts/ada.receipt").exists()


def test_a_stored_receipt_is_verified_again(receipt: Path, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["receipts", "import", str(receipt)]) == 0
    assert run(["receipts", "list", "-f", "json"]) == 0
    capsys.readouterr()
    stored = fleet / "receipts/ada.receipt"
    stored.write_text(stored.read_text().replace("ada", "eve", 1))
    assert run(["receipts", "list", "-f", "json"]) == 4
    (row,) = json.loads(capsys.readouterr().out)["receipts"]
    assert row["error"].startswith("not believed: ")
    assert run(["status", "--fleet"]) == 10
    assert "not believed" in capsys.readouterr().out
