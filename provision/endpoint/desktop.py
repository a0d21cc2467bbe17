"""Where the Hermes Desktop app of this user really works: here, or on another backend that does not read this home.

Read from the app's `connection.json` (`apps/desktop/electron/connection-config.ts` of Hermes: a mode for the whole app, and one
for each Hermes profile) and HERMES_DESKTOP_REMOTE_URL. Read in the source, not run: so no other mode than `local` is ever in
order, not even with an address of this machine, which may be a tunnel.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.files import read_optional
from provision.hermes.routing.destination import Destination, DestinationVerdict
from provision.hermes.routing.hazards import Hazard, note, warning
from provision.hermes.routing.wire import is_loopback, sent_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.hermes.routing.route import Route

REMOTE_URL_ENV = "HERMES_DESKTOP_REMOTE_URL"
REMOTE_TOKEN_ENV = "HERMES_DESKTOP_REMOTE_TOKEN"  # noqa: S105  a name
LOCAL_MODE = "local"
REMOTE_MODES = frozenset({"remote", "cloud", "ssh"})
_MAX_BYTES = 1 << 20
_TRIGGER = "every message in the Desktop app"
_WHY = "the Desktop app works on another backend, which does not read this home"
_TUNNEL = "the Desktop app works on another backend, at an address of this machine: where it leads is not known"
_OTHER_MODE = "this mode of the Desktop app is not known, so it is not known where it works"
_CURE = "in Desktop, Settings, Gateway: choose the local backend; or put the host into allowed_hosts"


def connection_file(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Return where the Desktop app keeps its connection; None if the environment does not say where the user's files are."""
    if platform == "win32":
        roaming = environ.get("APPDATA") or (
            str(Path(environ["USERPROFILE"], "AppData", "Roaming")) if environ.get("USERPROFILE") else ""
        )
        return Path(roaming, "Hermes", "connection.json") if roaming else None
    if not environ.get("HOME"):
        return None
    home = Path(environ["HOME"])
    if platform == "darwin":
        return home / "Library" / "Application Support" / "Hermes" / "connection.json"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "Hermes" / "connection.json"


def desktop_destinations(environ: Mapping[str, str]) -> tuple[tuple[Destination, ...], tuple[Hazard, ...]]:
    """Return the backends that the Desktop app uses beside this home, and the hazards of its settings. Never raises."""
    found: list[Destination] = []
    hazards: list[Hazard] = []
    if url := environ.get(REMOTE_URL_ENV, "").strip():
        found.append(_destination("desktop", REMOTE_URL_ENV, url))
    if environ.get(REMOTE_TOKEN_ENV, "").strip():
        why = "the token of the Desktop app's backend is in a variable, which every program of the user can read"
        hazards.append(
            warning("desktop-token", REMOTE_TOKEN_ENV, why, "remove that variable, and sign in within the app")
        )
    path = connection_file(environ)
    if path is None:
        return tuple(found), (*_hazards(found), *hazards)
    try:
        data = read_optional(path, _MAX_BYTES)
        connection: Any = json.loads(data) if data else {}
        if not isinstance(connection, dict):
            raise ValueError("not a mapping")  # noqa: TRY004  as text that is not JSON
    except (ProvisionError, OSError, ValueError, RecursionError):
        why = "this file cannot be read, so it is not known where the Desktop app works"
        unread = Destination(
            "desktop", "desktop", str(path), "", _TRIGGER, DestinationVerdict.UNKNOWN, why=why, cure="check the file"
        )
        return (*found, unread), (*_hazards([*found, unread]), *hazards)
    for name, entry, shared in _entries(connection):
        if entry["mode"] not in REMOTE_MODES:
            found.append(
                Destination(
                    "desktop", name, str(path), "", _TRIGGER, DestinationVerdict.UNKNOWN, why=_OTHER_MODE, cure=_CURE
                )
            )
            continue
        host = entry.get("host") if entry.get("mode") == "ssh" else entry.get("url") or shared.get("url")
        found.append(_destination(name, str(path), str(host or "unknown")))
        token = entry.get("token") or shared.get("token")
        if isinstance(token, str) or (isinstance(token, dict) and token.get("encoding") == "plain"):
            why = "the token of the Desktop app's backend is stored in clear"
            hazards.append(warning("desktop-token", f"{path} {name}", why, "sign in again with a system keyring"))
    return tuple(found), (*_hazards(found), *hazards)


def _hazards(found: list[Destination]) -> Iterator[Hazard]:
    for each in found:
        if each.verdict is DestinationVerdict.CONTENT:
            yield warning("desktop-elsewhere", each.where, f"{each.trigger}; {each.why}: {each.host}", each.cure)
        else:
            yield note("desktop-unknown", each.where, f"{each.trigger}; {each.why}", each.cure)


def _entries(connection: object) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the entries with another mode than `local`, each with its name and the block with the app's own remote settings."""
    whole: dict[str, Any] = connection if isinstance(connection, dict) else {}
    remote = whole.get("remote")
    shared: dict[str, Any] = remote if isinstance(remote, dict) else {}
    if str(whole.get("mode") or "") not in {"", LOCAL_MODE}:
        ssh = whole.get("ssh")
        yield "desktop", whole | (ssh if isinstance(ssh, dict) else {}) | {"mode": whole["mode"]}, shared
    profiles = whole.get("profiles")
    for name, entry in profiles.items() if isinstance(profiles, dict) else ():
        if isinstance(entry, dict) and str(entry.get("mode") or "") not in {"", LOCAL_MODE}:
            yield f"desktop.{name}", entry, {}


def _destination(name: str, where: str, url: str) -> Destination:
    local = is_loopback(url)
    verdict, why = (DestinationVerdict.UNKNOWN, _TUNNEL) if local else (DestinationVerdict.CONTENT, _WHY)
    return Destination("desktop", name, where, sent_host(url), _TRIGGER, verdict, why=why, cure=_CURE)


def with_desktop(route: Route, environ: Mapping[str, str]) -> Route:
    """Add the backends of the Desktop app to the destinations of a home, and their hazards."""
    found, hazards = desktop_destinations(environ)
    order = list(DestinationVerdict)
    everything = sorted((*route.destinations, *found), key=lambda d: order.index(d.verdict))
    return dataclasses.replace(route, destinations=tuple(everything), hazards=(*route.hazards, *hazards))
