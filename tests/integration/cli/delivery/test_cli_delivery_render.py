"""`render` on a workspace with one enrolled user."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from provision.bundle.render import RenderOutcome, RenderStatus
from provision.cli.context import Run
from provision.cli.delivery.render import _progress
from provision.cli.main import run


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_second_render_changes_nothing(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "-f", "json"]) == 0
    assert result(capsys)["summary"] == {"new": 1}
    before = (fleet / "dist/ada/manifest.json").read_bytes()
    assert run(["render"]) == 0
    assert capsys.readouterr().out == "1 unchanged\n"
    assert (fleet / "dist/ada/manifest.json").read_bytes() == before


def test_force_rebuilds_and_the_event_log_names_a_key_once(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["render"], ["render", "--force"]):
        assert run(["--quiet", *arguments]) == 0
    assert capsys.readouterr().out.endswith("1 renewed\n")
    assert run(["--quiet", "keys", "log", "-f", "json"]) == 0
    events = [event["what"] for event in result(capsys)["events"]]  # type: ignore[attr-defined]
    assert events.count("key rendered") == 1


def test_the_progress_is_removed_before_an_error_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)

    def stopped() -> None:
        with _progress(Run()) as step:
            step(1, 2, RenderOutcome("ada", RenderStatus.NEW))
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        stopped()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_user_without_a_key_fails_alone(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (fleet / "inventory.yaml").read_text()
    entry = text.partition("users:\n")[2].replace('"ada"', '"bob"')
    (fleet / "inventory.yaml").write_text(text + "".join(x for x in entry.splitlines(True) if "endpoint_key" not in x))
    assert run(["render", "-f", "json"]) == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out)["summary"] == {"failed": 1, "new": 1}
    assert "\nbob: " in captured.err
    assert run(["--quiet", "render", "--limit", "zoe"]) == 3
