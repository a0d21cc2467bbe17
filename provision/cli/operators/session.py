"""What the commands about operators share: the act with this operator's keys, and how its result is printed."""

from __future__ import annotations

import contextlib
import getpass
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace
    from provision.keys.age import Identity
    from provision.operators.act import OperatorAct

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


@contextlib.contextmanager
def act_of_operator(
    run: Run,
    doing: str,
    *,
    dry_run: bool,
    workspace: Workspace | None = None,
    identities: Sequence[Identity] | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Iterator[OperatorAct]:
    """An act with this operator's identity, and its summary when it ended."""
    from provision.keys.age import load_identities
    from provision.operators.act import operator_act

    workspace = workspace or run.open_workspace()
    own = load_identities(workspace.identity) if identities is None else identities
    with operator_act(workspace, own, doing, datetime.now(UTC), dry_run=dry_run, key=key) as act:
        yield act
    for note in act.notes:
        run.say(note)
    if act.waiting is not None:
        run.say(
            f"trust list {act.waiting.number} waits for signatures: commit it, then another operator runs"
            " `provision operators sign`"
        )
    elif act.accepted is not None:
        run.say(f"trust list {act.accepted.trust.number}, valid until {act.accepted.trust.expires[:10]}")
    if dry_run:
        run.say("dry run: nothing was written")


def valid_name(name: str) -> str:
    """The name of an operator. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"invalid name {name!r}", hint="use letters, digits and . _ @ + -, such as ada")
    return name


def own_name(workspace: Workspace) -> str:
    """The name of this operator: `signer` in provision.toml if it is set, else the account's."""
    if workspace.settings.signer != "operator":
        return workspace.settings.signer
    with contextlib.suppress(OSError, KeyError):
        found = "".join(c if c.isalnum() or c in "._@+-" else "-" for c in getpass.getuser())[:64].lstrip("._@+-")
        if _NAME.fullmatch(found):
            return found
    return "operator"


def public_key(text: str) -> str:
    """A signing key as trust lists spell it, from a public key line or a `.pub` file. Raises UsageError."""
    from provision.signing.allowed_signers import BadAllowedSignersError, parse_allowed_signers
    from provision.signing.sshsig import KEY_TYPE
    from provision.trust.trust_list import key_text

    line = text_of(text)
    try:
        (signer,) = parse_allowed_signers(f"x {line}", "the key")
    except (BadAllowedSignersError, ValueError) as e:
        raise UsageError("invalid signing key", hint='use "ssh-ed25519 AAAA…" or its .pub file') from e
    if signer.key_type != KEY_TYPE or signer.authority:
        raise UsageError("a signing key must be a plain Ed25519 key", hint="make one: provision operators join")
    return key_text(signer.blob)


def text_of(argument: str) -> str:
    """A public key or recipient, or the content of the `.pub` file of that name."""
    if argument.startswith(("age1", "ssh-")) or not argument.endswith(".pub"):
        return argument.strip()
    from provision.files import read_optional
    from provision.formats.shell_output import shell_bytes

    data = read_optional(Path(argument), 1 << 16)
    if data is None:
        raise UsageError(f"file not found: {argument}", hint="give the key itself, or its .pub file")
    return shell_bytes(data).decode("utf-8", "replace").strip()


def own_keys(run: Run) -> tuple[str, str]:
    """This operator's recipient and public signing key; both keys are made if they are missing."""
    from provision.cli.workspace.own_keys import make_identity, make_signing_key

    workspace = run.open_workspace()
    recipient = make_identity(run, workspace.identity)
    return recipient, public_key(make_signing_key(run, workspace.signing_key))


def passing_keys() -> tuple[str, Ed25519PrivateKey]:
    """Keys for a dry run, in place of those that the command would make. They are kept nowhere."""
    from provision.keys.age import generate_identity
    from provision.signing.sshsig import new_signing_key

    return generate_identity()[1], new_signing_key()[0]
