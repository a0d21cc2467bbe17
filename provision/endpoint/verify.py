"""Verify a bundle before it is opened. Pure: the clock, the trusted signers and the installed manifest are arguments.

The order is fixed: signature, manifest, digests of the files, workspace, user, time, generation. Only then may anything be
decrypted: `verify_bundle` returns the only value that `open_bundle` accepts, so the order cannot be skipped by accident.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from provision.bundle.manifest import CONFIG, MANIFEST, SEALED_ENV, SIGNATURE, WELCOME, Manifest, parse_manifest
from provision.errors import ProvisionError
from provision.hermes.env.dotenv import check_value
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer
from provision.signing.sshsig import blob_fingerprint, verify_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

CLOCK_SLACK = timedelta(days=1)
"""How far this machine's clock may be behind the operator's; beyond that, expiry cannot be checked."""


class UntrustedSignerError(ProvisionError):
    """The bundle is signed by a key that this machine does not trust."""


class AlteredBundleError(ProvisionError):
    """A file of the bundle is not the one that was signed, or is missing."""


class OtherWorkspaceError(ProvisionError):
    """The bundle was made in another workspace than the one that this home belongs to."""


class OtherUserError(ProvisionError):
    """The bundle is for another user or another machine."""


class ExpiredBundleError(ProvisionError):
    """The bundle expired."""


class ClockError(ProvisionError):
    """The bundle was made in the future: one of the two clocks is wrong, so expiry cannot be checked."""


class OlderBundleError(ProvisionError):
    """A newer bundle is installed: this one may be a replay."""


class BadEnvError(ProvisionError):
    """The sealed `.env` is not in the form that `render` writes."""


@dataclass(frozen=True, slots=True)
class AcceptanceRules:
    """The conditions for a bundle. Empty `signers` trust no signer.

    `user` and `workspace_id`, when given, are the only ones accepted; `installed` is the manifest this home was last set up from;
    with `forget_generation` its generation does not count (see `TrustInForce.forgets`).
    `own_recipients` are the public keys of this machine's identities, empty when they are unknown.
    """

    signers: Sequence[AllowedSigner]
    now: datetime
    user: str | None = None
    installed: Manifest | None = None
    own_recipients: Collection[str] = ()
    workspace_id: str | None = None
    forget_generation: bool = False


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A bundle that fulfils the rules and is not decrypted yet. Only `verify_bundle` makes these."""

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    signer: AllowedSigner = field(repr=False)

    @property
    def config(self) -> bytes:
        return self.files[CONFIG]

    @property
    def sealed_env(self) -> bytes:
        return self.files[SEALED_ENV]

    @property
    def welcome(self) -> bytes:
        return self.files[WELCOME]


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """A verified bundle and its decrypted `.env`, which is left out of the repr."""

    verified: VerifiedBundle
    env: bytes = field(repr=False)

    @property
    def manifest(self) -> Manifest:
        return self.verified.manifest


def verify_bundle(
    files: Mapping[str, bytes], policy: AcceptanceRules, *, content: Collection[str] | None = None
) -> VerifiedBundle:
    """Verify a bundle. Raises one error class per reason, in the order that the module's docstring gives.

    `content` names the files whose digests are compared, for a bundle of which only some files are kept; None means all
    files that the manifest lists.
    """
    _require_present(files, (MANIFEST, SIGNATURE))
    manifest, signer = verified_manifest(files[MANIFEST], files[SIGNATURE], policy)
    content = tuple(manifest.files) if content is None else content
    _require_present(files, content)
    for name in content:
        if hashlib.sha256(files[name]).hexdigest() != manifest.files[name]:
            raise AlteredBundleError(
                f"{name} is not the signed file: it was altered or belongs to another bundle",
                hint="fetch the whole bundle again; if it happens again, report it to IT",
            )
    _check_workspace(manifest, policy)
    _check_user(manifest, policy)
    _check_time(manifest, policy.now)
    _check_generation(manifest, None if policy.forget_generation else policy.installed)
    return VerifiedBundle(
        manifest=manifest, files={name: files[name] for name in (MANIFEST, SIGNATURE, *content)}, signer=signer
    )


def _require_present(files: Mapping[str, bytes], names: Collection[str]) -> None:
    for name in names:
        if name not in files:
            raise AlteredBundleError(f"the bundle has no {name}", hint="fetch the whole bundle again")


def verified_manifest(data: bytes, signature: bytes, policy: AcceptanceRules) -> tuple[Manifest, AllowedSigner]:
    """The manifest and its signer, if the signature is valid and the signer trusted. The content is not checked."""
    blob = verify_signature(data, signature)
    signer = find_trusted_signer(policy.signers, blob, policy.now)
    if isinstance(signer, str):
        raise UntrustedSignerError(
            f"the bundle is signed by {blob_fingerprint(blob)}, which this machine does not trust: {signer}",
            hint="ask IT for the signer's public key over another channel, compare, then run `provision enroll --signer KEY`",
        )
    return parse_manifest(data), signer


def open_bundle(bundle: VerifiedBundle, unseal: Callable[[bytes], bytes]) -> OpenedBundle:
    """Decrypt the `.env` of a verified bundle."""
    if not isinstance(bundle, VerifiedBundle):
        raise RuntimeError("a bundle must be verified before it is opened")  # noqa: TRY004  a bug in provision, not bad data
    return OpenedBundle(verified=bundle, env=unseal(bundle.sealed_env))


def env_values(env: bytes) -> dict[str, str]:
    """Parse a decrypted `.env`. Raises BadEnvError, which quotes nothing."""
    values: dict[str, str] = {}
    try:
        lines = env.decode("ascii").splitlines()
    except UnicodeDecodeError as e:
        raise BadEnvError("the sealed .env is not ASCII text", hint="ask IT to render the bundle again") from e
    for number, line in enumerate(lines, 1):
        name, equals, value = line.partition("=")
        if not equals or name in values or check_value(name, value) is not None:
            raise BadEnvError(
                f"line {number} of the sealed .env is not a valid NAME=value", hint="ask IT to render the bundle again"
            )
        values[name] = value
    return values


def _check_workspace(manifest: Manifest, policy: AcceptanceRules) -> None:
    if policy.workspace_id is not None and manifest.workspace != policy.workspace_id:
        raise OtherWorkspaceError(
            f"the bundle belongs to workspace {manifest.workspace}, expected {policy.workspace_id}",
            hint="use a bundle that was rendered in this workspace",
        )
    if policy.installed is not None and manifest.workspace != policy.installed.workspace:
        raise OtherWorkspaceError(
            f"the bundle belongs to workspace {manifest.workspace}, "
            f"but this home was set up from workspace {policy.installed.workspace}",
            hint="ask IT which one is right; if this home really changes its workspace, remove its .provision folder first",
        )


def _check_user(manifest: Manifest, policy: AcceptanceRules) -> None:
    """A home keeps its user. A user with another id (`users rename`) is known by the machine that the bundle is sealed to."""
    if policy.user is not None and manifest.user != policy.user:
        raise OtherUserError(
            f"the bundle is for {manifest.user!r}, expected {policy.user!r}", hint="ask IT for your own bundle"
        )
    sealed_to_us = bool(set(policy.own_recipients) & {_bare(text) for text in manifest.recipients})
    if policy.installed is not None and manifest.user != policy.installed.user and not sealed_to_us:
        raise OtherUserError(
            f"the bundle is for {manifest.user!r}, but this home belongs to {policy.installed.user!r}",
            hint="use --home for another home, or remove .provision/ in this one if it now belongs to the other user",
        )
    if policy.own_recipients and not sealed_to_us:
        raise OtherUserError(
            f"the bundle is sealed for another machine of {manifest.user!r}: no identity here opens it",
            hint="send IT the output of `provision enroll` on this machine, or use --identity FILE",
        )


def _bare(recipient: str) -> str:
    """A recipient without an SSH key's comment."""
    return " ".join(recipient.split()[:2])


def _check_time(manifest: Manifest, now: datetime) -> None:
    if now + CLOCK_SLACK < manifest.created_at:
        raise ClockError(
            f"the bundle was made on {manifest.created}, but this machine's clock is at {now:%Y-%m-%dT%H:%M:%SZ}",
            hint="set this machine's clock; with a clock that is behind, expiry cannot be checked",
        )
    if now >= manifest.expires_at:
        raise ExpiredBundleError(
            f"the bundle expired on {manifest.expires}", hint="ask IT for a new bundle (`provision render`)"
        )


def _check_generation(manifest: Manifest, installed: Manifest | None) -> None:
    if installed is None:
        return
    if manifest.generation < installed.generation:
        raise OlderBundleError(
            f"the bundle is generation {manifest.generation} of {manifest.created}, "
            f"generation {installed.generation} of {installed.created} is installed",
            hint="use the newest bundle; to roll back on purpose, ask IT to render the old settings again",
        )
    if manifest.generation == installed.generation and manifest != installed:
        raise OlderBundleError(
            f"another bundle of the same generation {manifest.generation} is installed: one of the two is forged",
            hint="report this to IT and ask for a new bundle: two workspaces may be rendering for you",
        )
