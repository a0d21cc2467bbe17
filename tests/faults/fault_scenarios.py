"""What the fault driver tries: writing commands, the world before them, and what must be the same in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fault_states import (
    State,
    approved,
    carried,
    deployed,
    feed,
    given,
    given_once,
    halted,
    home,
    left_home,
    machine_keys,
    made_list,
    made_workspace,
    masked,
    people,
    people_and_order,
    profile,
    read_usage,
    reconciled,
    recovered,
    remembered,
    renewed,
    sent,
    trusted,
    trusted_bundles,
    workspace,
    workspace_but_bundles,
    written,
)
from fault_world import MACHINES_PULL, World


@dataclass(frozen=True)
class Scenario:
    """One command. `after` runs without faults (None: the command again); then `state` must be as if there had been no fault."""

    name: str
    words: tuple[str, ...]
    state: Callable[[World], State]
    whole: Callable[[World], State] | None = None
    """What is as before or as after the act, as soon as any command ran behind a fault."""
    colleague: tuple[tuple[str, ...], ...] = ()
    """What a second operator does behind `published`, who joined."""
    clone: tuple[str, ...] = ()
    """What the first operator does in a clone at the same time."""
    published: tuple[tuple[str, ...], ...] = ()
    """What the operator does first."""
    before: tuple[tuple[str, ...], ...] = ()
    """What is run next, in the place of the command."""
    after: tuple[tuple[str, ...], ...] | None = None
    machine: bool = False
    config: str = ""
    """The configuration folder; empty: the operator's or the machine's."""


NEW_OPERATOR = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"
INSTALL = ("install", "{root}/dist/ada", "--home", "{home}")
START = ("rotate", "start", "--from", "{folder}/new.csv", "--waves", "100%", "--idle-for", "0", "--yes")
RESUME = ("rotate", "resume")
ROLLBACK = ("rotate", "rollback", "--yes")
LEAKED = ("rotate", "leaked", "ada", "--from", "{folder}/leaked.csv")
FIX, UNDO = ("audit", "{home}", "--fix", "--yes"), ("audit", "--undo", "--yes")

NEW_SIGNER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0uPDwkyBkFK3RLdLNlZYTdUIFK1mkLOyTU5pR2IoS/"
UPGRADE = ("operators", "upgrade", "--name", "op", "--recovery-to", "{folder}/page")
PUBLISH = ("publish", "{feed}")
JOINED = ("operators", "add", "colleague", "{colleague_age}", "{colleague_key}")
BATCH = ("enroll", "--batch", "{folder}/snippets", "--yes", "--fingerprints", "{folder}/prints", "--profile", "team")
HALT = ("halt", "ada", "--reason", "incident", "--for", "4h")
REJOIN = ("users", "add", "ada", "--rejoin")
LOOP = ("reconcile", "--feed", "{feed}", "--receipts", "{folder}/drop")
LEAVE = ("users", "leave", "ada", "--feed", "{feed}", "--yes")

SCENARIOS = (
    Scenario("init", ("init", "{folder}/another"), made_workspace, config="fresh"),
    Scenario(
        "init-recovery",
        ("init", "{folder}/another", "--recovery-to", "{folder}/recovery"),
        made_list,
        after=(
            ("init", "{folder}/another", "--recovery-to", "{folder}/recovery"),
            ("--workspace", "{folder}/another", "operators", "upgrade", "--recovery-to", "{folder}/recovery"),
        ),
        config="fresh",
    ),
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
    Scenario(
        "reconcile",
        ("reconcile", "--feed", "{feed}", "--receipts", "{folder}/drop", "--report", "{folder}/report.html"),
        reconciled,
        before=(("keys", "import", "{folder}/new.csv"),),
    ),
    Scenario(
        "reconcile-rotation",
        LOOP,
        reconciled,
        before=(START, MACHINES_PULL),
        after=(LOOP, LOOP),
    ),
    Scenario(
        "reconcile-deploy",
        ("reconcile", "--feed", "{feed}", "--deploy"),
        deployed,
        before=(
            UPGRADE,
            *(("machines", "set", user, "--host", f"{user}.example") for user in ("ada", "bob", "cyd")),
            ("keys", "import", "{folder}/new.csv"),
            HALT,
            START,
        ),
    ),
    Scenario(
        "deploy",
        ("deploy",),
        sent,
        before=(
            *(("machines", "set", user, "--host", f"{user}.example") for user in ("ada", "bob", "cyd")),
            ("keys", "import", "{folder}/new.csv"),
            ("render",),
        ),
    ),
    Scenario("adopt", ("adopt", "{folder}/pasted", "--replace"), workspace_but_bundles),
    Scenario("usage", ("usage",), read_usage),
    Scenario(
        "profiles-new",
        ("profiles", "new", "design", "--from-home", "{folder}/pasted/ada/.hermes"),
        written("workspace/profiles/design.yaml"),
    ),
    Scenario("receipts", ("receipts", "import", "{folder}/drop"), workspace),
    Scenario("start", START, workspace, after=(START, RESUME)),
    Scenario("resume", RESUME, workspace, before=(START,), after=(RESUME, RESUME)),
    Scenario("rollback", ROLLBACK, workspace, before=(START,), after=(ROLLBACK, RESUME, RESUME)),
    Scenario("finish", ("rotate", "finish", "--except", "*=given up"), workspace, before=(START,)),
    Scenario(
        "leaked",
        LEAKED,
        workspace,
        after=(LEAKED, (*RESUME, "--from", "{folder}/leaked.csv"), RESUME, ("keys", "demo", "bob", "--clear")),
    ),
    Scenario(
        "batch",
        BATCH,
        workspace,
    ),
    Scenario("leave", LEAVE, people, before=(PUBLISH,)),
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
    Scenario(
        "obey",
        ("pull", "{address}", "--home", "{home}"),
        left_home,
        published=(UPGRADE, PUBLISH, LEAVE),
        before=(("install", "{folder}/bundle", "--home", "{home}"),),
        machine=True,
    ),
    Scenario("leave-by-order", LEAVE, people_and_order, published=(UPGRADE, PUBLISH)),
    Scenario("rejoin", REJOIN, people, before=(PUBLISH, LEAVE)),
    Scenario("rejoin-order", REJOIN, people_and_order, published=(UPGRADE, PUBLISH, LEAVE)),
    Scenario("machines-set", ("machines", "set", "ada/laptop", "--host", "ada-mbp"), people),
    Scenario("profiles-set", ("profiles", "set", "team", "model=gpt-5.4-mini"), profile, whole=profile),
    Scenario("status", ("status", "--home", "{home}", "--receipt"), home, before=(INSTALL,), machine=True),
    Scenario("fix", FIX, masked, machine=True),
    Scenario("undo", UNDO, masked, before=(FIX,), machine=True),
    Scenario("redact", ("redact", "-i", "{folder}/page.txt"), masked, machine=True),
    Scenario("move", ("users", "move", "ada", "--profile", "other"), people),
    Scenario(
        "users-import",
        ("users", "import", "{folder}/people.csv", "--profile", "team", "--yes"),
        people,
    ),
    Scenario(
        "merge", ("keys", "merge", "{folder}/theirs-keys.vault", "--log", "{folder}/theirs-events.jsonl"), workspace
    ),
    Scenario(
        "retire",
        ("rotate", "retire", "--idle-for", "0"),
        workspace,
        before=(("keys", "import", "{folder}/new.csv"), ("render",)),
        after=(("rotate", "retire", "--idle-for", "0"), RESUME),
    ),
    Scenario("upgrade", UPGRADE, trusted, whole=trusted),
    Scenario(
        "recovery-set",
        ("operators", "upgrade", "--recovery-to", "{folder}/page"),
        trusted,
        whole=trusted,
        before=(("operators", "upgrade", "--no-recovery"),),
    ),
    Scenario(
        "add-signer", ("operators", "add", "zoe", NEW_OPERATOR, NEW_SIGNER), trusted, whole=trusted, before=(UPGRADE,)
    ),
    Scenario(
        "remove-signer",
        ("operators", "remove", "colleague"),
        trusted_bundles,
        whole=trusted,
        published=(UPGRADE, JOINED),
        colleague=(("render", "--force"),),
    ),
    Scenario(
        "renew",
        ("operators", "check", "--renew"),
        renewed,
        whole=trusted,
        before=(PUBLISH, UPGRADE),
    ),
    Scenario(
        "sign",
        ("operators", "sign", "--yes"),
        trusted,
        whole=trusted,
        published=(UPGRADE, JOINED, ("operators", "threshold", "2")),
        config="colleague",
    ),
    Scenario(
        "accept",
        ("operators", "accept", "--yes"),
        remembered,
        whole=remembered,
        published=(UPGRADE, JOINED),
        clone=("operators", "add", "zoe", NEW_OPERATOR, NEW_SIGNER),
        colleague=(("operators", "check", "--renew"),),
    ),
    Scenario(
        "approve",
        ("operators", "approve", "--yes"),
        approved,
        whole=approved,
        colleague=(BATCH,),
    ),
    Scenario(
        "order",
        ("halt", "--all", "--reason", "incident", "--for", "4h"),
        given,
        whole=given_once,
        published=(PUBLISH, UPGRADE),
    ),
    Scenario(
        "order-back",
        ("resume", "--all", "--reason", "over"),
        given,
        whole=given_once,
        published=(PUBLISH, UPGRADE, ("halt", "--all", "--reason", "incident", "--for", "4h")),
    ),
    Scenario("order-pushed", HALT, given, whole=given_once, published=(UPGRADE,)),
    Scenario("publish-order", PUBLISH, carried, whole=carried, published=(UPGRADE, ("render",), PUBLISH, HALT)),
    Scenario("recovery-test", ("recovery", "test", "{folder}/page"), remembered, before=(UPGRADE,)),
    Scenario("join", ("operators", "join", "--name", "zed"), machine_keys, config="fresh"),
    Scenario(
        "revoke",
        ("operators", "revoke", "zoe", "--yes"),
        trusted,
        whole=trusted,
        before=(UPGRADE, ("operators", "add", "zoe", NEW_OPERATOR, NEW_SIGNER, "--roles", "bundle")),
    ),
    Scenario(
        "threshold",
        ("operators", "threshold", "2"),
        trusted,
        whole=trusted,
        before=(UPGRADE, ("operators", "add", "zoe", NEW_OPERATOR, NEW_SIGNER)),
    ),
    Scenario(
        "recover",
        ("recovery", "use", "{folder}/page", "--name", "eve", "--recovery-to", "{folder}/page2"),
        recovered,
        published=(PUBLISH, UPGRADE),
        config="second",
    ),
    Scenario("pull", ("pull", "{address}", "--home", "{home}"), home, published=(PUBLISH,), machine=True),
    Scenario(
        "halt",
        ("pull", "{address}", "--home", "{home}"),
        halted,
        published=(UPGRADE, ("render",), ("publish", "{feed}"), HALT, ("publish", "{feed}")),
        before=(INSTALL,),
        machine=True,
    ),
    Scenario(
        "halt-pushed",
        (*INSTALL, "--order", "{root}/orders/ada.push"),
        halted,
        published=(UPGRADE, ("render",), HALT),
        before=(INSTALL,),
        machine=True,
    ),
    Scenario(
        "baseline",
        ("audit", "{home}", "--update-baseline", "--baseline", "{folder}/base.json", "--reason", "old"),
        written("base.json"),
    ),
    Scenario("known", ("audit", "--write-known", "{folder}/known.json"), written("known.json")),
    Scenario("audit", ("audit", "{home}", "-f", "json", "-o", "{folder}/audit.json"), written("audit.json")),
    Scenario("checklist", ("checklist", "{folder}/page.txt", "-o", "{folder}/checklist"), written("checklist")),
    Scenario("redact-zip", ("redact", "-o", "{folder}/new.zip", "{folder}/old.zip"), written("new.zip"), machine=True),
    Scenario("timer", ("pull", "--timer-dir", "{folder}/timer", "--install-timer"), written("timer"), machine=True),
)
