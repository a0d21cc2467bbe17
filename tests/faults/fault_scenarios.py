"""What the fault driver tries: writing commands, the world before them, and what must be the same in the end."""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rotatecraft import Fleet

from provision.aisa.simulator import Simulator
from provision.bundle.dist import Dist
from provision.cli.main import run
from provision.endpoint.status import home_status
from provision.endpoint.verify import AcceptanceRules, verify_bundle
from provision.enrolment.policy import key_fingerprint
from provision.feed.index import Index
from provision.feed.published_parts import published_parts
from provision.keys.age import load_identities
from provision.keys.events.log import verify_log
from provision.keys.vault.file import open_vault, read_workspace_id
from provision.rotate.store import RotationStore
from provision.signing.allowed_signers import parse_allowed_signers

State = Mapping[str, object]


@dataclass(frozen=True)
class Scenario:
    """One command. `after` runs without faults (None: the command again); then `state` must be as if there had been no fault."""

    name: str
    words: tuple[str, ...]
    state: Callable[[World], State]
    before: tuple[tuple[str, ...], ...] = ()
    after: tuple[tuple[str, ...], ...] | None = None
    machine: bool = False
    config: str = ""
    """The configuration folder; empty: the operator's or the machine's."""


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
        fleet.write_inventory(ada={name: enrolled[name] for name in ("recipients", "endpoint_key")})
        self.quiet(("render",))
        for user in ("bob", "cyd"):
            fleet.machines[user].certify(fleet.drop)
        self.home.mkdir(parents=True)
        (self.home / "config.yaml").write_text(
            "# mine\ndisplay: {compact: true}\nmodel: {default: mine, provider: custom}\n"
        )
        (self.home / ".env").write_text("MINE=1\nCUSTOM_BASE_URL=https://evil.example\n")
        self._files_with_keys(fleet.keys["bob"])

    def _files_with_keys(self, key: str) -> None:
        (self.home / "logs").mkdir()
        for path in (self.home / "logs" / "agent.log", self.folder / "page.txt"):
            path.write_text(f"first line\nAISA_API_KEY={key}\nlast line\n")
        with closing(sqlite3.connect(self.home / "state.db")) as db:
            db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT)")
            db.executemany("INSERT INTO messages (content) VALUES (?)", [(f"use {key} or {n}",) for n in range(20)])
            db.commit()

    def quiet(self, words: Sequence[str], *, machine: bool = False, config: str = "") -> int:
        """Run a command in this process, and swallow what it says."""
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return self.run(words, machine=machine, config=config)

    def run(self, words: Sequence[str], *, machine: bool = False, config: str = "") -> int:
        """Run a command as the operator, or on the machine; `{NAME}` is a path of the world."""
        folder = self.folder / config if config else self.config if machine else self.operator
        os.environ["PROVISION_CONFIG_DIR"] = str(folder)
        os.environ["HOME"] = str(self.home.parent)
        known = {"folder": self.folder, "root": self.root, "home": self.home, "feed": self.feed}
        filled = [word.format(**known) for word in words]
        os.chdir(self.folder if machine else self.root)
        return run(filled)

    def allowed(self) -> set[Path]:
        """Where keys may be in clear: what the test itself put there, and the home's `.env`."""
        fixed = (
            "first.csv",
            "new.csv",
            "leaked.csv",
            "page.txt",
            "user/.hermes/logs/agent.log",
            "user/.hermes/state.db",
        )
        return {self.folder / name for name in (*fixed, "user/.hermes/.env")}


def workspace(world: World) -> State:
    """Keys by user and stage, valid bundles, what the log says about itself, rotations, receipts, inventory."""
    return {**workspace_but_bundles(world), "bundles": bundles(world)}


def workspace_but_bundles(world: World) -> State:
    """A workspace without what is in dist/."""
    identities = load_identities(world.operator / "identity.txt")
    vault = open_vault(world.root / "keys.vault", identities)
    users = {line.user for line in vault.lines}
    keys = {u: [(k.stage.value, vault.value(u, k.version).reveal()) for k in vault.versions(u)] for u in users}
    found = verify_log(world.root / "events.jsonl", None)
    rotations = {}
    store = RotationStore(world.root)
    for name in store.names():
        rotation = store.read(name)
        if rotation is not None:
            rotations[name] = {user: entry.state.value for user, entry in rotation.people.items()}
    return {
        "keys": keys,
        "operators": sorted(vault.operators),
        "log": [fault.what for fault in found.faults],
        "rotations": rotations,
        "receipts": sorted(path.name for path in (world.root / "receipts").glob("*.receipt")),
        "inventory": (world.root / "inventory.yaml").read_bytes(),
    }


def bundles(world: World) -> State:
    """The bundles in dist/ by user: verified, with what is not random in them."""
    signers = parse_allowed_signers((world.root / "allowed_signers").read_text())
    dist, found = Dist(world.root / "dist", None), {}
    for user in ("ada", "bob", "cyd"):
        rules = AcceptanceRules(
            signers, datetime.now(UTC), user, workspace_id=read_workspace_id(world.root / "keys.vault")
        )
        manifest = verify_bundle(dist.read(user), rules).manifest
        found[user] = (manifest.key_fingerprint, manifest.model)
    return found


def feed(world: World) -> State:
    """What a published feed lists, and whether the bundles are there."""
    signers = parse_allowed_signers((world.root / "allowed_signers").read_text())
    parts = published_parts(world.feed, read_workspace_id(world.root / "keys.vault"), signers, datetime.now(UTC))
    listed = sorted(e.bundle for _, part in parts if isinstance(part, Index) for e in part.endpoints.values())
    there = sorted(path.stem for path in world.feed.glob("e/*/*.tar"))
    return {"listed": len(listed), "missing": sorted(set(listed) - set(there))}


def home(world: World) -> State:
    """The Hermes home: files of the user, and what `status` finds."""
    signers = parse_allowed_signers((world.root / "allowed_signers").read_text())
    found = home_status(world.home, signers=signers, environ={"HOME": str(world.home.parent)}, now=datetime.now(UTC))
    files = {name: (world.home / name).read_bytes() for name in (".env", "config.yaml")}
    return {**files, "ok": found.ok, "drift": list(found.drift), "mode": (world.home / ".env").stat().st_mode}


def left_home(world: World) -> State:
    """The home after `uninstall`: the user's files, and nothing of provision."""
    files = {name: (world.home / name).read_bytes() for name in (".env", "config.yaml") if (world.home / name).exists()}
    return {**files, "own": (world.home / ".provision").exists()}


def people(world: World) -> State:
    """The workspace without a bundle of ada's: receipts that were put away, and the folders in dist/."""
    state = {name: value for name, value in workspace_but_bundles(world).items() if name != "bundles"}
    away = sorted(path.name for path in (world.root / "receipts" / "left").glob("*.receipt"))
    return {**state, "away": away, "dist": sorted(p.name for p in (world.root / "dist").iterdir() if p.name[0] != ".")}


def masked(world: World) -> State:
    """The files of the home that had keys in them, and the rows of its database."""
    with closing(sqlite3.connect(world.home / "state.db")) as db:
        rows = [row[0] for row in db.execute("SELECT content FROM messages ORDER BY id")]
    texts = [path.read_text() for path in (world.home / "logs" / "agent.log", world.home / ".env")]
    page = re.sub(r"(?m)^AISA_API_KEY=(?!sk-).+$", "masked", (world.folder / "page.txt").read_text())  # tags are random
    return {"rows": rows, "texts": texts, "page": page}


def made_workspace(world: World) -> State:
    """A workspace that `init` made: it can be opened."""
    root, files = (
        world.folder / "another",
        {"provision.toml", "keys.vault", "events.jsonl", "inventory.yaml", "allowed_signers"},
    )
    there = {path.name for path in root.iterdir()}
    vault = open_vault(root / "keys.vault", load_identities(world.folder / "fresh" / "identity.txt"))
    return {
        "missing": sorted(files - there),
        "generation": vault.generation,
        "log": verify_log(root / "events.jsonl").faults,
    }


def machine_keys(world: World) -> State:
    """Keys that `enroll` made: they can be loaded, and only their owner can read them."""
    folder = world.folder / "fresh"
    load_identities(folder / "identity.txt")
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return {"files": names, "modes": [oct((folder / name).stat().st_mode) for name in names]}


def written(*names: str) -> Callable[[World], State]:
    """Files that a command writes: there, and not empty."""
    return lambda world: {name: bool((world.folder / name).stat().st_size) for name in names}


NEW_OPERATOR = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"
INSTALL = ("install", "{root}/dist/ada", "--home", "{home}")
START = ("rotate", "start", "--from", "{folder}/new.csv", "--waves", "100%", "--idle-for", "0", "--yes")
RESUME = ("rotate", "resume")
FIX, UNDO = ("audit", "{home}", "--fix", "--yes"), ("audit", "--undo", "--yes")

SCENARIOS = (
    Scenario("init", ("init", "{folder}/another"), made_workspace, config="fresh"),
    Scenario("import", ("keys", "import", "{folder}/new.csv"), workspace),
    Scenario("operators-add", ("operators", "add", "zoe", NEW_OPERATOR), workspace),
    Scenario(
        "operators-remove",
        ("operators", "remove", "zoe"),
        workspace,
        before=(("operators", "add", "zoe", NEW_OPERATOR),),
    ),
    Scenario("demo-keys", ("keys", "demo", "ada", "--until", "2099-01-01"), workspace),
    Scenario("render", ("render", "--force"), workspace, before=(("keys", "import", "{folder}/new.csv"),)),
    Scenario("publish", ("publish", "{feed}"), feed),
    Scenario("receipts", ("receipts", "import", "{folder}/drop"), workspace),
    Scenario("start", START, workspace, after=(START, RESUME)),
    Scenario("resume", RESUME, workspace, before=(START,), after=(RESUME, RESUME)),
    Scenario("rollback", ("rotate", "rollback", "--yes"), workspace, before=(START,)),
    Scenario("finish", ("rotate", "finish", "--except", "*=given up"), workspace, before=(START,)),
    Scenario(
        "leaked",
        ("rotate", "leaked", "ada", "--from", "{folder}/leaked.csv"),
        workspace,
        after=(RESUME, ("keys", "demo", "bob", "--clear")),
    ),
    Scenario(
        "batch",
        ("enroll", "--batch", "{folder}/snippets", "--yes", "--fingerprints", "{folder}/prints", "--profile", "team"),
        workspace,
    ),
    Scenario("leave", ("users", "leave", "ada", "--feed", "{feed}", "--yes"), people, before=(("publish", "{feed}"),)),
    Scenario("rename", ("users", "rename", "ada", "ada.king"), people),
    Scenario("add", ("users", "add", "zoe", "--profile", "team"), people),
    Scenario("lost", ("machines", "lost", "ada", "--yes"), people),
    Scenario("package", ("package", "ada", "--for", "deb", "-o", "{folder}/package"), written("package")),
    Scenario("report", ("report", "-o", "{folder}/report.html"), written("report.html")),
    Scenario("validate", ("validate", "-f", "json", "-o", "{folder}/validate.json"), written("validate.json")),
    Scenario(
        "enroll", ("enroll", "--user", "eve", "-o", "{folder}/eve.yaml"), machine_keys, config="fresh", machine=True
    ),
    Scenario("install", INSTALL, home, machine=True),
    Scenario("uninstall", ("uninstall", "--home", "{home}"), left_home, before=(INSTALL,), machine=True),
    Scenario("status", ("status", "--home", "{home}", "--receipt"), home, before=(INSTALL,), machine=True),
    Scenario("fix", FIX, masked, machine=True),
    Scenario("undo", UNDO, masked, before=(FIX,), machine=True),
    Scenario("redact", ("redact", "-i", "{folder}/page.txt"), masked, machine=True),
    Scenario("timer", ("pull", "--timer-dir", "{folder}/timer", "--install-timer"), written("timer"), machine=True),
)
