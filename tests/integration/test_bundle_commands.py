"""render, diff, enroll, install, status and run as a user types them: output, exit codes, pipes, and the secrets that stay in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from commandcraft import PROVISION, Command, apart, inside

KEY = "sk-aisa-TEST-ada-0123456789"


class Machine:
    """An operator's workspace and one endpoint, in one folder, driven through the command line."""

    command: Command = staticmethod(inside)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"

    def run(self, *arguments: object, who: str = "operator", code: int = 0, **environ: str) -> str:
        done = self.command(*arguments, environ=self._environ(who, environ), cwd=self.folder)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert KEY not in done.stdout + done.stderr
        self.err = done.stderr
        return done.stdout

    def start(self, *arguments: object, who: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROVISION, *map(str, arguments)],
            env=self._environ(who, environ),
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _environ(self, who: str, more: Mapping[str, str]) -> dict[str, str]:
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PROVISION_CONFIG_DIR": str(self.folder / who)}
        return {**base, **more}

    def inventory(self, **more: object) -> None:
        snippet = yaml.safe_load((self.folder / "snippet.yaml").read_text())
        user = {**snippet["users"][0], "profile": "engineering", **more}
        (self.folder / "ws" / "inventory.yaml").write_text(yaml.safe_dump({"users": [user]}))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    m = Machine(tmp_path)
    m.run("-q", "init", "ws")
    m.run("enroll", "--user", "ada", "--signer", "ws/allowed_signers", "-o", "snippet.yaml", who="ada")
    m.inventory()
    (tmp_path / "keys.csv").write_text(f"user,key\nada,{KEY}\n")
    m.run("-w", "ws", "keys", "import", "keys.csv")
    return m


def test_the_whole_way(machine: Machine) -> None:
    machine.command = apart
    assert "new" in machine.run("-w", "ws", "diff", code=10)
    rendered = json.loads(machine.run("-w", "ws", "render", "--format", "json"))
    assert rendered["schema"] == "provision/render/v1"
    assert rendered["summary"] == {"new": 1}
    assert "no drift" in machine.run("-w", "ws", "diff")
    assert machine.run("-w", "ws", "render") == "1 unchanged\n"
    dry = machine.run("install", "ws/dist/ada", "--home", machine.home, "--dry-run", who="ada")
    assert "would be set" in dry
    assert not machine.home.exists()
    installed = json.loads(machine.run("install", "ws/dist/ada", "--home", machine.home, "-f", "json", who="ada"))
    assert installed["schema"] == "provision/install/v1"
    assert installed["ok"]
    assert installed["changed"]
    status = json.loads(machine.run("status", "--home", machine.home, "-f", "json", who="ada"))
    assert status["schema"] == "provision/status/v2"
    assert {"home", "installed", "route", "checks", "hazards", "drift"} <= status.keys()
    assert status["checks"]["base_url"]["actual"] == "https://api.aisa.one/v1/chat/completions"
    assert (machine.home / ".env").read_text() == f"AISA_API_KEY={KEY}\n"


def test_partial_failure_is_exit_4_with_a_line(machine: Machine) -> None:
    machine.inventory()
    inventory = machine.folder / "ws" / "inventory.yaml"
    users = yaml.safe_load(inventory.read_text())["users"]
    bob = {name: value for name, value in users[0].items() if name != "endpoint_key"} | {"id": "bob"}
    inventory.write_text(yaml.safe_dump({"users": [*users, bob]}))
    out = machine.run("-w", "ws", "render", code=4)
    assert "1 failed, 1 new" in out
    assert "bob: has no current key" in machine.err
    assert "bob" not in machine.run("-w", "ws", "render", "--limit", "ada")
    machine.run("-w", "ws", "render", "--limit", "zoe", code=3)


def test_a_fleet_with_errors_renders_nothing(machine: Machine) -> None:
    machine.inventory(colour="red")
    machine.run("-w", "ws", "render", code=1)
    assert "colour" in machine.err
    assert not (machine.folder / "ws" / "dist" / "ada").exists()


def test_a_profile_that_check_refuses_renders_nothing(machine: Machine) -> None:
    machine.inventory(overrides={"model": "gpt-image-2"})
    machine.run("-w", "ws", "render", code=1)
    assert "model-unsuitable" in machine.err
    assert not (machine.folder / "ws" / "dist" / "ada").exists()


@pytest.mark.parametrize("user", ["A b", "-x", "", "con"])
def test_an_id_that_no_inventory_takes_is_refused_before_anything_is_made(tmp_path: Path, user: str) -> None:
    machine = Machine(tmp_path)
    machine.run("enroll", f"--user={user}", who="new", code=2)
    assert "invalid user id" in machine.err
    assert not (tmp_path / "new").exists()


def test_enroll_twice_keeps_everything(machine: Machine) -> None:
    before = {p.name: p.read_bytes() for p in (machine.folder / "ada").iterdir() if p.is_file()}
    again = machine.run("enroll", "--user", "ada", "--signer", "ws/allowed_signers", who="ada")
    assert again == (machine.folder / "snippet.yaml").read_text()
    assert {p.name: p.read_bytes() for p in (machine.folder / "ada").iterdir() if p.is_file()} == before
    for name in ("identity.txt", "endpoint_key"):
        assert (machine.folder / "ada" / name).stat().st_mode & 0o777 == 0o600
        assert before[name].decode() not in again
    shown = json.loads(machine.run("enroll", "--format", "json", who="ada"))
    assert shown["schema"] == "provision/enroll/v1"
    assert len(shown["trusts"]) == 1


@pytest.mark.parametrize("signer", ["nonsense", "ssh-ed25519 AAAA", "op cert-authority ssh-ed25519 AAAA"])
def test_a_bad_signer_changes_nothing(machine: Machine, signer: str) -> None:
    machine.run("enroll", "--signer", signer, who="new", code=1)
    assert not (machine.folder / "new" / "allowed_signers").exists()


def test_without_trust_or_identity_nothing_installs(machine: Machine) -> None:
    machine.run("-w", "ws", "render")
    machine.run("install", "ws/dist/ada", "--home", machine.home, who="stranger", code=1)
    assert "enroll" in machine.err
    machine.run("enroll", who="stranger")
    assert "no signer is trusted" in machine.err
    machine.run("install", "ws/dist/ada", "--home", machine.home, who="stranger", code=1)
    assert "does not trust" in machine.err
    machine.run(
        *("install", "ws/dist/ada", "--home", machine.home, "--allowed-signers", "ws/allowed_signers"),
        who="stranger",
        code=1,
    )
    assert "another machine" in machine.err
    machine.run("install", "ws/dist/ada", "--home", machine.home, "--user", "bob", who="ada", code=1)
    assert not (machine.home / "config.yaml").exists()


def test_foreign_text_is_printed_safely(machine: Machine) -> None:
    machine.run("-w", "ws", "render")
    machine.home.mkdir()
    (machine.home / "config.yaml").write_text('providers: {"AISA": {api: "https://x/\\x1b[31m", api_key: abcdefgh}}\n')
    out = machine.run("install", "ws/dist/ada", "--home", machine.home, who="ada")
    assert "\x1b" not in out + machine.err


@pytest.fixture
def run_machine(machine: Machine) -> Machine:
    machine.inventory(profile="support")
    machine.run("-w", "ws", "render")
    machine.run("install", "ws/dist/ada", "--home", machine.home, who="ada")
    env = machine.home / ".env"
    assert not env.exists() or KEY not in env.read_text()
    machine.command = apart  # `run` becomes the command that it runs
    return machine


def test_run_gives_the_key_to_the_command_alone(run_machine: Machine) -> None:
    script = (
        "import os, sys; has = os.environ.get;"
        "sys.exit(7 if has('AISA_API_KEY', '').endswith('789') and not has('CUSTOM_BASE_URL') else 1)"
    )
    run_machine.run(
        *("run", "--home", run_machine.home, "--", sys.executable, "-c", script, "--home", "not-ours"),
        who="ada",
        code=7,
        CUSTOM_BASE_URL="https://evil.example",
    )
    assert "removed CUSTOM_BASE_URL" in run_machine.err
    status = json.loads(run_machine.run("status", "--home", run_machine.home, "-f", "json", who="ada"))
    assert status["checks"]["provider"]["ok"]
    run_machine.run("run", "--home", run_machine.home, "--", "no-such-program", who="ada", code=1)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_run_passes_signals(run_machine: Machine) -> None:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    process = run_machine.start("run", "--home", run_machine.home, "--", *command, who="ada")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    assert KEY.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - started < 5


def test_run_refuses_what_hermes_would_prefer(run_machine: Machine) -> None:
    with (run_machine.home / ".env").open("a") as file:
        file.write("AISA_API_KEY=mine\n")
    run_machine.run("run", "--home", run_machine.home, "--", "true", who="ada", code=1)
    assert "overrides" in run_machine.err
    shown = json.loads(run_machine.run("status", "--home", run_machine.home, "-f", "json", who="ada", code=10))
    assert any("overrides" in d["what"] for d in shown["drift"])
