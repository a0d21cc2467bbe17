"""Where the Hermes Desktop app of this user really works: here, or on another backend that does not read this home.

Read from the app's `connection.json` (a mode for the whole app, and one for each Hermes profile), from the list of backends
that newer releases keep beside it (`connections.json`, one of them the primary), and from HERMES_DESKTOP_REMOTE_URL. The layout
was read in the source (`connection-config.ts`, `connection-registry.ts` and `desktop-remote-route.ts` in `apps/desktop/electron/`
of Hermes), not run: so no other mode than `local` is ever in order, not even with an address of this machine, which may be a
tunnel.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.files import read_optional
from provision.hermes.facts.newer_env import DATA_DIR_SUFFIX_ENV
from provision.hermes.routing.destination import Destination, DestinationVerdict
from provision.hermes.routing.hazards import Hazard, warning
from provision.hermes.routing.wire import is_loopback, sent_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.hermes.routing.route import Route

REMOTE_URL_ENV = "HERMES_DESKTOP_REMOTE_URL"
REMOTE_TOKEN_ENV = "HERMES_DESKTOP_REMOTE_TOKEN"  # noqa: S105  a name
FOLDER_ENV = "HERMES_DESKTOP_USER_DATA_DIR"
CONNECTION_NAMES = ("connection.json", "connections.json")
LOCAL_MODE = "local"
REMOTE_MODES = frozenset({"remote", "cloud", "ssh"})
_URL_SECRET = re.compile(r"(?i)//[^/?#]*:[^/?#]*@|[?&#][^=&#]*(?:token|key|ticket|secret|password)[^=&#]*=[^&#]")
_MAX_BYTES = 1 << 20
_TRIGGER = "every message in the Desktop app"
_WHY = "the Desktop app works on another backend, which does not read this home"
_TUNNEL = "the Desktop app works on another backend, at an address of this machine: where it leads is not known"
_OTHER_MODE = "this mode of the Desktop app is not known, so it is not known where it works"
_UNREAD = "this file cannot be read, so it is not known where the Desktop app works"
_CURE = "in Desktop, Settings, Gateway: choose the local backend; or put the host into allowed_hosts"


def connection_folders(environ: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """Return where the Desktop app keeps its connections; none if the environment does not say where the user's files are.

    Two with the suffix that only newer releases append (HERMES_DATA_DIR_SUFFIX_ENV).
    """
    if chosen := environ.get(FOLDER_ENV, ""):
        return (Path(chosen),)
    if platform == "win32":
        roaming = environ.get("APPDATA") or (
            str(Path(environ["USERPROFILE"], "AppData", "Roaming")) if environ.get("USERPROFILE") else ""
        )
        above = Path(roaming) if roaming else None
    elif not environ.get("HOME"):
        above = None
    elif platform == "darwin":
        above = Path(environ["HOME"], "Library", "Application Support")
    else:
        above = Path(environ.get("XDG_CONFIG_HOME") or Path(environ["HOME"], ".config"))
    names = dict.fromkeys(("Hermes", "Hermes" + environ.get(DATA_DIR_SUFFIX_ENV, "")))
    return tuple(above / name for name in names) if above else ()


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
    for path in (folder / name for folder in connection_folders(environ) for name in CONNECTION_NAMES):
        try:
            data = read_optional(path, _MAX_BYTES)
            store: Any = json.loads(data.decode("utf-8-sig")) if data else {}
            if not isinstance(store, dict):
                raise ValueError("not a mapping")  # noqa: TRY004  as text that is not JSON
            places = tuple(_clear_secrets(store))
        except (ProvisionError, OSError, ValueError, RecursionError):
            found.append(_unknown("desktop", str(path), _UNREAD, "check the file"))
            continue
        found += (_primary if path.name == CONNECTION_NAMES[1] else _modes)(store, str(path))
        why = "a token of the Desktop app's backend is stored in clear"
        hazards += [
            warning("desktop-token", f"{path} {place}", why, "sign in again with a system keyring") for place in places
        ]
    return tuple(found), (*_hazards(found), *hazards)


def _hazards(found: list[Destination]) -> Iterator[Hazard]:
    for each in found:
        elsewhere = each.verdict is DestinationVerdict.CONTENT
        why = f"{each.trigger}; {each.why}" + (f": {each.host}" if elsewhere else "")
        yield warning("desktop-elsewhere" if elsewhere else "desktop-unknown", each.where, why, each.cure)


def _modes(store: dict[str, Any], place: str) -> Iterator[Destination]:
    """Yield the backends of `connection.json`: the whole app's, which is in `remote`, and those of Hermes profiles."""
    profiles = store.get("profiles")
    named = [(f"desktop.{name}", entry) for name, entry in profiles.items()] if isinstance(profiles, dict) else []
    remote = store.get("remote")
    whole = store | (remote if isinstance(remote, dict) else {}) | {"mode": store.get("mode")}
    for name, entry in (("desktop", whole), *named):
        if isinstance(entry, dict) and str(entry.get("mode") or LOCAL_MODE) != LOCAL_MODE:
            yield _backend(name, place, entry, entry["mode"])


def _primary(store: dict[str, Any], place: str) -> Iterator[Destination]:
    """Yield the backends of `connections.json` that the app opens by itself: the primary one, and the last one that was used."""
    entries = store.get("connections")
    names = [store.get("primary"), store.get("lastUsed") if store.get("launchMode") != "primary" else None]
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("id", "") in names and entry.get("kind") != LOCAL_MODE:
            yield _backend(f"desktop.{entry['id']}", place, entry, entry.get("kind"))


def _backend(name: str, place: str, entry: dict[str, Any], mode: object) -> Destination:
    if str(mode) not in REMOTE_MODES:
        return _unknown(name, place, _OTHER_MODE, _CURE)
    return _destination(name, place, str(entry.get("host" if mode == "ssh" else "url") or "unknown"))


def _unknown(name: str, place: str, why: str, cure: str) -> Destination:
    return Destination("desktop", name, place, "", _TRIGGER, DestinationVerdict.UNKNOWN, why=why, cure=cure)


def _clear_secrets(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of each token, header and password in a URL that is not encrypted, whatever mode is chosen."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _clear_secrets(item, f"{path}[{number}]")
    for key, item in value.items() if isinstance(value, dict) else ():
        here = f"{path}.{key}".removeprefix(".")
        sealed = item.items() if key == "headers" and isinstance(item, dict) else ()
        yield from (f"{here}.{header}" for header, secret in sealed if _is_clear(secret))
        if (key == "token" and _is_clear(item)) or (key == "url" and _URL_SECRET.search(str(item))):
            yield here
        elif key != "headers":
            yield from _clear_secrets(item, here)


def _is_clear(secret: object) -> bool:
    if isinstance(secret, dict):
        return secret.get("encoding") == "plain" and bool(secret.get("value"))
    return isinstance(secret, str) and bool(secret)


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
