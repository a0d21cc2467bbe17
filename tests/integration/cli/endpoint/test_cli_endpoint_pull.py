"""`pull`: what it refuses before it connects, and the arguments that its timer repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.endpoint.pull_timer import pull_arguments
from provision.cli.main import run

ADDRESS = "https://feed.example.com/hermes/e/" + "a" * 32


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "machine"


def test_the_timer_gets_absolute_paths(tmp_path: Path) -> None:
    options = {"--home": Path("hermes"), "--identity": None, "--user": "ada"}
    assert pull_arguments(options) == ("--home", str(tmp_path / "hermes"), "--user", "ada")


def test_without_an_address_there_is_nothing_to_pull(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pull"]) == 1
    assert "no feed address is known here" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["http://feed.example.com/e/" + "a" * 32, "https://feed.example.com/", "nonsense"])
def test_unsafe_addresses_are_refused(address: str, machine: Path) -> None:
    assert run(["pull", address]) != 0
    assert not machine.exists()


def test_timer_files_are_written_for_any_platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pull", "--timer-dir", "timer", "--platform", "macos", "--every", "2h"]) == 0
    captured = capsys.readouterr()
    (path,) = (tmp_path / "timer").iterdir()
    assert captured.out == f"timer/{path.name}\n"
    assert "<integer>7200</integer>" in path.read_text()
    assert "to switch the timer on: launchctl" in captured.err


def test_the_environment_of_the_timer_holds_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:hunter2@proxy:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/firm.pem")
    monkeypatch.setenv("PROVISION_TLS_BUNDLE", "own-ca.pem")
    assert run(["--quiet", "pull", "--timer-dir", "timer", "--platform", "linux"]) == 0
    text = "".join(path.read_text() for path in (tmp_path / "timer").iterdir())
    assert "hunter2" not in text
    assert "/etc/ssl/firm.pem" in text
    assert f"PROVISION_TLS_BUNDLE={Path.cwd() / 'own-ca.pem'}" in text, "the timer runs in another folder"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--platform", "macos"], "--platform needs --timer-dir"),
        (["--timer-dir", "timer", "--every", "soon"], "invalid duration 'soon' for --every"),
        ([ADDRESS, "--upload-receipt", "no placeholder"], "--upload-receipt"),
    ],
)
def test_wrong_options_write_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["pull", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
