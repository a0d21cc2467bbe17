"""What commands that call the gateway share: the catalogue, the keys, the subjects to validate, the network settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Network
    from provision.aisa.results import Subject
    from provision.bundle.plan import KeyLookup
    from provision.detect.secret import Secret
    from provision.fleet.desired import DesiredState, EffectiveProfile
    from provision.fleet.workspace import Workspace
    from provision.keys.key_source import KeySource

_MAX_CATALOGUE_BYTES = 16 << 20


def open_catalogue(workspace: Workspace) -> Catalogue:
    """The workspace's own model catalogue if it has one, else the built-in one. Raises ProvisionError."""
    from provision.aisa import catalogue
    from provision.files import read_optional

    data = read_optional(workspace.catalogue, _MAX_CATALOGUE_BYTES)
    if data is None:
        return catalogue.builtin()
    return catalogue.parse_catalogue(data, workspace.name_of(workspace.catalogue))


def open_keys(workspace: Workspace, today: date) -> tuple[KeySource, bytes]:
    """The source of keys, and the salt of their fingerprints. Without a vault the source is `key_command` alone."""
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


def network_settings(workspace: Workspace, *, environ: Mapping[str, str] = os.environ) -> Network:
    """TLS bundle and proxy for the gateway; the proxy is that of the settings, else HTTPS_PROXY of the environment."""
    from provision.aisa.client import Network

    proxy = workspace.settings.proxy or environ.get("HTTPS_PROXY") or environ.get("https_proxy") or None
    return Network(workspace.tls_bundle, proxy)


def build_subjects(
    states: Sequence[DesiredState], keys: KeyLookup, salt: bytes, hosts: Sequence[str]
) -> tuple[Subject, ...]:
    """One subject per user. A key that cannot be read is a problem of that subject; the run continues."""
    from provision.aisa.results import Subject
    from provision.detect.fingerprint import fingerprint

    checked: dict[int, tuple[str, tuple[str, str] | None]] = {}
    found = []
    for state in states:
        profile = state.profile
        if id(profile) not in checked:
            checked[id(profile)] = _base_url(profile, hosts)
        url, mistake = checked[id(profile)]
        key, problem = _key(keys, state.user)
        name = fingerprint(key.reveal(), salt) if key else ""
        found.append(
            Subject(state.user, profile.name, profile.model, profile.api_mode, url, key, name, mistake, problem)
        )
    return tuple(found)


def _base_url(profile: EffectiveProfile, hosts: Sequence[str]) -> tuple[str, tuple[str, str] | None]:
    """The URL to call, and why it is not called, if so: Hermes would misuse it, or keys must not be sent to its host."""
    from provision.aisa.base_url import check_base_url, is_allowed
    from provision.errors import Severity

    url = check_base_url(profile.base_url, profile.api_mode, hosts)
    if url.usable and is_allowed(url.normalised, hosts):
        return url.normalised, None
    worst = next(
        (m.message for m in url.mistakes if m.severity is Severity.ERROR), "no key may be sent to this base URL"
    )
    return url.normalised, (worst, url.suggested)


def _key(keys: KeyLookup, user: str) -> tuple[Secret | None, str]:
    from provision.errors import ProvisionError

    try:
        return keys.key_for(user), ""
    except ProvisionError as e:
        return None, f"{e.message}: {e.hint}" if e.hint else e.message
