"""IT's contact on a user's machine: with the bundle it arrives, and it stands beside what says "IT"."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from provision.cli.main import run

CONTACT = "it@corp.example, ext. 4711"


def test_the_contact_travels_with_the_bundle(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def machine(*words: str) -> tuple[int, str]:
        monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
        capsys.readouterr()
        code = run([*words])
        monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
        return code, capsys.readouterr().err

    def render(**settings: str) -> None:
        lines = "".join(f'{name} = "{value}"\n' for name, value in settings.items())
        (fleet / "provision.toml").write_text(lines)
        assert run(["-q", "render", "--force"]) == 0

    home = tmp_path / "home"
    monkeypatch.setenv("HERMES_HOME", str(home))
    render(contact=CONTACT)
    page = (fleet / "dist" / "ada" / "WELCOME.html").read_text()
    assert CONTACT in page
    assert CONTACT in (fleet / "dist" / "ada" / "WELCOME.md").read_text().replace("\\", "")
    missing = machine("install", str(tmp_path / "none"))
    assert "IT:" not in missing[1], "this machine knows no contact yet"
    assert machine("install", str(fleet / "dist" / "ada"), "--dry-run")[0] == 0
    assert not (tmp_path / "machine" / "it-contact").exists()
    assert machine("install", str(fleet / "dist" / "ada"))[0] == 0
    assert not (home / "WELCOME.html").exists()
    code, said = machine("install", str(fleet / "dist" / "ada"), "--user", "bob")
    assert code != 0
    assert f"hint: ask IT for your own bundle (IT: {CONTACT})" in said
    monkeypatch.setenv("PROVISION_ERRORS", "json")
    assert CONTACT in json.loads(machine("install", str(fleet / "dist" / "ada"), "--user", "bob")[1])["hint"]
    monkeypatch.delenv("PROVISION_ERRORS")
    assert f"next: send the lines above to {CONTACT};" in machine("enroll", "--user", "ada")[1]
    (home / "config.yaml").write_text((home / "config.yaml").read_text().replace("api.aisa.one", "evil.example"))
    code, said = machine("status")
    assert code == 10
    assert said.endswith(f"IT: {CONTACT}\n")
    render()
    assert machine("install", str(fleet / "dist" / "ada"))[0] == 0
    assert not (tmp_path / "machine" / "it-contact").exists(), "the newest bundle names none"


def test_a_damaged_contact_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provision.cli.endpoint.contact import it_contact

    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path))
    assert it_contact() == ""
    (tmp_path / "it-contact").write_bytes(b"x" * 5000)
    assert it_contact() == ""
    (tmp_path / "it-contact").write_bytes(b"\x1b[31mIT\xff\n")
    assert "\x1b" not in it_contact()
    (tmp_path / "it-contact").unlink()
    os.mkfifo(tmp_path / "it-contact")
    assert it_contact() == ""
