"""`enroll`: keys are created once, and only public halves are printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run
from provision.keys.age import generate_identity


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "machine"


def test_a_second_enrolment_keeps_the_keys(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for _ in range(2):
        assert run(["enroll", "--user", "ada", "-f", "json"]) == 0
        captured = capsys.readouterr()
        found.append(json.loads(captured.out))
    assert found[0]["made"] == ["identity.txt", "endpoint_key"]
    assert found[1]["made"] == []
    assert found[0]["recipients"] == found[1]["recipients"]
    assert "no signer is trusted yet" in captured.err


def test_private_halves_are_not_printed(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--verbose", "enroll", "--user", "ada"]) == 0
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert "AGE-SECRET-KEY" not in text
        assert "PRIVATE KEY" not in text
    assert 'id: "ada"' in captured.out
    assert (machine / "identity.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("user", ["Ada", "a b", "../x", "con"])
def test_invalid_ids_create_nothing(machine: Path, user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enroll", "--user", user]) == 2
    assert "hint: " in capsys.readouterr().err
    assert not machine.exists()


def test_a_signer_that_is_not_a_key_creates_nothing(machine: Path) -> None:
    assert run(["enroll", "--signer", generate_identity()[1]]) == 1
    assert not machine.exists()


@pytest.mark.parametrize("option", ["--yes", "--replace", "--snippet", "--profile=team", "--fingerprints=x"])
def test_options_of_the_batch(machine: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enroll", option]) == 2
    assert "need --batch" in capsys.readouterr().err
    assert not machine.exists()
