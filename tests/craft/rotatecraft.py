"""What tests of rotations share: a real workspace whose gateway is a simulator, machines that install and sign, a console.

A machine here opens its bundle as `install` does (its own identity, the signed manifest) and signs a real receipt, but has no
Hermes home: fifty of them poll in a fraction of a second. The console revokes what the tool listed, and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import seeded
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.aisa.simulator import KeyState, Simulator
from provision.bundle.manifest import parse_manifest
from provision.cli.main import run
from provision.keys.age import load_identities
from provision.keys.vault.file import open_vault
from provision.keys.vault.vault import Vault
from provision.receipts.receipt import NAMESPACE, Receipt, ReceiptDrift, ReceiptRoute, receipt_bytes
from provision.signing.fields import moment
from provision.signing.signed_text import sign_text
from provision.signing.sshsig import public_line


def new_key() -> str:
    """A key of the real shape, made up at this moment."""
    return "sk-aisa-" + seeded.token_urlsafe(32)


_OPERATORS = ("rotate", "validate", "render", "keys", "check", "receipts", "report")
"""Commands that this fleet can run: the others are for its machines."""


def printed_commands(text: str) -> list[str]:
    """The commands of provision in a text, as a reader would copy them: from backticks, or up to the next clause."""
    found = re.findall(r"`(provision [^`]+)`", text)
    rest = re.sub(r"`[^`]*`", "", text)
    clauses = re.findall(r"provision [a-z][^;\n\u2026]*", rest)
    return found + [
        re.split(r",| {2,}| when | with | until | from time|; | \(|\)", each)[0].strip(" .") for each in clauses
    ]


@dataclass
class Machine:
    """One user's machine: what is installed, and whether its owner opens it at all."""

    user: str
    identity: pyrage.x25519.Identity = field(default_factory=pyrage.x25519.Identity.generate)
    signer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    generation: int = 0
    key: str = ""
    counter: int = 0
    asleep: bool = False
    route: str = "yes"
    _manifest: bytes = b""

    def poll(self, dist: Path, drop: Path) -> bool:
        """Install what is newer, and leave a receipt; whether anything was installed."""
        data = (dist / self.user / "manifest.json").read_bytes()
        if self.asleep or data == self._manifest:
            return False
        manifest = parse_manifest(data)
        assert manifest.user == self.user
        assert manifest.generation > self.generation, "an older bundle, or another one of the same generation"
        env = pyrage.decrypt((dist / self.user / ".env.age").read_bytes(), [self.identity]).decode()
        (self.key,) = (line.partition("=")[2] for line in env.splitlines() if line.startswith("AISA_API_KEY="))
        self.generation, self._manifest = manifest.generation, data
        self.certify(drop)
        return True

    def certify(self, drop: Path) -> None:
        """Sign what is installed, and leave it in a folder."""
        drop.mkdir(exist_ok=True)
        (drop / f"{self.user}.receipt").write_bytes(self.receipt())

    def receipt(self, *drift: ReceiptDrift) -> bytes:
        """A signed receipt for what is installed."""
        from hashlib import sha256

        manifest = parse_manifest(self._manifest)
        self.counter += 1
        receipt = Receipt(
            workspace=manifest.workspace,
            user=self.user,
            machine=None,
            profile=manifest.profile,
            bundle=sha256(self._manifest).hexdigest(),
            generation=manifest.generation,
            expires=manifest.expires,
            key_fingerprint=manifest.key_fingerprint,
            route=ReceiptRoute(
                url=manifest.base_url, path=None, model=manifest.model, api_mode=None,
                key_fingerprint=manifest.key_fingerprint, as_expected=self.route,  # type: ignore[arg-type]
            ),
            hazards=(), drift=drift, destinations=None, policy=None, hermes_version=None, hermes_verified=None,
            provision_version="0", host=self.user,
            made=moment(datetime.now(UTC)), counter=self.counter,
        )  # fmt: skip
        return sign_text(receipt_bytes(receipt), self.signer, NAMESPACE)


class Fleet:
    """A workspace with users, their machines, their keys, and a gateway. `provision` runs in this process."""

    def __init__(self, folder: Path, sim: Simulator, users: Sequence[str] = ("ada", "bob", "cyd")) -> None:
        self.folder, self.sim, self.users = folder, sim, tuple(users)
        self.root, self.drop, self.config = folder / "workspace", folder / "drop", folder / "config"
        os.environ["PROVISION_CONFIG_DIR"] = str(self.config)
        self.machines = {user: Machine(user) for user in users}
        self.keys = {user: new_key() for user in users}
        self.out = ""
        assert run(["-q", "init", str(self.root)]) == 0
        for path in (self.root / "profiles").glob("*.yaml"):
            path.unlink()
        (self.root / "profiles" / "team.yaml").write_text(f"model: gpt-5.2\nbase_url: {sim.base_url}\n")
        settings = self.root / "provision.toml"
        settings.write_text(f'gateway = "{sim.base_url}"\n' + settings.read_text())
        self.write_inventory()
        for key in self.keys.values():
            sim.add_key(key)
        rows = "".join(f"{user},{key},{user}-laptop\n" for user, key in self.keys.items())
        assert self.provision("keys", "import", str(self.file("first.csv", rows))) == 0
        assert self.provision("render") == 0
        self.poll()
        assert self.provision("receipts", "import", str(self.drop)) == 0

    def write_inventory(self, **more: Mapping[str, object]) -> None:
        """Everybody, with their machines' public keys; `more` adds fields to single users."""
        people = [
            {
                "id": user,
                "profile": "team",
                "recipients": [str(machine.identity.to_public())],
                "endpoint_key": public_line(machine.signer.public_key()),
                **more.get(user, {}),
            }
            for user, machine in self.machines.items()
        ]
        (self.root / "inventory.yaml").write_text(yaml.safe_dump({"users": people}))
        if any((self.config / "approved").glob("*/recipients.json")):
            assert self.provision("operators", "approve", "--yes") == 0

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def provision(self, *arguments: str) -> int:
        """Run one command in the workspace; returns its exit code."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = run(["-q", "--workspace", str(self.root), *arguments])
        self.out = out.getvalue()
        return code

    def new_keys(self, *users: str, state: KeyState = KeyState.VALID) -> dict[str, str]:
        """New keys from the console, known to the gateway."""
        made = {user: new_key() for user in users or self.users}
        for key in made.values():
            self.sim.add_key(key, state)
        return made

    def keys_file(self, keys: Mapping[str, str], name: str = "new.csv") -> str:
        rows = "".join(f"{user},{key},{user}-laptop-v2\n" for user, key in keys.items())
        return str(self.file(name, "user,new_key,label\n" + rows))

    def poll(self) -> int:
        """Every machine asks for its bundle once; how many installed something."""
        return sum(machine.poll(self.root / "dist", self.drop) for machine in self.machines.values())

    def vault(self) -> Vault:
        return open_vault(self.root / "keys.vault", load_identities(self.config / "identity.txt"))

    def stages(self, user: str) -> list[str]:
        """The stages of a user's versions, oldest first."""
        return [known.stage.value for known in self.vault().versions(user)]

    def journals(self) -> list[Path]:
        return sorted((self.root / "rotations").glob("*.jsonl"))

    def entries(self) -> Iterator[dict[str, object]]:
        for path in self.journals():
            for line in path.read_text().splitlines():
                yield json.loads(line)

    def status(self, *arguments: str) -> dict[str, object]:
        """The newest rotation as `rotate status` tells it."""
        out = self.folder / "status.json"
        run(["-q", "-w", str(self.root), "rotate", "status", "--all", "-f", "json", "-o", str(out), *arguments])
        return json.loads(out.read_text())["rotations"][-1]  # type: ignore[no-any-return]

    def states(self) -> dict[str, str]:
        """Where everybody stands in the newest rotation."""
        return {user["user"]: user["state"] for user in self.status()["users"]}  # type: ignore[attr-defined,index]

    def trouble(self, user: str) -> dict[str, str]:
        """What is in a user's way, with its cure, which is tried."""
        found = {each["user"]: each["trouble"] for each in self.status()["users"]}  # type: ignore[attr-defined,index]
        trouble: dict[str, str] = found[user] or {}
        self.try_cures(trouble.get("cure", ""), user)
        return trouble

    def try_cures(self, text: str, user: str) -> list[str]:
        """Run every command that `text` prints, as a dry run: none is refused. Returns the commands."""
        commands = printed_commands(text)
        for command in commands:
            words = self._filled(shlex.split(command), user)
            if words[1] not in _OPERATORS:
                continue
            dry = ["--dry-run"] if words[1] == "rotate" and words[2] != "status" else []
            with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
                code = run(["--workspace", str(self.root), *words[1:], *dry])
            said = err.getvalue()
            assert code in {0, 4, 10}, (command, code, said)
            assert "error:" not in said, (command, code, said)
        return commands

    def _filled(self, words: list[str], user: str) -> list[str]:
        """A command with something for its placeholders. A new key for the user is made where a file of keys is asked for."""
        if "FILE" in words:
            words[words.index("FILE")] = self.keys_file(self.new_keys(user), "another.csv")
        given = {"N": "9", "USER": user, "USER=WHY": f"{user}=tried in a test"}
        return [given.get(word, word) for word in words]

    def listed(self) -> set[str]:
        """Keys that the tool wants to be revoked now, by value."""
        vault, found = self.vault(), set()
        for row in self.status()["revoke"]:  # type: ignore[attr-defined]
            (known,) = (k for k in vault.find(row["key"]) if k.user == row["user"])
            value = vault.value(known.user, known.version).reveal()
            assert value.endswith(row["last_four"])
            found.add(value)
        return found

    def revoke_listed(self) -> set[str]:
        """What the operator does in the console."""
        found = self.listed()
        for key in found:
            self.sim.revoke(key)
        return found

    def nobody_without_a_key(self) -> None:
        """Each machine holds a key that the gateway takes."""
        records = self.sim._gateway.keys
        dead = [u for u, m in self.machines.items() if m.key not in records or records[m.key].state != KeyState.VALID]
        assert not dead, f"without a working key: {dead}"
