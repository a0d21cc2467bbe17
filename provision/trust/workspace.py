"""The trust list of a workspace, as its operators see it: read and verify the chain, and say what a key may sign.

The workspace is in git, so whoever can push could replace the chain. The newest list that this operator accepted is therefore
kept outside of the workspace, in their configuration folder, and the chain must continue it. A workspace without a chain uses
its `allowed_signers` file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic
from provision.fleet.config_folder import config_dir
from provision.shell import shell_path
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer, parse_allowed_signers
from provision.signing.fields import parse_moment
from provision.signing.sshsig import blob_fingerprint, public_blob
from provision.trust.acceptance import (
    ExpiredListError,
    SignedList,
    TooFewSignaturesError,
    TrustRefusedError,
)
from provision.trust.files import folder_source, mapping_source, read_chain
from provision.trust.trust_list import (
    MAX_LIST_BYTES,
    NAMESPACES,
    Role,
    TrustList,
    list_digest,
    list_name,
    parse_list,
)
from provision.trust.walk import Pins, first_list, first_walk, valid_signers, walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.fleet.workspace import Workspace

_MAX_SIGNERS_BYTES = 1 << 20
_WORDS = {Role.BUNDLE: "bundles", Role.FEED: "the feed", Role.ORDER: "orders", Role.TRUST: "trust lists"}


class MayNotSignError(ProvisionError):
    """The operator's key may not sign this: every machine would refuse it. Nothing was written."""


class OtherChainError(TrustRefusedError):
    """The chain in the workspace does not continue the list that this operator accepted before."""


@dataclass(frozen=True, slots=True)
class WorkspaceTrust:
    """The accepted list of a workspace and its chain by path; None and nothing without one.

    `pending` is a list that follows and still lacks signatures; `expired` says that the accepted one expired.
    """

    workspace_root: Path
    signers: Sequence[AllowedSigner]
    current: SignedList | None = None
    chain: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    pending: TrustList | None = None
    expired: bool = False

    @property
    def trust(self) -> TrustList | None:
        return self.current.trust if self.current else None

    @property
    def number(self) -> str | None:
        """The accepted list's number; None without one."""
        return self.trust.number if self.trust else None

    def require_may_sign(self, key: Ed25519PrivateKey, role: Role, now: datetime, path: Path) -> None:
        """Raise MayNotSignError unless the operator's key may sign this now. `path` is the key's file, for the message."""
        blob = public_blob(key.public_key())
        if self.expired and self.trust is not None:
            raise MayNotSignError(
                f"trust list {self.trust.number} expired on {self.trust.expires}: no machine accepts anything new",
                hint="renew it: provision operators check --renew",
            )
        found = find_trusted_signer(self.signers, blob, now, NAMESPACES[role])
        if isinstance(found, str) and role is Role.FEED and self.current is None:
            found = find_trusted_signer(self.signers, blob, now)  # without a list, a key for bundles may sign the feed
        if not isinstance(found, str):
            return
        where = f"trust list {self.number}" if self.current else "allowed_signers"
        join = "ask another operator to run what this prints: provision operators join"
        raise MayNotSignError(
            f"your signing key {path} ({blob_fingerprint(blob)}) may not sign {_WORDS[role]} by {where}: {found}",
            hint=join if self.current else f"{join}; or use another key: PROVISION_SIGNING_KEY=FILE",
        )


def workspace_trust(
    workspace: Workspace, workspace_id: str, now: datetime, *, remember: bool = False
) -> WorkspaceTrust:
    """Read and verify the trust of a workspace. `remember` stores the newest list outside of it.

    Raises OtherChainError, TrustRefusedError and BadTrustListError; the hint says how to go on.
    """
    root = workspace.root
    chain = read_chain(root)
    memory = remembered_path(workspace_id)
    known = read_optional(memory, MAX_LIST_BYTES)
    if not chain:
        if known is not None:
            raise OtherChainError(
                f"this workspace had trust list {parse_list(known).number}, and its folder trust/ is gone",
                hint="restore it from git: git checkout HEAD -- trust",
            )
        return WorkspaceTrust(root, _file_signers(workspace))
    current, pending, expired = _walked(root, known, now)
    if current.trust.workspace != workspace_id:
        raise OtherChainError(
            f"trust/ belongs to workspace {current.trust.workspace}, the vault to {workspace_id}",
            hint="restore trust/ and the vault from git",
        )
    if remember and known != current.data:
        remember_list(memory, current)
    accepted = {name: data for name, data in chain.items() if _is_accepted(name, current.trust)}
    return WorkspaceTrust(root, current.trust.allowed_signers(), current, accepted, pending, expired)


def require_whole_chain(trusted: WorkspaceTrust) -> None:
    """Raise OtherChainError unless a new machine, which begins at 1-1, reaches the accepted list: machines need every list."""
    if trusted.current is None:
        return
    pins, made = Pins(digests=[trusted.current.digest]), parse_moment(trusted.current.trust.created)
    fix = "restore trust/ from git: git log --oneline -- trust"
    try:
        found = first_walk(pins, mapping_source(trusted.chain), made)
    except ProvisionError as e:
        raise OtherChainError(f"new machines do not reach trust list {trusted.number}: {e.message}", hint=fix) from e
    if found is None:
        raise OtherChainError(
            f"new machines do not reach trust list {trusted.number}: trust/ has no valid list 1-1", hint=fix
        )


def remembered_path(workspace_id: str) -> Path:
    """Where the newest list of a workspace is kept that this operator accepted."""
    return config_dir(os.environ) / "workspaces" / workspace_id / "trust_list.json"


def remember_list(path: Path, current: SignedList) -> None:
    """Keep the newest accepted list outside of the workspace."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, current.data)


def accept_sibling(workspace: Workspace, workspace_id: str, now: datetime) -> tuple[TrustList, TrustList]:
    """Accept the workspace's list in place of one of the same number that this operator made or accepted before.

    Two operators made the next list at the same time, and git kept the other one. The whole chain is verified from 1-1, and both
    lists must follow the same one. Returns the list given up and the newest one. Raises OtherChainError for any other chain.
    """
    memory = remembered_path(workspace_id)
    known = read_optional(memory, MAX_LIST_BYTES)
    if known is None:
        raise OtherChainError("no trust list was accepted on this machine before", hint="provision operators list")
    mine, fetch = parse_list(known), folder_source(workspace.root)
    there = fetch(list_name(*mine.order), MAX_LIST_BYTES)
    if there == known:
        raise OtherChainError(
            f"nothing to accept: the workspace has trust list {mine.number} as you know it",
            hint="see who may sign: provision operators list",
        )
    shared = {list_digest(data) for name, data in read_chain(workspace.root).items() if name.endswith(".json")}
    if there is None or mine.previous is None or mine.previous not in shared:
        raise OtherChainError(
            f"the workspace's trust lists are not siblings of the list {mine.number} that you accepted",
            hint="do not go on; ask the other operators who changed trust/",
        )
    current, _, _ = _walked(workspace.root, None, now)
    if current.trust.workspace != workspace_id or current.trust.order < mine.order:
        raise OtherChainError("trust/ does not lead to a list of this workspace that is as new", hint="run `git pull`")
    remember_list(memory, current)
    return mine, current.trust


def note_recovery_test(workspace_id: str, now: datetime) -> None:
    """Remember that the recovery key was proved to work."""
    path = remembered_path(workspace_id).with_name("recovery_tested")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, f"{now:%Y-%m-%d}\n".encode())


def recovery_tested(workspace_id: str) -> datetime | None:
    """When the recovery key was last proved to work on this machine; None if it never was."""
    data = read_optional(remembered_path(workspace_id).with_name("recovery_tested"), 64)
    try:
        return datetime.strptime((data or b"").decode().strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _walked(root: Path, known: bytes | None, now: datetime) -> tuple[SignedList, TrustList | None, bool]:
    """The newest accepted list, one that lacks signatures, and whether the accepted one expired."""
    fetch = folder_source(root)
    begin = _begin(root, known)
    passed = [begin]
    try:
        walk(begin, fetch, passed.append, now)
    except ExpiredListError:
        return passed[-1], None, True
    except TooFewSignaturesError:
        last = passed[-1].trust
        waiting = fetch(list_name(last.epoch, last.version + 1), MAX_LIST_BYTES)
        if waiting is None:
            raise
        pending = parse_list(waiting)
        if not valid_signers(waiting, fetch, last.keys_with(Role.TRUST)):
            name = list_name(*pending.order)
            raise OtherChainError(
                f"trust list {pending.number} in the workspace is signed by no operator",
                hint=f"do not sign it; see who added it (git log -- {name}), then: rm {shell_path(root / name)}",
            ) from None
        return passed[-1], pending, now >= last.expires_at
    except TrustRefusedError as e:
        e.hint = "run `git pull`; two operators may have changed the trust list at the same time (docs/trust.md)"
        raise
    return passed[-1], None, False


def _begin(root: Path, known: bytes | None) -> SignedList:
    """Where the walk begins: at the list that this operator accepted before, which the chain must contain, else at 1-1."""
    fetch = folder_source(root)
    if known is None:
        first = first_list(fetch)
        if first is None:
            raise OtherChainError("trust/ has no list 1-1", hint="restore it from git: git checkout HEAD -- trust")
        return first
    before = SignedList(parse_list(known), known, frozenset())
    here = fetch(list_name(*before.trust.order), MAX_LIST_BYTES)
    if here != known:
        number = before.trust.number
        what = "is not the one that you accepted before" if here else "is missing, and you accepted it before"
        sibling = "; if two of you made it at the same time: provision operators accept" if here else ""
        raise OtherChainError(
            f"trust list {number} of the workspace {what}",
            hint=f"run `git pull`; if it stays so, ask the other operators who changed trust/{sibling}",
        )
    return before


def _is_accepted(name: str, trust: TrustList) -> bool:
    epoch, _, version = name.partition("/")[2].partition(".")[0].partition("-")
    return (int(epoch), int(version)) <= trust.order


def _file_signers(workspace: Workspace) -> tuple[AllowedSigner, ...]:
    data = read_optional(workspace.allowed_signers, _MAX_SIGNERS_BYTES)
    return parse_allowed_signers((data or b"").decode("utf-8", "replace"), workspace.name_of(workspace.allowed_signers))
