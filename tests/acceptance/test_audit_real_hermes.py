"""A home that the real Hermes filled with copies of a key: every copy is found, `--fix` leaves one, and Hermes still works.

Wizard, a chat, a failed chat, `config set`, `backup`, a key pasted into a chat, shell histories: all made by the real programs.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import seeded
from hermes_runner import HERMES, HermesRun, environment
from recording_gateway import Gateway

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(280)]

PROVISION = Path(sys.executable).with_name("provision")
WIZARD = """
from hermes_cli.config import load_config
from hermes_cli.model_setup_flows import _model_flow_custom
_model_flow_custom(load_config())
"""


class Machine:
    """A user's machine: their folder, their Hermes home inside it, the gateway."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        self.folder = folder
        self.gateway = gateway
        self.user = folder / "user"
        self.home = self.user / ".hermes"
        self.key = "sk-aisa-" + seeded.token_urlsafe(32)
        self.environ = environment(folder, gateway, {"HERMES_HOME": str(self.home)})

    def wizard(self) -> None:
        answers = f"https://api.aisa.one/v1\n{self.key}\n2\ngpt-5.2\n\n\n"
        subprocess.run(
            [sys.executable, "-c", WIZARD],
            input=answers, env=self.environ, text=True, capture_output=True, check=True, timeout=90,
        )  # fmt: skip

    def hermes(self, *arguments: str, code: int | None = 0) -> str:
        done = subprocess.run(
            [HERMES, *arguments],
            env=self.environ,
            cwd=self.user,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def provision(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "HOME": str(self.user),
            "PATH": os.environ["PATH"],
            "HERMES_HOME": str(self.home),
            "PROVISION_CONFIG_DIR": str(self.folder / "config"),
        }
        if "HERMES_MANAGED_DIR" in self.environ:
            environ["HERMES_MANAGED_DIR"] = self.environ["HERMES_MANAGED_DIR"]
        done = subprocess.run(
            [PROVISION, *arguments],
            env=environ,
            cwd=self.user,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert self.key not in done.stdout + done.stderr
        return done


def unfolded(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder and everything inside of archives, as raw bytes, found without our own code."""
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()):
        yield from _opened(str(file), file.read_bytes(), file)


def _opened(name: str, data: bytes, file: Path | None = None) -> Iterator[tuple[str, bytes]]:
    yield name, data
    if file is not None and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                yield from _opened(f"{name}!{member}", archive.read(member))
    elif file is not None and tarfile.is_tarfile(file):
        with tarfile.open(file) as archive_:
            for info in archive_:
                content = archive_.extractfile(info)
                yield from _opened(f"{name}!{info.name}", content.read() if content else b"")
    elif data.startswith(b"\x1f\x8b"):
        yield f"{name}!", gzip.decompress(data)


@pytest.fixture
def machine(tmp_path: Path, gateway: Gateway, hermes: Callable[..., HermesRun]) -> Machine:
    """The home after all that a user does in a first week."""
    machine = Machine(tmp_path, gateway)
    machine.user.mkdir(exist_ok=True)
    machine.home.mkdir(mode=0o700)
    machine.wizard()
    assert machine.hermes("-z", "hi", "-t", "todo").strip()
    assert gateway.inference[-1].key == machine.key
    gateway.refused.add(machine.key)
    machine.hermes("-z", f"why is {machine.key} refused?", "-t", "todo", code=None)  # stays in state.db, and in a dump
    gateway.refused.clear()
    machine.hermes("config", "set", "AISA_API_KEY", machine.key)
    (machine.user / ".bash_history").write_text(f"hermes config set AISA_API_KEY {machine.key}\nls\n")
    machine.hermes("backup")
    machine.hermes("backup", "--quick")  # a snapshot inside of the home
    return machine


def messages(home: Path) -> str:
    """What the chats' database says, through SQLite itself."""
    with closing(sqlite3.connect(home / "state.db")) as db:
        return "\n".join(str(row[0]) for row in db.execute("SELECT content FROM messages"))


def test_every_copy_is_found_and_fix_leaves_the_one_that_hermes_reads(machine: Machine) -> None:
    key, env_file = machine.key.encode(), str(machine.home / ".env")
    copies = {name for name, data in unfolded(machine.user) if key in data}
    kinds = {Path(name.split("!")[0]).name for name in copies}
    assert kinds >= {"config.yaml", ".env", "state.db", ".bash_history"}
    assert any(name.split("!")[0].endswith(".zip") for name in copies), "the backup holds the key"

    found = machine.provision("audit", "--format", "json")
    assert found.returncode == 10, found.stderr
    told = {finding["path"] for finding in json.loads(found.stdout)["findings"]}
    assert {name.split("!")[0] for name in copies} - told - {env_file} == set()

    assert machine.provision("enroll").returncode == 0
    asked = machine.gateway.inference[-1]
    fixed = machine.provision("audit", "--fix", "--yes")
    left = {name for name, data in unfolded(machine.user) if key in data}
    assert left == {env_file}, fixed.stdout + fixed.stderr
    words = {piece.lower() for piece in machine.key.encode().removeprefix(b"sk-aisa-").replace(b"_", b"-").split(b"-")}
    database = b"".join(p.read_bytes().lower() for p in machine.home.glob("state.db*"))
    assert not [word for word in words if len(word) >= 8 and word in database], "the full-text index keeps words"

    assert machine.hermes("-z", "hi", "-t", "todo").strip()
    now = machine.gateway.inference[-1]
    assert (now.host, now.path, now.model, now.header) == (asked.host, asked.path, asked.model, asked.header)
    assert now.key == machine.key
    assert "why is masked... refused?" in messages(machine.home)
    again = machine.provision("audit", "--format", "json")
    assert [f for f in json.loads(again.stdout)["findings"] if f["fingerprint"]] == []

    # what Hermes has written since stays; everything else comes back
    undone = machine.provision("audit", "--undo", "--yes")
    assert undone.returncode == 4, undone.stderr
    assert "state.db" in undone.stderr
    assert key in (machine.home / "config.yaml").read_bytes()
    assert key in (machine.user / ".bash_history").read_bytes()
