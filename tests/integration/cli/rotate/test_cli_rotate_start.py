"""`provision rotate start`: its terms, and the confirmation."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provision.cli.context import Run
from provision.cli.rotate.start import _confirm, _terms
from provision.errors import UsageError
from provision.rotate.model import RotationUser, Terms
from provision.rotate.planning import RotationPlan
from provision.rotate.states import Course, State

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def terms(probe: str = "models", within: str = "2d", idle: str = "90m", waves: str = "1,100%") -> Terms:
    context = SimpleNamespace(
        clock=lambda: NOW,
        store=SimpleNamespace(new_name=lambda now: f"{now:%Y-%m-%d}-01"),
        who="ada@desk",
        vault=SimpleNamespace(vault_id="0" * 32, workspace_id="0" * 32),
    )
    return _terms(cast(Any, context), waves, 2, probe, (within, idle), deploy=True)


def test_terms_in_seconds() -> None:
    found = terms()
    assert (found.id, found.at, found.max_failures, found.deploy) == ("2026-06-01-01", NOW, 2, True)
    assert (found.confirm_within_s, found.idle_for_s) == (2 * 86400, 90 * 60)
    assert (found.probes, found.waves) == (("key", "models"), ("1", "100%"))
    assert terms(within="0", idle="0").idle_for_s == 0, "0 means: do not wait"


def test_invalid_terms_name_their_option() -> None:
    with pytest.raises(UsageError, match="'soon' for --idle-for"):
        terms(idle="soon")
    with pytest.raises(UsageError, match="'0d' for --confirm-within"):
        terms(within="0d")


def plan() -> RotationPlan:
    user = RotationUser("ada", "team", 0, Course.SCHEDULED, "fp_new", "fp_old", State.PLANNED, NOW, NOW)
    return RotationPlan([user], [])


def test_without_a_terminal_a_rotation_needs_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError) as error:
        _confirm(Run(), plan(), terms(), yes=False)
    assert error.value.message == "not confirmed: this would rotate 1 key"
    with pytest.raises(UsageError, match="1 key, with 1 paid call of a few tokens each"):
        _confirm(Run(), plan(), terms(probe="chat"), yes=False)
    capsys.readouterr()
    _confirm(Run(), plan(), terms(), yes=True)
    assert "ada" in capsys.readouterr().err, "the plan is shown also when it is confirmed before"
