"""What fault scenarios begin with: a workspace with users, a machine, files with keys; all below one folder."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sqlite3
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from played_machines import PlayedMachines
from rotatecraft import Fleet

from provision.aisa.simulator import Simulator
from provision.cli.main import run
from provision.enrolment.policy import key_fingerprint
from provision.feed.index import address_of
from provision.keys.age import load_identities
from provision.keys.feed_secret import FILE, feed_secret
from provision.signing.sshsig import load_signing_key

MACHINES_PULL = ("machines pull",)
"""No command: the machines install what is in dist/, and leave their receipts in the folder for them."""


PASTED = "model: {{default: gpt-5.2, provider: custom, base_url: {address}, api_key: {key}}}\ndisplay: {{skin: mono}}\n"
"""The settings of a user who pasted a key into them."""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: what is printed belongs to the command."""


class World:
    """A workspace with three users, the machine of one of them with a Hermes home, and files with keys; all below one folder."""

    def __init__(self, above: Path, sim: Simulator) -> None:
        folder = self.folder = above / "world"
        folder.mkdir(parents=True)
        (folder / "tmp").mkdir()
        os.environ |= {"TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(above / "cache")}
        tempfile.tempdir = str(folder / "tmp")  # Python's own search writes a file
        fleet = Fleet(folder, sim)
        self.root, self.operator, self.config = fleet.root, fleet.config, folder / "machine"
        self.home, self.feed = folder / "user" / ".hermes", folder / "feed"
        self.new = fleet.new_keys()
        fleet.keys_file(self.new)
        (folder / "leaked.csv").write_text(f"user,new_key\nada,{self.new['ada']}\n")
        self.canaries = [key.encode() for key in (*fleet.keys.values(), *self.new.values())]
        signer = (self.root / "allowed_signers").read_text().strip()
        made = folder / "enrolled.json"
        self.quiet(("enroll", "--user", "ada", "--signer", signer, "-f", "json", "-o", str(made)), machine=True)
        enrolled = json.loads(made.read_text())
        (folder / "snippets").mkdir()
        snippet = folder / "snippets" / "eve.json"
        self.quiet(("enroll", "--user", "eve", "-f", "json", "-o", str(snippet)), machine=True, config="eve")
        keys = json.loads(snippet.read_text())
        prints = (key_fingerprint(key) for key in (*keys["recipients"], keys["endpoint_key"]))
        (folder / "prints").write_text("".join(f"eve {each}\n" for each in prints))
        line = folder / "joined.txt"
        self.quiet(("operators", "join", "--name", "colleague", "-o", str(line)), config="colleague")
        self.colleague_age, self.colleague_key = shlex.split(line.read_text())[-2:]
        fleet.write_inventory(ada={name: enrolled[name] for name in ("recipients", "endpoint_key")})
        self.quiet(("operators", "approve", "--yes"))
        self.quiet(("render",))
        for user in ("bob", "cyd"):
            fleet.machines[user].certify(fleet.drop)
        signers = {user: machine.signer for user, machine in fleet.machines.items()}
        signers["ada"] = load_signing_key(self.config / "endpoint_key")
        self.played = PlayedMachines(above, signers)
        shutil.copytree(self.root / "dist" / "ada", folder / "bundle")
        self.home.mkdir(parents=True)
        (self.home / "config.yaml").write_text(
            "# mine\ndisplay: {compact: true}\nmodel: {default: mine, provider: custom}\n"
        )
        (self.home / ".env").write_text("MINE=1\nCUSTOM_BASE_URL=https://evil.example\n")
        pasted = folder / "pasted" / "ada" / ".hermes"
        pasted.mkdir(parents=True)
        (pasted / "config.yaml").write_text(PASTED.format(address=sim.base_url, key=self.new["ada"]))
        self._files_with_keys(fleet.keys["bob"])
        self._another_clone(fleet)
        (self.root / "profiles" / "other.yaml").write_text("extends: team\ncontext_length: 128000\n")
        (folder / "people.csv").write_text(
            "id,userPrincipalName,displayName,department,accountEnabled\n1,ada@x.example,Ada,R,True\n2,zoe@x.example,Zoe,R,True\n"
        )

    def _files_with_keys(self, key: str) -> None:
        (self.home / "logs").mkdir()
        for path in (self.home / "logs" / "agent.log", self.folder / "page.txt"):
            path.write_text(f"first line\nAISA_API_KEY={key}\nlast line\n")
        with closing(sqlite3.connect(self.home / "state.db")) as db:
            db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT)")
            db.executemany("INSERT INTO messages (content) VALUES (?)", [(f"use {key} or {n}",) for n in range(20)])
            db.commit()

        with zipfile.ZipFile(self.folder / "old.zip", "w") as archive:
            archive.writestr("env", f"AISA_API_KEY={key}\n")

    def _another_clone(self, fleet: Fleet) -> None:
        """Vault and log of a branch on which a key was imported."""
        clone = self.folder / "clone"
        shutil.copytree(self.root, clone)
        self.quiet(("--workspace", str(clone), "keys", "import", "{folder}/leaked.csv"))
        for name in ("keys.vault", "events.jsonl"):
            (clone / name).rename(self.folder / f"theirs-{name}")
        shutil.rmtree(clone)

    def serve(self) -> None:
        """Serve the feed's folder, from now on."""
        handler = partial(_QuietHandler, directory=str(self.feed))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self) -> str:
        """Where ada's machine pulls from."""
        path = self.root / FILE
        if not path.exists():
            return ""
        secret = feed_secret(path, (), load_identities(self.operator / "identity.txt"), create=False)
        return f"http://127.0.0.1:{self.server.server_address[1]}/e/{address_of(secret, 'ada')}"

    def quiet(self, words: Sequence[str], *, machine: bool = False, config: str = "") -> int:
        """Run a command in this process, and swallow what it says."""
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return self.run(words, machine=machine, config=config)

    def run(self, words: Sequence[str], *, machine: bool = False, config: str = "") -> int:
        """Run a command as the operator, or on the machine; `{NAME}` is a path of the world, or a key of the colleague's."""
        if words == MACHINES_PULL:
            return self.played.leave_receipts(self.root / "dist", self.folder / "drop")
        folder = self.folder / config if config else self.config if machine else self.operator
        os.environ["PROVISION_CONFIG_DIR"] = str(folder)
        os.environ["HOME"] = str(self.home.parent)
        known = {"folder": self.folder, "root": self.root, "home": self.home, "feed": self.feed}
        known |= {name: getattr(self, name, "") for name in ("colleague_age", "colleague_key")}
        filled = [self.address() if word == "{address}" else word.format(**known) for word in words]
        os.chdir(self.folder if machine else self.root)
        return run(filled)

    def allowed(self) -> set[Path]:
        """Where keys may be in clear: what the test itself put there, and the home's `.env`."""
        fixed = (
            "first.csv",
            "new.csv",
            "leaked.csv",
            "page.txt",
            "old.zip",
            "pasted/ada/.hermes/config.yaml",
            "user/.hermes/logs/agent.log",
            "user/.hermes/state.db",
        )
        return {self.folder / name for name in (*fixed, "user/.hermes/.env")}
