"""`run`: only a bundle for `run` is decrypted, and the command replaces this process."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from provision.cli.main import run


def test_run_needs_a_bundle_for_run(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--", "true"]) == 1
    assert run(["--quiet", "install", str(bundle)]) == 0
    assert run(["run", "--", "true"]) == 1  # the key is in the home's .env already
    assert "hint: " in capsys.readouterr().err


def test_the_command_gets_the_key_and_not_what_would_hijack_it(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = fleet / "profiles/engineering.yaml"
    profile.write_text(profile.read_text() + "\nsecret_delivery: run\n")
    assert run(["--quiet", "render"]) == 0
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    assert run(["--quiet", "install", str(fleet / "dist/ada"), "--home", str(tmp_path / "home")]) == 0
    monkeypatch.setenv("CUSTOM_BASE_URL", "https://evil.example/v1")
    executed: list[tuple[list[str], dict[str, str]]] = []

    def execute(words: list[str], environ: dict[str, str]) -> NoReturn:
        executed.append((words, environ))
        raise SystemExit(7)

    monkeypatch.setattr("provision.endpoint.run.execute_command", execute)
    with pytest.raises(SystemExit):
        run(["run", "--home", str(tmp_path / "home"), "--", "hermes", "--help"])
    ((words, environ),) = executed
    assert words == ["hermes", "--help"]  # not an option of ours
    assert environ["AISA_API_KEY"].startswith("sk-aisa-TEST-ada-")
    assert "CUSTOM_BASE_URL" not in environ
    assert "removed CUSTOM_BASE_URL" in capsys.readouterr().err
