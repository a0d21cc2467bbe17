"""`init`: a workspace to start from, and the operator's own keys outside of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from provision.fleet.workspace import Workspace

_JOURNAL = ".provision-init.json"
_SETTINGS = """\
# Settings of this workspace; each can be overridden by an environment variable PROVISION_NAME. Nothing here is secret.

# gateway = "https://api.aisa.one/v1"       # where keys are probed
# gateway_hosts = ["api.aisa.one"]          # hosts that a base URL may name
operators = [{operators}]
seal_to_operators = false                   # true: operators can open every bundle, too
# signer = "operator"                       # the name under which you sign, as in allowed_signers
# bundle_days = 90                          # how long a bundle can be installed
# key_command = ["op", "read", "op://keys/{{user}}/aisa"]   # asked for users without a key in the vault
# concurrency = 8                           # requests to the gateway at a time; an office may be limited as one client
# tls_bundle = "company-ca.pem"             # further certificate authorities

# Your identity and your signing key are not here: a workspace is committed. They are in {config_dir}
"""
_GITIGNORE = """\
# keys.vault is sealed and belongs in git, with events.jsonl; what follows does not
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
# sealed as a whole: no line ends changed, no merging line by line (see: provision keys merge --help)
keys.vault -text -merge
# a chain: every line builds on the one before
events.jsonl -text -merge
"""


class WorkspaceExistsError(ProvisionError):
    """Files are in the way; the message lists them. Nothing was written."""


@app.command("init")
def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Made if absent.")] = Path(),
) -> None:
    """Create a workspace and your operator keys.

    The workspace gets examples, settings and an empty vault; your identity and signing key stay outside of it.
    """
    from datetime import UTC, datetime

    from provision.files import recover
    from provision.fleet.settings import config_dir
    from provision.fleet.workspace import load_workspace
    from provision.keys.events.log import LOG_NAME, new_log
    from provision.keys.vault.vault import new_vault
    from provision.signing.allowed_signers import signer_line

    run: Run = ctx.obj
    if folder.is_dir() and recover(folder, journal=_JOURNAL, folders=("profiles", "templates")):
        run.say("finished what an earlier init had begun")
        _next_steps(run, load_workspace(folder))
        return
    files = _examples()
    names = [*files, "provision.toml", "allowed_signers", "keys.vault", LOG_NAME]
    if present := [name for name in names if os.path.lexists(folder / name)]:
        raise WorkspaceExistsError(
            f"already in {folder.absolute()}: {', '.join(present)}", hint="nothing was changed; take an empty folder"
        )
    own = config_dir(os.environ)
    folder.mkdir(parents=True, exist_ok=True)
    recipient = _identity(run, own / "identity.txt")
    public = _signing_key(run, own / "signing_key")
    vault = new_vault([recipient])
    files |= {
        LOG_NAME: new_log(vault.workspace_id, datetime.now(UTC)),
        "provision.toml": _SETTINGS.format(operators=f'"{recipient}"', config_dir=own).encode(),
        "allowed_signers": signer_line("operator", public).encode(),
        "keys.vault": vault.serialised(),
    }
    for name, text in {".gitignore": _GITIGNORE, ".gitattributes": _GITATTRIBUTES}.items():
        if os.path.lexists(folder / name):  # a repository that was there first
            run.say(f"{name} was there and was left alone; add these lines to it:")
            for line in text.splitlines():
                run.say(f"    {line}")
        else:
            files[name] = text.encode()
    _write(folder, files)
    _next_steps(run, load_workspace(folder))


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
    return files | {"inventory.yaml": read_bounded(source / "inventory.example.yaml", 1 << 20)}


def _identity(run: Run, path: Path) -> str:
    """The recipient of the operator's identity, which is made if there is none."""
    from datetime import UTC, datetime

    from provision.files import write_atomic
    from provision.keys.age import generate_identity, identity_file, load_identities

    if path.exists():
        run.say(f"your identity was there: {path}")
        return load_identities(path)[0].recipient
    secret, recipient = generate_identity()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, identity_file(secret, recipient, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"))
    run.say(f"made your identity: {path} (keep a copy in a safe place: without it the vault stays shut)")
    return recipient


def _signing_key(run: Run, path: Path) -> str:
    """The public line of the operator's signing key, which is made if there is none."""
    from provision.files import write_atomic
    from provision.signing.sshsig import load_signing_key, new_signing_key, public_line

    if path.exists():
        run.say(f"your signing key was there: {path}")
        return public_line(load_signing_key(path).public_key())
    key, text = new_signing_key()
    write_atomic(path, text)
    run.say(f"made your signing key: {path}")
    return public_line(key.public_key())


def _write(folder: Path, files: dict[str, bytes]) -> None:
    from provision.files import Transaction

    with Transaction(folder, journal=_JOURNAL) as change:
        for name, data in files.items():
            change.write(name, data, mode=0o644)
    for part in ("profiles", "templates"):
        (folder / part).chmod(0o755)


def _next_steps(run: Run, workspace: Workspace) -> None:
    where = workspace.root
    run.result(
        f"a workspace is in {where}\n"
        "  next:\n"
        f"    1. cd {where} && git init\n"
        "    2. write your teams into profiles/ and your users into inventory.yaml, then: provision check\n"
        "    3. on each user's machine: provision enroll; its output goes into inventory.yaml\n"
        "    4. put the keys from the console into the vault: provision keys import FILE.csv (user,key,label)\n"
        "    5. build the bundles: provision render\n"
    )
