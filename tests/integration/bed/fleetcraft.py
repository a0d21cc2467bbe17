"""An operator's workspace for the machines of a bed, driven with the real provision, ansible-playbook and ansible-galaxy."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import seeded
import yaml
from bedcraft import ACCOUNT, ADMIN, Bed, Host

PROVISION = Path(sys.executable).with_name("provision")
GATEWAY_PORT = 8788
BASE_URL = f"http://127.0.0.1:{GATEWAY_PORT}/v1"
SIMULATOR = Path(__file__).with_name("host_gateway.py")


def program(name: str) -> str:
    """A program of Ansible's: beside this Python, else on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise AssertionError(f"no {name}: install the extra `ansible`")
    return found


def hermes_program() -> Path:
    """The real Hermes: beside this Python, or where BED_HERMES says."""
    return Path(os.environ.get("BED_HERMES") or Path(sys.executable).with_name("hermes"))


class Fleet:
    """A workspace with one user per machine; users with odd numbers are entered directly, the others through sudo."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed = bed
        self.folder = folder
        self.root = folder / "ws"
        self.users = {f"u{number:03}": host for number, host in enumerate(bed.hosts, 1)}
        self.keys = {user: f"sk-aisa-TEST-{user}-{seeded.token_hex(8)}" for user in self.users}
        folder.mkdir(parents=True, exist_ok=True)
        self.environ = {
            "PATH": os.pathsep.join((str(Path(program("ansible-playbook")).parent), os.environ["PATH"])),
            "HOME": str(folder),
            "PROVISION_CONFIG_DIR": str(folder / "config"),
            "LANG": "C.UTF-8",
        }
        self.entries: dict[str, dict[str, Any]] = {
            user: {
                "id": user,
                "profile": "bed",
                "recipients": [],
                "host": self.host_text(user),
                "tags": ["pilot"] if user == "u001" else [],
            }
            for user in self.users
        }
        self._scaffold()

    def host_text(self, user: str) -> str:
        """How the inventory names the machine."""
        address = self.users[user].address
        return f"{ACCOUNT}@{address}" if int(user[1:]) % 2 else address

    def _scaffold(self) -> None:
        self.provision("init", str(self.root), workspace=False)
        shutil.rmtree(self.root / "profiles")
        (self.root / "profiles").mkdir()
        self.profile(model="gpt-5.2")
        settings = self.root / "provision.toml"
        settings.write_text(settings.read_text() + '\ngateway_hosts = ["127.0.0.1"]\n')
        self.write_inventory()
        public = self.provision_signer()
        variables = {
            "ansible_user": ADMIN,
            "ansible_ssh_private_key_file": str(self.bed.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.bed.known_hosts} -o StrictHostKeyChecking=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
            "hermes_account": ACCOUNT,
            "hermes_command": str(PROVISION),
            "hermes_signers": [public],
        }
        (self.root / "group_vars").mkdir()
        (self.root / "group_vars" / "all.yml").write_text(yaml.safe_dump(variables))
        (self.root / "hermes.yml").write_text(f"plugin: hermes.provision.hermes\ncommand: {PROVISION}\n")

    def provision_signer(self) -> str:
        """The operator's public signing key."""
        line = next(x for x in (self.root / "allowed_signers").read_text().splitlines() if "ssh-ed25519" in x)
        words = line.split()
        at = words.index("ssh-ed25519")
        return " ".join([*words[at : at + 2], "operator"])

    def profile(self, **settings: object) -> None:
        """Write the one team profile."""
        content = {"description": "bed", "base_url": BASE_URL, "api_mode": "chat_completions", **settings}
        (self.root / "profiles" / "bed.yaml").write_text(yaml.safe_dump(content))

    def write_inventory(self) -> None:
        document = {"defaults": {"platform": "linux"}, "users": list(self.entries.values())}
        (self.root / "inventory.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        if any(Path(self.environ["PROVISION_CONFIG_DIR"]).glob("approved/*/recipients.json")):
            self.provision("operators", "approve", "--yes")

    def provision(
        self,
        *arguments: str,
        workspace: bool = True,
        code: int = 0,
        data: str = "",
        timeout_s: float = 300,
        **environ: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run provision as the operator; its exit code must be `code`."""
        before = ["--workspace", str(self.root)] if workspace else []
        done = subprocess.run(
            [PROVISION, *before, *arguments],
            env={**self.environ, **environ},
            input=data,
            text=True,
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def install_collection(self) -> Path:
        """Build the collection as an archive and install that, as people would; returns the archive."""
        source = self.provision("deploy", "--collection", workspace=False).stdout.strip()
        built = self.folder / "built"
        self.run(program("ansible-galaxy"), "collection", "build", "--output-path", str(built), source)
        archive = next(built.glob("hermes-provision-*.tar.gz"))
        where = str(self.folder / "collections")
        self.run(program("ansible-galaxy"), "collection", "install", "--offline", "-p", where, str(archive))
        return archive

    def run(self, *line: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Any program of the operator's."""
        environ = {
            **self.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_DEPRECATION_WARNINGS": "False",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        }
        done = subprocess.run(
            line,
            env=environ,
            cwd=self.root if self.root.exists() else None,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, f"{line}: {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        return done

    def playbook(self, name: str, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """ansible-playbook with our inventory plugin and the installed collection."""
        line = (program("ansible-playbook"), "-i", str(self.root / "hermes.yml"), f"hermes.provision.{name}", *more)
        return self.run(*line, code=code)

    def enrol(self, *more: str) -> None:
        """Enrol every machine with the playbook and take the public halves in, each confirmed at the machine's own console."""
        collected = self.folder / "enrolments"
        self.playbook("enrol", "-e", f"hermes_enrolments={collected}", *more)
        vouched = self.folder / "fingerprints"
        lines = []
        for user, host in self.users.items():
            said = host.run(PROVISION, "enroll", "--user", user, account=ACCOUNT).stderr.decode()
            (line,) = [x for x in said.splitlines() if x.startswith("to compare with IT: ")]
            lines += [f"{user} {word}\n" for word in line.split() if word.startswith("SHA256:")]
        vouched.write_text("".join(lines))
        self.provision("enroll", "--batch", str(collected), "--yes", "--fingerprints", str(vouched))
        listed = yaml.safe_load((self.root / "inventory.yaml").read_text())["users"]
        self.entries = {entry["id"]: entry for entry in listed}

    def enrol_quickly(self) -> None:
        """The same without Ansible, for tests that are about something else."""
        for user, host in self.users.items():
            line = [str(PROVISION), "enroll", "--format", "json", "--user", user, "--signer", self.provision_signer()]
            found = json.loads(host.run(*line, account=ACCOUNT).stdout)
            self.entries[user] |= {"recipients": found["recipients"], "endpoint_key": found["endpoint_key"]}
        self.write_inventory()

    def import_keys(self) -> None:
        """Put everybody's key into the vault."""
        rows = "".join(f"{user},{key}\n" for user, key in self.keys.items())
        self.provision("keys", "import", "-", data=f"user,key\n{rows}")

    def new_keys(self) -> None:
        """Draw a new key for everybody and import it."""
        self.keys = {user: f"sk-aisa-TEST-{user}-{seeded.token_hex(8)}" for user in self.users}
        self.import_keys()

    def render(self) -> None:
        self.provision("render")

    def deploy(self, *more: str, code: int = 0, **environ: str) -> dict[str, Any]:
        """`provision deploy --format json`; the document, with users by id under `by`."""
        done = self.provision("deploy", "--format", "json", *more, code=code, **environ)
        document: dict[str, Any] = json.loads(done.stdout)
        document["by"] = {u["user"]: u for u in document["users"]}
        document["stderr"] = done.stderr
        return document

    def env_file(self, user: str) -> str:
        """What the user's .env holds, empty when there is none."""
        with contextlib.suppress(FileNotFoundError):
            return (self.users[user].home / ".hermes" / ".env").read_text()
        return ""

    def status(self, user: str) -> dict[str, Any]:
        """`provision status` on the machine."""
        done = self.users[user].run(PROVISION, "status", "--format", "json", account=ACCOUNT, check=False)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @contextlib.contextmanager
    def gateway_on(self, user: str, keys: Mapping[str, str]) -> Iterator[Path]:
        """The simulated gateway on the machine's own loopback, with these keys; yields the file that records requests."""
        host = self.users[user]
        record = host.root / "run" / "gateway.jsonl"
        line = host.line(sys.executable, SIMULATOR, str(GATEWAY_PORT), "/run/gateway.jsonl")
        process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(dict(keys)).encode() + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"ready\n", process.stderr.read() if process.stderr else b""
            yield record
        finally:
            process.communicate(b"", timeout=20)  # the gateway ends with its input

    def ask_hermes(self, user: str) -> subprocess.CompletedProcess[bytes]:
        """The real Hermes on the machine, one question."""
        host: Host = self.users[user]
        environ = {"HERMES_DISABLE_LAZY_INSTALLS": "1", "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1"}
        return host.run(
            "env",
            "-C",
            f"/home/{ACCOUNT}",
            hermes_program(),
            "-z",
            "hi",
            "-t",
            "todo",
            account=ACCOUNT,
            environ=environ,
            check=False,
            timeout_s=120,
        )
