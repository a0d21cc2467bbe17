"""What each user's bundle should be, before anything is sealed. `render` makes it, `diff` compares it.

A configuration is rendered once per distinct effective profile. `inputs` is a digest, keyed with the vault's digest key,
over everything that goes into a bundle: equal digests mean an unchanged bundle, and reveal nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from provision.aisa.base_url import check_base_url, with_normalised_base_url
from provision.detect.fingerprint import fingerprint
from provision.errors import ProvisionError, Severity
from provision.fleet.approvals import bare_recipient
from provision.hermes.rendering.render import render_config, render_env, render_welcome, render_welcome_page
from provision.signing.fields import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from provision.detect.secret import Secret
    from provision.fleet.approvals import ApprovedRecipients
    from provision.fleet.desired import DesiredState, EffectiveProfile
    from provision.hermes.rendering.templates import Templates
    from provision.signing.fields import LogHead

_VERSION = b"provision/inputs/v1"
_SAMPLE_KEY = "AAAAAAAAAAAAAAAAAAAAAAAA"  # replaces the key where only the other lines count


class KeyLookup(Protocol):
    """Where keys come from; `keys.key_source.KeySource` is the implementation."""

    def key_for(self, user: str) -> Secret | None:
        """The user's current key, None when there is none. Raises ProvisionError, also for an expired demo key."""


@dataclass(frozen=True, slots=True)
class RenderInputs:
    """The inputs that all bundles of one run share. `operators` is empty unless bundles are sealed to them too."""

    workspace_id: str
    templates: Templates
    keys: KeyLookup
    salt: bytes
    digest_key: bytes = field(repr=False)
    operators: tuple[str, ...]
    bundle_days: int
    now: datetime
    gateway_hosts: tuple[str, ...]
    log_head: LogHead | None = None
    """The end of the event log; new manifests record it. An unchanged bundle keeps its bytes."""
    trust: str | None = None
    """The number of the workspace's trust list."""
    approved: ApprovedRecipients | None = field(default=None, repr=False)
    """The recipients that this operator approved; None where no bundle was made before."""


@dataclass(frozen=True, slots=True)
class PlannedBundle:
    """The bundle that one user should have. Methods make what is expensive or plaintext, on demand."""

    state: DesiredState
    profile: EffectiveProfile
    config: bytes = field(repr=False)
    recipients: tuple[str, ...]
    key: Secret
    inputs: bytes

    @property
    def user(self) -> str:
        return self.state.user

    def key_fingerprint(self, common: RenderInputs) -> str:
        """The fingerprint of the key in this workspace."""
        return fingerprint(self.key.reveal(), common.salt)

    def env(self) -> bytes:
        """The `.env` in plaintext, only for sealing. Raises EnvFileError."""
        return render_env(self.profile, self.key.reveal())

    def welcome(self, common: RenderInputs) -> bytes:
        """The user's page. Raises TemplateError."""
        return _welcome(self.state, self.profile, common.templates)

    def page(self, welcome: bytes, common: RenderInputs) -> bytes:
        """The output of `welcome` for a browser."""
        return render_welcome_page(welcome, self.profile, common.templates)

    def fields(self, common: RenderInputs, generation: int) -> dict[str, Any]:
        """The manifest's fields, except the digests of the files."""
        profile, state = self.profile, self.state
        return {
            "workspace": common.workspace_id,
            "user": state.user,
            "machine": None,
            "profile": profile.name,
            "platform": state.platform,
            "generation": generation,
            "created": moment(common.now),
            "expires": moment(common.now + timedelta(days=common.bundle_days)),
            "provider": profile.provider,
            "base_url": profile.base_url,
            "api_mode": profile.api_mode,
            "model": profile.model,
            "key_env": profile.key_env,
            "key_fingerprint": self.key_fingerprint(common),
            "fingerprint_salt": common.salt.hex(),
            "secret_delivery": profile.secret_delivery,
            "managed": profile.managed,
            "hermes_home": common_home(state),
            "hermes_profile": state.hermes_profile,
            "recipients": self.recipients,
            "policy": policy_digest(profile),
            "trust": common.trust,
            "log_head": common.log_head,
            "inputs_digest": self.inputs.hex(),
        }


def policy_digest(profile: EffectiveProfile) -> str | None:
    """The digest of a profile's policy in manifests; None without one."""
    rules = profile.policy.fields() if profile.policy else {}
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest() if rules else None


@dataclass(frozen=True, slots=True)
class ImpossibleBundle:
    """A user whose bundle cannot be made, and the reason."""

    user: str
    reason: str
    hint: str = ""


@dataclass(slots=True)
class _Shared:
    """What users with the same effective profile share. `pages` are digests of their welcome pages by platform and home."""

    profile: EffectiveProfile
    config: bytes
    digest: bytes
    pages: dict[tuple[str, ...], bytes] = field(default_factory=dict)


def plan_bundles(states: Iterable[DesiredState], common: RenderInputs) -> Iterator[PlannedBundle | ImpossibleBundle]:
    """Yield what each user should have, in order. Only settings shared by a profile are kept in memory."""
    shared: dict[int, _Shared | ImpossibleBundle] = {}
    kept: list[EffectiveProfile] = []  # keeps the objects alive, because their ids are the keys of `shared`
    sources = _digest(*(part.encode() for pair in sorted(common.templates.sources.items()) for part in pair))
    for state in states:
        known = shared.get(id(state.profile))
        if known is None:
            known = shared[id(state.profile)] = _share(state.profile, common, sources)
            kept.append(state.profile)
        if isinstance(known, ImpossibleBundle):
            yield ImpossibleBundle(state.user, known.reason, known.hint)
            continue
        try:
            yield _want(state, known, common)
        except ProvisionError as e:
            yield ImpossibleBundle(state.user, str(e), e.hint)


def _share(profile: EffectiveProfile, common: RenderInputs, sources: bytes) -> _Shared | ImpossibleBundle:
    checked = check_base_url(profile.base_url, profile.api_mode, common.gateway_hosts)
    if not checked.usable:
        wrong = next(m for m in checked.mistakes if m.severity is Severity.ERROR)
        return ImpossibleBundle("", f"base_url: {wrong.message}", wrong.hint or "`provision check` lists every mistake")
    try:
        right = with_normalised_base_url(profile)
        config = render_config(right, common.templates).text
        env = render_env(right, _SAMPLE_KEY)
    except ProvisionError as e:
        return ImpossibleBundle("", str(e), e.hint)
    policy = (right.name, right.provider, right.base_url, right.api_mode, right.model, right.key_env)
    how = (right.secret_delivery, str(right.managed), str(common.bundle_days))
    return _Shared(right, config, _digest(sources, config, env, *(text.encode() for text in (*policy, *how))))


def _want(state: DesiredState, shared: _Shared, common: RenderInputs) -> PlannedBundle | ImpossibleBundle:
    if not state.all_recipients:
        return ImpossibleBundle(
            state.user,
            "has no recipients, so no machine could open the bundle",
            "run `provision enroll` on the user's machine",
        )
    own = [bare_recipient(text) for text in state.all_recipients]
    if common.approved is not None and (new := set(own).difference(common.approved.get(state.user, ()))):
        return ImpossibleBundle(
            state.user,
            f"has a recipient that you did not approve: {min(new)}",
            "look at it: provision operators approve",
        )
    key = common.keys.key_for(state.user)
    if key is None:
        return ImpossibleBundle(
            state.user, "has no current key", "provision keys import, or set key_command in provision.toml"
        )
    recipients = tuple(dict.fromkeys([*own, *map(bare_recipient, common.operators)]))
    value = key.reveal()
    return PlannedBundle(
        state=state,
        profile=shared.profile,
        config=shared.config,
        recipients=recipients,
        key=key,
        inputs=hmac.digest(common.digest_key, _inputs(state, shared, common, (*recipients, value)), "sha256"),
    )


def common_home(state: DesiredState) -> str | None:
    """The Hermes home of all machines of a user; None, each platform's default, if they differ: there is one bundle."""
    homes = {machine.hermes_home for machine in state.machines}
    return homes.pop() if len(homes) == 1 else None


def _inputs(state: DesiredState, shared: _Shared, common: RenderInputs, own: tuple[str, ...]) -> bytes:
    """Everything that decides about a bundle. The welcome page is represented by a sample for a made-up user, one per
    platform and home: rendering each user's page just to compare it would cost more than all the rest."""
    where = (state.platform.value, common_home(state) or "", state.hermes_profile or "")
    page = shared.pages.get(where)
    if page is None:
        sample = dataclasses.replace(state, user="sample")
        text = _welcome(sample, shared.profile, common.templates)
        html = render_welcome_page(text, shared.profile, common.templates)
        page = shared.pages[where] = _digest(text, html)
    return b"".join([_VERSION, shared.digest, page, _framed([text.encode() for text in (state.user, *where, *own)])])


def _welcome(state: DesiredState, profile: EffectiveProfile, templates: Templates) -> bytes:
    right = state if state.profile is profile else dataclasses.replace(state, profile=profile)
    return render_welcome(right, templates)


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(_framed(parts)).digest()


def _framed(parts: Sequence[bytes]) -> bytes:
    """Join parts, each preceded by its length, so that no two lists give the same bytes."""
    return b"".join([len(part).to_bytes(8, "big") + part for part in parts])
