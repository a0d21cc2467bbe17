"""`status`: drift and hijacked routes are findings; a receipt needs an installation."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.cli.context import Run
from provision.cli.endpoint.status import hermes_environment
from provision.cli.main import run


def test_a_drifted_home_is_a_finding(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "install", str(bundle)]) == 0
    assert run(["status"]) == 0
    config = tmp_path / "home/config.yaml"
    config.write_text(config.read_text().replace("https://api.aisa.one", "https://evil.example"))
    capsys.readouterr()
    assert run(["status", "-f", "json"]) == 10
    document = json.loads(capsys.readouterr().out)
    assert document["checks"]["base_url"]["ok"] is False
    assert "evil.example" in document["route"]["url"]


def test_a_receipt_needs_an_installation(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--receipt"]) == 1
    assert "hint: `provision enroll`" in capsys.readouterr().err
    assert run(["--quiet", "install", str(bundle)]) == 0
    capsys.readouterr()
    assert run(["status", "--receipt"]) == 0
    assert '"user": "ada"' in capsys.readouterr().out


def test_a_key_in_the_home_needs_no_other_environment(bundle: Path, tmp_path: Path) -> None:
    assert run(["--quiet", "install", str(bundle)]) == 0
    found = hermes_environment(Run(quiet=True), tmp_path / "home", None, None, None, datetime.now(UTC))
    assert found is os.environ


def test_with_delivery_through_run_the_environment_holds_the_key(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = fleet / "profiles/engineering.yaml"
    profile.write_text(profile.read_text() + "\nsecret_delivery: run\n")
    assert run(["--quiet", "render"]) == 0
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    assert run(["--quiet", "install", str(fleet / "dist/ada"), "--home", str(tmp_path / "home")]) == 0
    capsys.readouterr()
    found = hermes_environment(Run(), tmp_path / "home", None, None, None, datetime.now(UTC))
    assert found["AISA_API_KEY"].startswith("sk-aisa-TEST-ada-")
    assert "AISA_API_KEY" not in os.environ
    captured = capsys.readouterr()
    assert "delivered through `provision run`" in captured.err
    assert "sk-aisa" not in captured.err
