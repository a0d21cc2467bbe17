"""The version of Hermes in commands: what `status --strict`, a profile's range and `require_verified` do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from commandcraft import inside

KEY = "sk-aisa-TEST-ada-0123456789"


class Desk:
    """A workspace, and a machine whose Hermes has a version."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder, self.home = folder, folder / "home"
        script = folder / "opt/bin/hermes"
        (folder / f"opt/lib/python3.11/site-packages/hermes_agent-{version}.dist-info").mkdir(parents=True)
        script.parent.mkdir()
        script.write_text(f"#!{folder}/opt/bin/python3\n")
        script.chmod(0o755)
        self.path = f"{script.parent}:{os.environ['PATH']}"
        self.run("-q", "init", "ws")
        self.run("enroll", "--user", "ada", "--signer", "ws/allowed_signers", "-o", "snippet.yaml", who="ada")
        (user,) = yaml.safe_load((folder / "snippet.yaml").read_text())["users"]
        self.write("inventory.yaml", yaml.safe_dump({"users": [{**user, "profile": "engineering"}]}))
        (folder / "keys.csv").write_text(f"user,key\nada,{KEY}\n")
        self.run("-w", "ws", "keys", "import", "keys.csv")
        self.run("-w", "ws", "render")
        self.run("install", "ws/dist/ada", "--home", self.home, who="ada")

    def run(self, *arguments: object, who: str = "operator", code: int = 0, **more: str) -> str:
        environ = {"PATH": self.path, "HOME": str(self.folder), "PROVISION_CONFIG_DIR": str(self.folder / who)}
        done = inside(*arguments, environ=environ | more, cwd=self.folder)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def write(self, name: str, text: str, *, more: bool = False) -> None:
        path = self.folder / "ws" / name
        path.write_text((path.read_text() if more else "") + text)

    def receive(self) -> None:
        self.run("status", "--home", self.home, "--receipt", "-o", "ada.receipt", who="ada")
        self.run("-w", "ws", "receipts", "import", "ada.receipt")


def test_an_unverified_hermes_is_ok_but_not_strictly(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "0.21.3")
    shown = json.loads(desk.run("status", "--home", desk.home, "-f", "json", who="ada"))
    assert (shown["ok"], shown["state"], shown["hermes_version"]) == (True, "ok-unverified", "0.21.3")
    text = desk.run("status", "--home", desk.home, "--strict", who="ada", code=10)
    assert "ok as far as known: this machine has 0.21.3, the model was verified up to 0.19.0" in text
    known = "as far as known: this machine has 0.21.3, the model was verified up to 0.19.0"
    assert known in desk.run("audit", who="ada", HERMES_HOME=str(desk.home))
    assert "as far as known: the version of Hermes on this machine is unknown" in desk.run(
        "audit", desk.home, who="bob"
    )
    desk.run("audit", "-f", "json", "-o", "ada.json", who="ada", HERMES_HOME=str(desk.home))
    (machine,) = json.loads(desk.run("audit", "--merge", "ada.json", "-f", "json"))["machines"]
    assert [(r["as_expected"], r["why"]) for r in machine["routes"]] == [("yes", known)]
    desk.receive()
    text = desk.run("-w", "ws", "status", "--fleet")
    assert "Hermes: 0.21.3 on 1\n" in text
    assert "1 of 1 user current (1 of them unverified: ok as far as known)" in text
    assert "unverified Hermes: Hermes 0.21.3" in desk.run("-w", "ws", "status", "--fleet", "--strict", code=10)
    desk.write("provision.toml", "require_verified = true\n" + (tmp_path / "ws/provision.toml").read_text())
    document = json.loads(desk.run("-w", "ws", "status", "--fleet", "-f", "json", code=10))
    assert document["users"][0]["standings"] == ["unverified Hermes"]
    assert (document["users"][0]["hermes_verified"], document["hermes_versions"]) == (False, {"0.21.3": 1})


def test_a_verified_hermes_outside_of_the_range_is_listed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "0.18.2")
    desk.run("status", "--home", desk.home, "--strict", who="ada")
    desk.receive()
    assert "1 of 1 user current\n" in desk.run("-w", "ws", "status", "--fleet", "--strict")
    desk.write("profiles/engineering.yaml", 'hermes_version: ">=0.19,<0.23"\n', more=True)
    text = desk.run("-w", "ws", "status", "--fleet", code=10)
    assert "other Hermes version: Hermes 0.18.2" in text
    assert "1 unchanged" in desk.run("-w", "ws", "render")  # the range is the operator's: bundles stay as they are
    assert ">=0.19,<0.23" in desk.run("-w", "ws", "show", "ada")


@pytest.mark.parametrize("range_", ["0.19", ">=zero", "~=0.19"])
def test_an_invalid_range_is_an_error_with_its_place(tmp_path: Path, range_: str) -> None:
    desk = Desk(tmp_path, "0.19.0")
    desk.write("profiles/engineering.yaml", f'hermes_version: "{range_}"\n', more=True)
    text = desk.run("-w", "ws", "check", code=10)
    assert "profiles/engineering.yaml" in text
    assert f"invalid range of versions '{range_}'" in text
