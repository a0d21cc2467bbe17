"""What commands that ask the gateway share: the catalogue, the keys, the users as subjects, the network's settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Network
    from provision.aisa.results import Subject
    from provision.detect.secret import Secret
    from provision.fleet.desired import DesiredState, EffectiveProfile
    from provision.fleet.workspace import Workspace
    from provision.keys.key_source import KeySource

MAX_CATALOGUE_BYTES = 16 << 20


def open_catalogue(workspace: Workspace) -> Catalogue:
    """The workspace's own catalogue if it has one, else the built-in one."""
    from provision.aisa import catalogue
    from provision.files import read_optional

    data = read_optional(workspace.catalogue, MAX_CATALOGUE_BYTES)
    if data is None:
        return catalogue.builtin()
    return catalogue.parse_catalogue(data, workspace.name_of(workspace.catalogue))


def open_keys(workspace: Workspace, today: date) -> tuple[KeySource, bytes]:
    """Where keys come from, and the salt of their fingerprints. Without a vault only `key_command` is left."""
    from provision.detect.fingerprint import UNPROVISIONED_SALT
    from provision.keys.identities import load_identities
    from provision.keys.key_source import KeySource
    from provision.keys.vault.file import open_vault

    settings = workspace.settings
    command = (settings.key_command, settings.key_command_timeout_s, today)
    if settings.key_command and not workspace.vault.exists():
        return KeySource(None, *command), UNPROVISIONED_SALT
    vault = open_vault(workspace.vault, load_identities(workspace.identity))
    return KeySource(vault, *command), vault.salt


def network(workspace: Workspace, *, environ: Mapping[str, str] = os.environ) -> Network:
    """How to reach the gateway: the settings' TLS bundle and proxy, else the environment's proxy for https."""
    from provision.aisa.client import Network

    proxy = workspace.settings.proxy or environ.get("HTTPS_PROXY") or environ.get("https_proxy") or None
    return Network(workspace.tls_bundle, proxy)


def subjects(states: Sequence[DesiredState], keys: KeySource, salt: bytes, hosts: Sequence[str]) -> tuple[Subject, ...]:
    """One subject per user. A key that cannot be had is that user's problem, not the run's."""
    from provision.aisa.results import Subject
    from provision.detect.fingerprint import fingerprint

    judged: dict[int, tuple[str, tuple[str, str] | None]] = {}
    found = []
    for state in states:
        profile = state.profile
        if id(profile) not in judged:
            judged[id(profile)] = _base_url(profile, hosts)
        url, mistake = judged[id(profile)]
        key, problem = _key(keys, state.user)
        name = fingerprint(key.reveal(), salt) if key else ""
        found.append(
            Subject(state.user, profile.name, profile.model, profile.api_mode, url, key, name, mistake, problem)
        )
    return tuple(found)


def _base_url(profile: EffectiveProfile, hosts: Sequence[str]) -> tuple[str, tuple[str, str] | None]:
    """The URL to ask, or why it is not asked: only a URL that Hermes would get wrong, or one that keys must not go to."""
    from provision.aisa.base_url import check_base_url, is_allowed
    from provision.errors import Severity

    url = check_base_url(profile.base_url, profile.api_mode, hosts)
    if url.usable and is_allowed(url.normalised, hosts):
        return url.normalised, None
    worst = next(
        (m.message for m in url.mistakes if m.severity is Severity.ERROR), "no key may be sent to this base URL"
    )
    return url.normalised, (worst, url.suggested)


def _key(keys: KeySource, user: str) -> tuple[Secret | None, str]:
    from provision.errors import ProvisionError

    try:
        return keys.key_for(user), ""
    except ProvisionError as e:
        return None, f"{e.message}: {e.hint}" if e.hint else e.message
