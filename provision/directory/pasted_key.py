"""Find the API key that a user pasted into a Hermes home, and seal it to the operators.

The key is the one that Hermes would send with its next request, and only if that goes to the team's gateway: keys of other
services are the user's own business. It leaves this module sealed, or as a `Secret` on the operator's own machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.aisa.base_url import is_allowed
from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
from provision.detect.secret import Secret
from provision.endpoint.machine_hermes import hermes_on_machine
from provision.endpoint.privileges import as_owner
from provision.endpoint.state import read_installed
from provision.errors import ProvisionError
from provision.hermes.home import effective_home, read_home
from provision.hermes.routing.route import resolve_route
from provision.hermes.routing.wire import sent_host
from provision.keys.age import NotAgeError, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.keys.age import Identity

SCHEMA = "provision/sealed-key/v1"
MAX_BYTES = 64 << 10


class NoPastedKeyError(ProvisionError):
    """A home has no key that can be adopted."""


@dataclass(frozen=True, slots=True)
class PastedKey:
    """The key of a home: where it is, and where Hermes sends it. `notes` are about other keys of the home."""

    key: Secret
    url: str
    source: str
    notes: tuple[str, ...] = ()


def pasted_key(
    root: Path,
    hermes_profile: str | None,
    *,
    hosts: Sequence[str],
    environ: Mapping[str, str],
    managed_dir: Path | None,
    now: datetime,
) -> PastedKey:
    """The key that Hermes sends from a home to one of `hosts`. Raises NoPastedKeyError."""
    home = effective_home(root, hermes_profile)
    with as_owner(home):
        if not home.is_dir():
            raise NoPastedKeyError(f"no Hermes home at {home}", hint="name the home: provision adopt PATH")
        installed = read_installed(home)
        files = read_home(root, managed_dir=managed_dir)
    if installed is not None:
        raise NoPastedKeyError(
            f"{home} is managed already: the key of {installed.manifest.user} came from a bundle",
            hint="provision status",
        )

    hermes = hermes_on_machine(home, environ)

    def resolved(profile: str | None) -> Any:
        return resolve_route(
            files,
            environ=environ,
            fingerprint=lambda key: fingerprint(key, UNPROVISIONED_SALT),
            hermes_profile=profile,
            now=now.timestamp(),
            hermes=hermes.facts,
        )

    route = resolved(hermes_profile)
    if why := route.refusal or route.unknown:
        raise NoPastedKeyError(f"it is not known which key Hermes uses in {home}: {why}", hint="provision status")
    if route.key is None:
        raise NoPastedKeyError(f"no key in {home}", hint="nothing to adopt: import a new key")
    if not is_allowed(route.url, hosts):
        raise NoPastedKeyError(
            f"Hermes in {home} sends its key to {sent_host(route.url)}, which is not the team's gateway",
            hint="a key of another service stays where it is; if it is your gateway, add it to gateway_hosts",
        )
    notes = []
    for name in files.profiles if hermes_profile is None else ():
        other = resolved(name)
        if other.key is not None and other.key.reveal() != route.key.reveal() and is_allowed(other.url, hosts):
            notes.append(f"Hermes profile {name} has another key, which stays there (--hermes-profile {name})")
    return PastedKey(route.key, route.url, route.key_source, tuple(notes))


def sealed_key(found: PastedKey, user: str | None, recipients: Sequence[str]) -> dict[str, Any]:
    """The key as a document that only the operators can open. Raises BadRecipientError."""
    inside = json.dumps({"schema": SCHEMA, "user": user, "key": found.key.reveal()})
    return {
        "user": user,
        "url": found.url,
        "source": found.source,
        "notes": list(found.notes),
        "sealed": seal(inside.encode(), recipients).decode(),
    }


def open_sealed_key(document: Mapping[str, Any], identities: Sequence[Identity]) -> tuple[str | None, PastedKey]:
    """The user and key of such a document. Raises NoIdentityError, and NoPastedKeyError for anything else."""
    try:
        inside = json.loads(unseal(str(document["sealed"]).encode(), identities))
        if inside["schema"] != SCHEMA or not isinstance(inside["key"], str):
            raise NoPastedKeyError("the document holds something else than a key", hint="have it made again")
        user = inside["user"] if isinstance(inside["user"], str) else None
        notes = tuple(str(note)[:300] for note in document.get("notes") or ())
        return user, PastedKey(Secret(inside["key"]), str(document.get("url")), str(document.get("source")), notes)
    except (ValueError, KeyError, TypeError, NotAgeError) as e:
        raise NoPastedKeyError("this is not a sealed key", hint="provision adopt --seal-to RECIPIENT makes one") from e
