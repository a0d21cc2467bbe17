"""The collection's part on the machine: where it finds provision, and what a failed command means."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import stat
from pathlib import Path
from types import ModuleType

import pytest

from provision.push.ansible import COLLECTION


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    path = COLLECTION / "plugins" / "module_utils" / "provision_command.py"
    spec = importlib.util.spec_from_file_location("provision_command", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def error(kind: str, message: str = "m", hint: str = "h") -> str:
    return "a warning\n" + json.dumps({"schema": "provision/error/v1", "error": kind, "message": message, "hint": hint})


@pytest.mark.parametrize(
    ("code", "errors", "cause", "fix"),
    [
        (4, error("ExpiredBundleError"), "bundle-expired", "h"),
        (1, error("SomethingNewError"), "refused", "h"),
        (1, error("FileError", f"x: {os.strerror(errno.ENOSPC)}"), "disk-full", "free disk space"),
        (1, f"OSError: {os.strerror(errno.EROFS)}", "read-only", "mount the home writable"),
        (2, "No such option: --requires", "provision-too-old", "update it"),
        (1, "Traceback\nerror: something broke\nlast", "provision-broken", "update it"),
        (0, "", "provision-broken", "update it"),
    ],
)
def test_a_failed_command_has_a_cause_and_a_fix(
    runner: ModuleType, code: int, errors: str, cause: str, fix: str
) -> None:
    failure = runner.failure_from(code, errors)
    assert failure.cause == cause
    assert failure.fix.startswith(fix)
    assert failure.message


def test_the_message_is_the_error_line(runner: ModuleType) -> None:
    assert "error: something broke" in runner.failure_from(1, "x\nerror: something broke\nlast").message
    assert "last" in runner.failure_from(1, "x\nlast\n").message


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_users_own_provision_comes_first(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(runner, "PLACES", tuple(place for place in runner.PLACES if place.startswith("~")))
    with pytest.raises(runner.StepFailure) as failed:
        runner.find_provision(None)
    assert failed.value.cause == "provision-missing"
    on_path = program(tmp_path / "bin" / "provision", "")
    assert runner.find_provision(None) == str(on_path)
    own = program(tmp_path / ".local" / "bin" / "provision", "")
    assert runner.find_provision(None) == str(own)
    assert runner.find_provision(str(on_path)) == str(on_path)
    with pytest.raises(runner.StepFailure):
        runner.find_provision(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ('echo \'{"schema": "provision/status/v2", "ok": true}\'; exit 10', None),
        ('echo \'{"schema": "provision/status/v2"}\'; exit 4', "provision-broken"),
        ('echo \'{"schema": "other/v1"}\'', "provision-broken"),
        ("echo '[1]'", "provision-broken"),
        ("exec sleep 60", "timeout"),
    ],
)
def test_only_a_document_of_provision_is_a_result(
    runner: ModuleType, tmp_path: Path, script: str, cause: str | None
) -> None:
    params = {"command": str(program(tmp_path / "provision", script)), "timeout": 2}
    if cause is None:
        assert runner.run_provision(params, ["status"])["ok"] is True
        return
    with pytest.raises(runner.StepFailure) as failed:
        runner.run_provision(params, ["status"])
    assert failed.value.cause == cause
