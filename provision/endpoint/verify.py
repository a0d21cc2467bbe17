"""Whether a bundle may be opened here, decided over bytes alone, in one order that nobody can skip.

Signature, then the manifest it covers, then the digests of the files, the user, the time, the generation; only after all
of them agree is anything decrypted. `verify_bundle` returns the only value that `open_bundle` accepts, so decrypting first is not
possible by accident. No I/O here: the clock, the trust anchors and the installed manifest come in as arguments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from provision.bundle.manifest import CONFIG, MANIFEST, SEALED_ENV, SIGNATURE, WELCOME, Manifest, parse_manifest
from provision.errors import ProvisionError
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer
from provision.signing.sshsig import blob_fingerprint, verify_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

CLOCK_SLACK = timedelta(days=1)
"""How far behind the operator's clock this machine's may be before its word on expiry is not believed."""


class UntrustedSignerError(ProvisionError):
    """The bundle is signed by a key that this machine does not trust."""


class AlteredBundleError(ProvisionError):
    """A file of the bundle is not the one that was signed, or is missing."""


class OtherWorkspaceError(ProvisionError):
    """The bundle was made in another workspace than the one that this home belongs to."""


class OtherUserError(ProvisionError):
    """The bundle is meant for somebody else."""


class ExpiredBundleError(ProvisionError):
    """The bundle's time is over."""


class ClockError(ProvisionError):
    """The bundle comes from the future: one of the two clocks is wrong, so expiry cannot be judged."""


class OlderBundleError(ProvisionError):
    """A newer bundle is installed already: this one may be a replay."""


@dataclass(frozen=True, slots=True)
class AcceptanceRules:
    """What a bundle must satisfy. `signers` empty trusts nobody.

    `user` and `workspace_id`, when given, are the only ones accepted; `installed` is the manifest this home was last set up from;
    `own_recipients` are the public halves of the identities at hand, empty when they are not known.
    """

    signers: Sequence[AllowedSigner]
    now: datetime
    user: str | None = None
    installed: Manifest | None = None
    own_recipients: Collection[str] = ()
    workspace_id: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A bundle that satisfied a policy; nothing of it is decrypted yet. Only `verify_bundle` makes these."""

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
    """A verified bundle and its decrypted `.env`, which never shows in a repr."""

    verified: VerifiedBundle
    env: bytes = field(repr=False)

    @property
    def manifest(self) -> Manifest:
        return self.verified.manifest


def verify_bundle(
    files: Mapping[str, bytes], policy: AcceptanceRules, *, content: Collection[str] | None = None
) -> VerifiedBundle:
    """The bundle, if it satisfies the policy; one error class per reason otherwise, in the order of the module's words.

    `content` names the files whose digests are compared, for a bundle of which only some are kept; None means all that the
    manifest lists.
    """
    _require_present(files, (MANIFEST, SIGNATURE))
    manifest, signer = verified_manifest(files[MANIFEST], files[SIGNATURE], policy)
    content = tuple(manifest.files) if content is None else content
    _require_present(files, content)
    for name in content:
        if hashlib.sha256(files[name]).hexdigest() != manifest.files[name]:
            raise AlteredBundleError(
                f"{name} is not the file that was signed: it was altered or belongs to another bundle",
                hint="fetch the whole bundle again; if it happens twice, tell IT",
            )
    _check_workspace(manifest, policy)
    _check_user(manifest, policy)
    _check_time(manifest, policy.now)
    _check_generation(manifest, policy.installed)
    return VerifiedBundle(
        manifest=manifest, files={name: files[name] for name in (MANIFEST, SIGNATURE, *content)}, signer=signer
    )


def _require_present(files: Mapping[str, bytes], names: Collection[str]) -> None:
    for name in names:
        if name not in files:
            raise AlteredBundleError(f"the bundle has no {name}", hint="fetch the whole bundle again")


def verified_manifest(data: bytes, signature: bytes, policy: AcceptanceRules) -> tuple[Manifest, AllowedSigner]:
    """The manifest and who signed it, if its signature holds and the signer is trusted; nothing is said of its content."""
    blob = verify_signature(data, signature)
    signer = find_trusted_signer(policy.signers, blob, policy.now)
    if isinstance(signer, str):
        raise UntrustedSignerError(
            f"the bundle is signed by {blob_fingerprint(blob)}, which this machine does not trust: {signer}",
            hint="ask IT for the signer's public key over another channel, compare, then `provision enroll --signer KEY`",
        )
    return parse_manifest(data), signer


def open_bundle(bundle: VerifiedBundle, unseal: Callable[[bytes], bytes]) -> OpenedBundle:
    """Decrypt a verified bundle's `.env`. A bundle that was not verified is a bug, not bad data."""
    if not isinstance(bundle, VerifiedBundle):
        raise RuntimeError("a bundle must be verified before it is opened")  # noqa: TRY004  the wrong order is a bug of ours
    return OpenedBundle(verified=bundle, env=unseal(bundle.sealed_env))


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
    if policy.user is not None and manifest.user != policy.user:
        raise OtherUserError(
            f"the bundle is for {manifest.user!r}, not for {policy.user!r}", hint="ask IT for your own bundle"
        )
    if policy.installed is not None and manifest.user != policy.installed.user:
        raise OtherUserError(
            f"the bundle is for {manifest.user!r}, but this home belongs to {policy.installed.user!r}",
            hint="give another home with --home, or remove .provision/ in this one if it really changes hands",
        )
    if policy.own_recipients and not set(policy.own_recipients) & {_bare(text) for text in manifest.recipients}:
        raise OtherUserError(
            f"the bundle is sealed for {manifest.user!r} on another machine: no identity here can open it",
            hint="send IT the output of `provision enroll` on this machine, or name the right key with --identity",
        )


def _bare(recipient: str) -> str:
    """A recipient without the comment that an SSH key may carry."""
    return " ".join(recipient.split()[:2])


def _check_time(manifest: Manifest, now: datetime) -> None:
    if now + CLOCK_SLACK < manifest.created_at:
        raise ClockError(
            f"the bundle was made on {manifest.created}, this machine says it is {now:%Y-%m-%dT%H:%M:%SZ}",
            hint="set this machine's clock; expiry cannot be judged with a clock that is behind",
        )
    if now >= manifest.expires_at:
        raise ExpiredBundleError(
            f"the bundle expired on {manifest.expires}", hint="ask IT to run `provision render` again"
        )


def _check_generation(manifest: Manifest, installed: Manifest | None) -> None:
    if installed is None:
        return
    if manifest.generation < installed.generation:
        raise OlderBundleError(
            f"the bundle is generation {manifest.generation} of {manifest.created}, "
            f"generation {installed.generation} of {installed.created} is installed",
            hint="use the newest bundle; to go back on purpose, have IT render the old settings anew",
        )
    if manifest.generation == installed.generation and manifest != installed:
        raise OlderBundleError(
            f"another bundle of the same generation {manifest.generation} is installed: one of the two is not genuine",
            hint="have IT render again, and tell them about this: two workspaces may be rendering for you",
        )
