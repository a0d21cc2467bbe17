"""A planted key is followed through every system call of every command.

strace shows each write, with the file behind the descriptor, and each program start with its arguments. The key may be
written to: the vault's own import source (made by the test), a pipe between our own processes, a socket to the gateway,
and the `.env` of its owner's Hermes home. Anything else, standard output and error included, is a leak; and since the
trace also holds what was written to temporary files that are gone, deleting them would not help.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import seeded

from provision.aisa.simulator import Simulator

CALLS = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg,execve,rename,renameat,renameat2,linkat,symlinkat"
_TARGET = re.compile(r"^\d+ +(\w+)\((\d+)<([^>]*)>")
STRACE = shutil.which("strace")


class Trail:
    """Runs commands under strace in one folder and collects where the canary went."""

    def __init__(self, folder: Path, canary: str) -> None:
        self.folder = folder
        self.canary = canary
        encoded = base64.b64encode(canary.encode()).decode().rstrip("=")[:-1]
        self.forms = (canary, encoded, canary.encode().hex(), canary[8:40])
        self.leaks: list[str] = []
        self.env_writes = 0
        self.socket_writes = 0

    def run(self, person: str, *arguments: str, cwd: Path | None = None, stdin: str | None = None) -> str:
        """One `provision` command; any exit code. Returns stdout."""
        log = self.folder / "trace"
        home = self.folder / person
        home.mkdir(exist_ok=True)
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        environ = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PROVISION_CONFIG_DIR": str(home / "config"),
        }
        done = subprocess.run(
            [
                *(STRACE or "strace", "--seccomp-bpf", "-f", "-y", "-s", "1000000", "-e", CALLS, "-o", str(log)),
                *(sys.executable, "-m", "provision", "-v", *arguments),
            ],
            check=False,
            cwd=cwd or home,
            env=environ,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=240,
        )
        where = " ".join(arguments[:2])
        for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
            self.leaks += [f"{where}: {name}" for form in self.forms if form in text]
        with log.open(errors="replace") as lines:
            for line in lines:
                if any(form in line for form in self.forms):
                    self._judge(where, line)
        log.unlink()
        return done.stdout

    def _judge(self, where: str, line: str) -> None:
        match = _TARGET.match(line)
        if match is None:
            self.leaks.append(f"{where}: {line[:60]}")
            return
        target = match[3]
        if target.startswith(("socket:", "TCP:")):
            self.socket_writes += 1
        elif re.search(r"/\.hermes/(?:\.|\.\.)?env\.?[^/]*$", target):
            self.env_writes += 1
        elif not target.startswith("pipe:"):
            self.leaks.append(f"{where}: {match[1]} to {target}")

    def left_on_disk(self, allowed: set[Path]) -> list[Path]:
        """Files that hold the canary in any form, but for the allowed ones."""
        found = []
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in allowed:
                data = path.read_bytes()
                found += [path for form in self.forms if form.encode() in data]
        return found


@pytest.fixture(scope="module")
def canary() -> str:
    return f"sk-aisa-{seeded.token_urlsafe(32)}"


@pytest.fixture(scope="module")
def gateway(canary: str) -> Iterator[Simulator]:
    with Simulator(keys={canary: "valid"}) as sim:
        yield sim


@pytest.mark.timeout(600)
@pytest.mark.programs("strace")
def test_the_key_goes_only_where_it_belongs(
    tmp_path_factory: pytest.TempPathFactory, canary: str, gateway: Simulator
) -> None:
    folder = tmp_path_factory.mktemp("canary")
    trail = Trail(folder, canary)
    acme = folder / "acme"

    trail.run("it", "init", str(acme))
    _point_at(acme, gateway.url)
    signer = (acme / "allowed_signers").read_text().split(maxsplit=2)[2].strip()
    made = json.loads(trail.run("ada", "enroll", "--user", "ada", "--signer", signer, "--format", "json"))
    desk = json.loads(trail.run("alan", "enroll", "--user", "alan", "--signer", signer, "--format", "json"))
    _write_inventory(acme, {"ada": made["recipients"], "alan": desk["recipients"]})

    # a file that cannot be imported, with the key in the wrong column, twice, and in a place that must hold none
    broken = acme / "broken.csv"
    broken.write_text(f"user,key\n{canary},ada\nada,{canary}\nada,{canary}\nalan,{canary} x\n")
    trail.run("it", "keys", "import", str(broken), cwd=acme)
    for leaky in ("description: DO {}\n", "env:\n  NOTE: {}\n", "hermes:\n  model:\n    api_key: {}\n", "model: [{}\n"):
        (acme / "profiles" / "leaky.yaml").write_text(f"extends: base\nmodel: gpt-5.2\n{leaky.format(canary)}")
        trail.run("it", "check", cwd=acme)
        trail.run("it", "check", "--format", "json", cwd=acme)
    (acme / "profiles" / "leaky.yaml").unlink()
    broken.unlink()
    assert trail.leaks == []

    trail.run("it", "keys", "import", "-", cwd=acme, stdin=f"user,key\nada,{canary}\n")
    trail.run("it", "keys", "import", "-", "--allow-shared", cwd=acme, stdin=f"user,key\nalan,{canary}\n")
    for command in (
        ("keys", "list"),
        ("keys", "list", "--format", "json"),
        ("check",),
        ("show", "ada", "--origin"),
        ("diff",),
        ("render",),
        ("render", "--force", "--format", "json"),
        ("diff", "--format", "json"),
        ("models",),
        ("validate", "--probe", "key,models,chat", "--yes"),
        ("validate", "--probe", "key,models,chat", "--yes", "--format", "json"),
    ):
        trail.run("it", *command, cwd=acme)
    assert (acme / "dist" / "ada" / "manifest.json").exists()

    home = folder / "ada" / ".hermes"
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(
        f"model:\n  provider: custom\n  base_url: {gateway.url}/v1\n  api_key: {canary}\n  default: gpt-5-mini\n"
    )
    (home / "config.yaml").chmod(0o600)
    trail.run("ada", "install", "--dry-run", str(acme / "dist" / "ada"))
    trail.run("ada", "install", str(acme / "dist" / "ada"))
    trail.run("ada", "install", str(acme / "dist" / "alan"))
    trail.run("ada", "status")
    trail.run("ada", "status", "--format", "json")
    trail.run("alan", "install", str(acme / "dist" / "alan"))
    trail.run("alan", "status")
    trail.run("alan", "run", "--", sys.executable, "-c", "import os; print(len(os.environ['AISA_API_KEY']))")

    assert trail.leaks == []
    assert trail.env_writes == 1, "the key is written to .env once, by ada's install"
    assert trail.socket_writes >= 4, "the gateway was really asked"
    assert trail.left_on_disk({home / ".env"}) == []
    assert canary in (home / ".env").read_text()
    assert oct((home / ".env").stat().st_mode & 0o777) == "0o600"


def _point_at(workspace: Path, url: str) -> None:
    for path in (workspace / "profiles").glob("*.yaml"):
        path.write_text(path.read_text().replace("https://api.aisa.one", url))
    settings = workspace / "provision.toml"
    settings.write_text(f'gateway = "{url}/v1"\n' + settings.read_text())


def _write_inventory(workspace: Path, recipients: dict[str, list[str]]) -> None:
    users = [
        {"id": user, "profile": {"ada": "engineering", "alan": "support"}[user], "recipients": keys}
        for user, keys in recipients.items()
    ]
    (workspace / "inventory.yaml").write_text(json.dumps({"users": users}))
