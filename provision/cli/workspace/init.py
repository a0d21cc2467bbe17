"""`provision init`: create a workspace, and the operator's own keys outside of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.operators.recovery_output import (
    NoRecovery,
    RecoveryAge,
    RecoveryChoice,
    RecoveryKeyOption,
    RecoveryTo,
    new_recovery,
    terminal,
)
from provision.cli.workspace.own_keys import make_identity, make_signing_key
from provision.errors import ProvisionError
from provision.shell import shell_path, shell_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.fleet.workspace import Workspace

_JOURNAL = ".provision-init.json"
_SETTINGS = """\
# Settings of this workspace. An environment variable PROVISION_NAME overrides each. Nothing here is secret.
# Lines with # show the defaults, or an example.

{lines}

# Your identity and your signing key are not here, because a workspace is committed. They are in {config_dir}
"""
_INVENTORY = """\
# Who gets what. Commands write this file and keep its comments and order; `provision check` checks it:
#   provision users import EXPORT        users of Entra, Google, Okta, AD …
#   provision users add USER             one user
#   provision enroll --batch FILE        the keys of their machines
# inventory.example.yaml shows all fields, with invented users.
defaults:
  platform: linux
users: []
"""
_GITIGNORE = """\
# keys.vault (encrypted) and events.jsonl belong in git; these do not
.*.lock
.*.lock.holder
.*.provision-new
keys*.csv
keys*.json
*.pem
identity.txt
signing_key
.env
"""
_GITATTRIBUTES = """\
# the same bytes on every operator's system, also with core.autocrlf: bundles must not change from render to render
* text=auto eol=lf
# signed, or compared byte by byte
dist/** -text
trust/** -text
receipts/** -text
allowed_signers -text
# encrypted as a whole: no changes of line ends, no merge by lines (see: provision keys merge --help)
keys.vault -text -merge
# a hash chain: every line depends on the one before
events.jsonl -text -merge
"""


class WorkspaceExistsError(ProvisionError):
    """Files of a workspace exist already; the message lists them. Nothing was written."""


@app.command("init")
def init(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder of the workspace, created if missing. Default: this folder.")
    ] = Path(),
    recovery_to: RecoveryTo = None,
    recovery_age: RecoveryAge = None,
    recovery_key: RecoveryKeyOption = None,
    no_recovery: NoRecovery = False,
) -> None:
    """Create a workspace and your operator keys.

    The workspace gets examples, settings and an empty vault. Your identity and signing key are created outside of it,
    unless they exist already. On a terminal, or with an option about recovery, it also gets a recovery key and its first
    trust list.
    """
    from datetime import UTC, datetime

    from provision.endpoint.identity import FOUNDER_NAMESPACES
    from provision.files import FileProblemError
    from provision.fleet.config_folder import config_dir
    from provision.fleet.links import is_outside
    from provision.keys.events.log import LOG_NAME, new_log
    from provision.keys.vault.vault import new_vault
    from provision.signing.allowed_signers import signer_line
    from provision.transaction import Transaction, recover

    run: Run = ctx.obj
    choice = RecoveryChoice(recovery_to, recovery_age, recovery_key, no_recovery)
    files = _examples()
    folders = {os.path.dirname(name) for name in files} - {""}  # noqa: PTH120
    # what is staged in a whole workspace belongs to another command's change, which may be running
    ours = os.path.lexists(folder / _JOURNAL) or not os.path.lexists(folder / "keys.vault")
    if folder.is_dir() and ours and recover(folder, journal=_JOURNAL, folders=folders):
        run.say("finished an interrupted init")
        _finish(run, folder, folders, choice)
        return
    names = [*files, "provision.toml", "allowed_signers", "keys.vault", LOG_NAME]
    if present := [name for name in names if os.path.lexists(folder / name)]:
        complete = len(present) == len(names) and not any((folder / "trust").glob("*.json"))
        upgrade = (
            f"provision --workspace {shell_path(folder)} operators upgrade {' '.join(map(shell_word, choice.words()))}"
        )
        raise WorkspaceExistsError(
            f"{folder.absolute()} already has {', '.join(present)}; nothing was changed",
            hint=upgrade if complete and choice.made else "provision init NEW-FOLDER",
        )
    for name in folders:
        if is_outside(str(folder), str(folder / name)):
            raise FileProblemError(
                f"{folder / name} is a link out of the folder; nothing was changed",
                hint=f"see who added it, then remove it: rm {shell_path(folder / name)}",
            )
    own = config_dir(os.environ)
    folder.mkdir(parents=True, exist_ok=True)
    recipient = make_identity(run, own / "identity.txt")
    public = make_signing_key(run, own / "signing_key")
    vault = new_vault([recipient])
    log, log_head = new_log(vault.workspace_id, datetime.now(UTC))
    files |= {
        LOG_NAME: log,
        "provision.toml": settings_text(own).encode(),
        "allowed_signers": signer_line("operator", public, FOUNDER_NAMESPACES).encode(),
        "keys.vault": vault.serialised(log_head),
    }
    for name, text in {".gitignore": _GITIGNORE, ".gitattributes": _GITATTRIBUTES}.items():
        if os.path.lexists(folder / name):  # an existing repository
            run.say(f"{name} exists and was not changed; add these lines to it:")
            for line in text.splitlines():
                run.say(f"    {line}")
        else:
            files[name] = text.encode()
    with Transaction(folder, journal=_JOURNAL) as change:
        for name, data in files.items():
            change.write(name, data, mode=0o644)
    _finish(run, folder, folders, choice)


def _finish(run: Run, folder: Path, folders: Iterable[str], choice: RecoveryChoice) -> None:
    """What comes behind the files of a new workspace."""
    from provision.fleet.workspace import load_workspace

    for name in folders:
        (folder / name).chmod(0o755)
    if choice.made or terminal():
        _first_list(run, load_workspace(folder), choice)
    else:
        run.say("no recovery key and no trust list yet: provision operators upgrade --recovery-to FILE")
    _next_steps(run, load_workspace(folder))


def _first_list(run: Run, workspace: Workspace, choice: RecoveryChoice) -> None:
    """The first trust list and the recovery key of a new workspace."""
    from provision.cli.operators.session import act_of_operator, own_name
    from provision.operators.acts import upgrade

    with act_of_operator(run, "init", dry_run=False, workspace=workspace) as act:
        _, public = new_recovery(run, choice, act, dry_run=False)
        upgrade(act, own_name(workspace), public)


def settings_text(own_keys: Path) -> str:
    """The `provision.toml` of a new workspace, which shows the defaults of the most important settings."""
    import json

    from provision.fleet.settings import Settings

    def default(name: str) -> str:
        return f"# {name} = {json.dumps(Settings.model_fields[name].default)}"

    lines = (
        (default("gateway"), "gateway that keys are probed at"),
        (default("gateway_hosts"), "hosts allowed in base URLs"),
        (default("seal_to_operators"), "true: operators can open every bundle, too"),
        (default("signer"), "name under which you sign, as in allowed_signers"),
        ('# contact = "it@example.com"', "where users reach IT: in their welcome page and in messages"),
        (default("bundle_days"), "days until a bundle expires"),
        (
            '# key_command = ["op", "read", "op://keys/{user}/aisa"]',
            "prints the key of a user without a key in the vault",
        ),
        (default("concurrency"), "parallel requests to the gateway; it may limit an office as one client"),
        ('# tls_bundle = "company-ca.pem"', "additional certificate authorities"),
    )
    text = "\n".join(f"{line:<42}  # {remark}" if remark else line for line, remark in lines)
    return _SETTINGS.format(lines=text, config_dir=own_keys)


def _examples() -> dict[str, bytes]:
    from provision.cli.workspace.example import example_workspace
    from provision.files import read_bounded

    source = example_workspace()
    files = {
        f"{part}/{path.relative_to(source / part).as_posix()}": read_bounded(path, 1 << 20)
        for part in ("profiles", "templates")
        for path in sorted((source / part).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    example = read_bounded(source / "inventory.example.yaml", 1 << 20)
    return files | {"inventory.example.yaml": example, "inventory.yaml": _INVENTORY.encode()}


def _next_steps(run: Run, workspace: Workspace) -> None:
    where = workspace.root
    run.result(
        f"created the workspace {where}\n"
        "next:\n"
        f"  1. git init {shell_path(where)}; cd {shell_path(where)}\n"
        "  2. edit profiles/ (teams), then: provision check\n"
        "  3. add users: provision users import EXPORT (of Entra, Google, Okta, AD …), or provision users add USER\n"
        "     on each user's machine: provision enroll --user USER; here: provision enroll --batch FILE\n"
        "  4. import the keys from the console (user,key,label): provision keys import FILE.csv\n"
        "  5. build the bundles: provision render\n"
    )
