"""What must be the same in the end, whatever fault there was: states of a workspace, a home, a feed; read from its files."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime

from fault_world import World

from provision.bundle.dist import Dist
from provision.cli.delivery.deploy import newest_receipts, says_halted
from provision.cli.delivery.receipts import fleet_states
from provision.endpoint.halt import is_halted
from provision.endpoint.obeyed_order import read_obeyed
from provision.endpoint.status import home_status
from provision.endpoint.verify import AcceptanceRules, verify_bundle
from provision.feed.give_orders import PUSHED_SUFFIX, SUFFIX, given_orders
from provision.feed.index import Index
from provision.feed.publish import published_parts
from provision.fleet.workspace import load_workspace
from provision.keys.age import load_identities
from provision.keys.events.log import verify_log
from provision.keys.feed_secret import FILE, feed_secret
from provision.keys.vault.file import open_vault, read_workspace_id
from provision.push.engine import digests_of
from provision.reconcile.record import read_record
from provision.rotate.store import RotationStore
from provision.signing.allowed_signers import parse_allowed_signers
from provision.trust.orders import Order, read_order
from provision.trust.recovery import parse_seed
from provision.trust.workspace import remembered_path, workspace_trust

State = Mapping[str, object]


def workspace(world: World) -> State:
    """Keys by user and stage, valid bundles, what the log says about itself, rotations, receipts, inventory."""
    return {**workspace_but_bundles(world), "bundles": bundles(world)}


def workspace_but_bundles(world: World) -> State:
    """A workspace without what is in dist/."""
    identities = load_identities(world.operator / "identity.txt")
    vault = open_vault(world.root / "keys.vault", identities)
    keys = {u: [(k.stage.value, vault.value(u, k.version).reveal()) for k in vault.versions(u)] for u in vault.users}
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


def trusted(world: World) -> State:
    """The trust list in force, what waits, and a workspace that agrees with it; without what is random."""
    workspace = load_workspace(world.root)
    found = workspace_trust(workspace, read_workspace_id(workspace.vault), datetime.now(UTC), remember=False)
    trust = found.trust
    return {
        **{k: v for k, v in workspace_but_bundles(world).items() if k not in {"operators", "keys"}},
        "list": trust and (trust.number, sorted(each.name for each in trust.signers), len(trust.revoked)),
        "recovery": trust and len(trust.recovery),
        "threshold": trust and trust.threshold.trust,
        "pending": found.pending is not None,
        "signers": trust is None or (world.root / "allowed_signers").read_text() == trust.allowed_signers_text(),
    }


def trusted_bundles(world: World) -> State:
    """As `trusted`, and the bundles, which signers of that list signed."""
    return {**trusted(world), "bundles": bundles(world)}


def renewed(world: World) -> State:
    """As `trusted`, without the number, which grows with each run."""
    return {**trusted(world), "list": None}


def remembered(world: World) -> State:
    """The list that the operator keeps outside of the workspace: the newest one of the workspace; and the recovery test."""
    workspace_id = read_workspace_id(world.root / "keys.vault")
    kept = remembered_path(workspace_id)
    names = sorted(path.name for path in kept.parent.iterdir() if not path.name.startswith("."))
    lists = {path.read_bytes() for path in (world.root / "trust").glob("*.json")}
    return {"ours": kept.read_bytes() in lists, "files": names}


def approved(world: World) -> State:
    """What the operator approved, by file."""
    found = {}
    for path in sorted((world.operator / "approved").rglob("*.json")):
        found[path.name] = json.loads(path.read_text())
    return found


def given(world: World) -> State:
    """The orders in the workspace by user, in the same words for the feed and for machines that are pushed to, and the log."""
    signers = parse_allowed_signers((world.root / "allowed_signers").read_text())
    orders: dict[str, dict[str, Order]] = {}
    for suffix in (SUFFIX, PUSHED_SUFFIX):
        for user, data in given_orders(world.root, suffix).items():
            orders.setdefault(user, {})[suffix] = read_order(data, signers, datetime.now(UTC))
    for user, both in orders.items():
        same = {order.model_copy(update={"endpoint": "0" * 32}) for order in both.values()}
        assert len(same) == 1, f"the two orders of {user} differ: {both}"
    kinds = {user: [(suffix, order.kind) for suffix, order in both.items()] for user, both in orders.items()}
    return {"kinds": kinds, "log": [fault.what for fault in verify_log(world.root / "events.jsonl").faults]}


def given_once(world: World) -> State:
    """As `given`, and how often the log says so."""
    events = (world.root / "events.jsonl").read_text()
    return {**given(world), "events": events.count('"order given"')}


def carried(world: World) -> State:
    """The kinds of orders that the feed's index lists, each of which is there."""
    signers = parse_allowed_signers((world.root / "allowed_signers").read_text())
    parts = published_parts(world.feed, read_workspace_id(world.root / "keys.vault"), signers, datetime.now(UTC))
    listed = [digest for _, part in parts if isinstance(part, Index) for digest in part.orders.values()]
    there = {path.stem: path.read_bytes() for path in world.feed.glob("o/*/*.order")}
    return {"orders": sorted(read_order(there[digest], signers, datetime.now(UTC)).kind for digest in listed)}


def recovered(world: World) -> State:
    """What `recovery use` leaves: the new operator opens the vault and the feed secret."""
    world.operator = world.folder / "second"
    try:
        secret = feed_secret(world.root / FILE, (), load_identities(world.operator / "identity.txt"), create=False)
        return {**trusted(world), "secret": len(secret)}
    finally:
        world.operator = world.folder / "config"


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


def reconciled(world: World) -> State:
    """The workspace, its feed, which bundles the loop counts as served by the gateway, and whether its page is whole."""
    validated = read_record(world.root / ".provision" / "reconciled.json").validated
    page = world.folder / "report.html"
    whole = page.exists() and page.read_text().endswith("</html>\n")
    return {**workspace(world), **feed(world), "validated": sorted(validated), "page": whole}


def deployed(world: World) -> State:
    """As `reconciled`, and what each machine certified last."""
    return {**reconciled(world), **sent(world)}


def sent(world: World) -> State:
    """What each machine certified last: the bundle in dist/, a halt, or something else."""
    fleet = load_workspace(world.root)
    states = fleet_states(fleet)
    newest = newest_receipts(fleet, states)
    digests = digests_of(fleet.dist, [state.user for state in states])
    said = {}
    for user, digest in digests.items():
        receipt = newest(user)
        assert receipt is not None, f"no receipt of {user} that verifies"
        said[user] = "halted" if says_halted(receipt) else "installed" if receipt.bundle == digest else "older"
    return {"machines": said}


def read_usage(world: World) -> State:
    """What `usage` keeps for the next months: a file that can be read."""
    found = json.loads((world.root / ".provision" / "usage-readings.json").read_text())
    return {"readings": sorted(found)}


def home(world: World) -> State:
    """The Hermes home: files of the user, and what `status` finds."""
    signers = parse_allowed_signers((world.root / "allowed_signers").read_text())
    found = home_status(world.home, signers=signers, environ={"HOME": str(world.home.parent)}, now=datetime.now(UTC))
    files = {name: (world.home / name).read_bytes() for name in (".env", "config.yaml")}
    return {**files, "ok": found.ok, "drift": list(found.drift), "mode": (world.home / ".env").stat().st_mode}


def halted(world: World) -> State:
    """The home of a halted machine: the user's files, the note, and that the order counts as obeyed."""
    files = {name: (world.home / name).read_bytes() for name in (".env", "config.yaml") if (world.home / name).exists()}
    obeyed = read_obeyed(world.config)
    return {**files, "halted": is_halted(world.home), "obeyed": obeyed and obeyed.kind}


def left_home(world: World) -> State:
    """The home after `uninstall`: the user's files, and nothing of provision."""
    files = {name: (world.home / name).read_bytes() for name in (".env", "config.yaml") if (world.home / name).exists()}
    return {**files, "own": (world.home / ".provision").exists()}


def people(world: World) -> State:
    """The workspace without a bundle of ada's: receipts that were put away, and the folders in dist/."""
    state = {name: value for name, value in workspace_but_bundles(world).items() if name != "bundles"}
    away = sorted(path.name for path in (world.root / "receipts" / "left").glob("*.receipt"))
    return {**state, "away": away, "dist": sorted(p.name for p in (world.root / "dist").iterdir() if p.name[0] != ".")}


def people_and_order(world: World) -> State:
    """What `users leave` leaves, with the order for the user's machines."""
    data, now = given_orders(world.root)["ada"], datetime.now(UTC)
    signers = workspace_trust(load_workspace(world.root), read_workspace_id(world.root / "keys.vault"), now).signers
    return {
        **people(world),
        "order": read_order(data, signers, now).kind,
        "carried": len(list(world.feed.glob("o/*/*"))),
    }


def profile(world: World) -> State:
    """The text of the team's profile."""
    return {"profile": (world.root / "profiles" / "team.yaml").read_bytes()}


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


def made_list(world: World) -> State:
    """As `made_workspace`, with its first trust list, in which the recovery key of the page is."""
    workspace = load_workspace(world.folder / "another")
    workspace_id = read_workspace_id(workspace.vault)
    trust = workspace_trust(workspace, workspace_id, datetime.now(UTC), remember=False).trust
    seed = parse_seed((world.folder / "recovery").read_text(), workspace_id)
    named = trust is not None and trust.recovery_keys == {seed.public().key}
    return {**made_workspace(world), "list": trust and (trust.number, len(trust.signers)), "named": named}


def machine_keys(world: World) -> State:
    """Keys that `enroll` made: they can be loaded, and only their owner can read them."""
    folder = world.folder / "fresh"
    load_identities(folder / "identity.txt")
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return {"files": names, "modes": [oct((folder / name).stat().st_mode) for name in names]}


def written(*names: str) -> Callable[[World], State]:
    """Files that a command writes: there, and not empty."""
    return lambda world: {name: bool((world.folder / name).stat().st_size) for name in names}
