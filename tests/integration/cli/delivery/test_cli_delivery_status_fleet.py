"""`status --fleet`: what it says of a fleet that never reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.context import Run
from provision.cli.delivery.status_fleet import fleet_status
from provision.cli.main import run
from provision.errors import UsageError
from provision.report.formats import Format


def test_a_silent_fleet_is_not_current(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet_status(Run(), None, "7d", Format.JSON, None) is False
    (user,) = json.loads(capsys.readouterr().out)["users"]
    assert user["standings"] == ["never heard", "not rendered"]


def test_a_wrong_age_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match="invalid duration 'soon' for --silent-after"):
        fleet_status(Run(), None, "soon", Format.TABLE, None)


def test_the_fleet_is_not_about_one_machine(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--fleet", "--hermes"]) == 2
    assert run(["status", "--limit", "ada"]) == 2
    assert run(["status", "--fleet", "--silent-after", "0d"]) == 2
    assert "invalid duration '0d' for --silent-after" in capsys.readouterr().err
