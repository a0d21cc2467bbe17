"""What kind of location a secret was found in, and whether it belongs there.

A key in the `.env` of its own user's home is where Hermes reads it: no finding, as long as only the owner can read the file.
The same key in a log, a backup or `config.yaml` is a copy.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.access import Readers, readers
from provision.containers.blob import ContentKind
from provision.detect.shapes import aisa_shaped
from provision.fleet.desired import SecretDelivery
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.audit.finding import RawFinding
    from provision.bundle.manifest import Manifest


class LocationKind(Enum):
    """Kinds of locations. The value ends the message of a finding."""

    ENV = "in .env"
    CONFIG = "in clear in config.yaml"
    POOL = "in Hermes' credential pool (auth.json)"
    CACHE = "in a cache of Hermes"
    JOBS = "in the settings of a cron job or platform"
    LOG = "in a log"
    SESSION = "in a session or request dump"
    CHAT = "in a chat history"
    DATABASE = "in a database"
    BACKUP = "in a backup or old copy"
    HISTORY = "in a shell history"
    PROGRAM = "in the settings of another program"
    SERVICE = "in a cron entry or service file"
    GIT = "in git history"
    PROCESS = "in the environment of a process"
    STREAM = "in standard input"
    IDENTITY = "in a key file"
    FILE = "in a file"


COPIES = frozenset(
    {
        LocationKind.LOG,
        LocationKind.SESSION,
        LocationKind.CHAT,
        LocationKind.DATABASE,
        LocationKind.BACKUP,
        LocationKind.HISTORY,
    }
)
"""Locations that no program reads a key from: it can be masked there without breaking anything."""
_HISTORIES = frozenset({
    ".bash_history", ".zsh_history", ".sh_history", ".ash_history", ".ksh_history", ".histfile", ".python_history",
    ".node_repl_history", ".psql_history", ".mysql_history", ".sqlite_history", "fish_history", "ConsoleHost_history.txt",
})  # fmt: skip
_PROGRAMS = (
    ".aisa/",
    ".claude/",
    ".claude.json",
    ".codex/",
    ".config/opencode/",
    ".aws/",
    ".docker/",
    ".netrc",
    ".npmrc",
)
_KEY_FILES = ("identity.txt", "endpoint_key", "signing_key")
_SERVICES = ("/systemd/", "/cron", "/LaunchAgents/", "/LaunchDaemons/")
_LIVE = (facts.JOBS_NAME, "cron/", "webhook", "pairing/", "platforms/")


@dataclass(frozen=True, slots=True)
class AuditedHome:
    """A Hermes home (or Hermes profile) that was found, and the manifest that is installed there."""

    path: Path
    manifest: Manifest | None = field(default=None, repr=False)

    def inside(self, path: str) -> str | None:
        """Return the path relative to this home; None when it is outside."""
        root = str(self.path).rstrip(os.sep) + os.sep
        return path[len(root) :].replace(os.sep, "/") if path.startswith(root) else None


@dataclass(frozen=True, slots=True)
class MachineLayout:
    """What is known about a machine besides its secrets. `config` is the folder of provision's own keys."""

    homes: tuple[AuditedHome, ...] = ()
    config: Path | None = None
    managed: Path = Path(facts.MANAGED_DIR)

    def home_of(self, path: str) -> tuple[AuditedHome, str] | None:
        """Return the innermost home that holds an absolute path, and the path inside it."""
        found = [(home, rel) for home in self.homes if (rel := home.inside(path)) is not None]
        return min(found, key=lambda pair: len(pair[1]), default=None)


def machine_layout(homes: Iterable[AuditedHome], config: Path | None) -> MachineLayout:
    """Build the layout of a machine with these homes, each listed once."""
    return MachineLayout(tuple({home.path: home for home in homes}.values()), config)


_BY_KIND = {
    ContentKind.GIT: LocationKind.GIT,
    ContentKind.PROCESS: LocationKind.PROCESS,
    ContentKind.STREAM: LocationKind.STREAM,
}


_ARCHIVED = frozenset({ContentKind.ARCHIVE, ContentKind.LEVELDB})
_JOURNAL = re.compile(r"\.(db|sqlite3?)-(wal|shm|journal)$")
"""Journals of SQLite, which belong to their database: who opens that rolls a killed program's change back from there."""


def location_kind(raw: RawFinding, layout: MachineLayout) -> LocationKind:
    """Classify the location of a raw finding."""
    if raw.kind in _BY_KIND:
        return _BY_KIND[raw.kind]
    path = os.path.abspath(raw.place.path)  # noqa: PTH100  resolve() would follow links
    at_home = layout.home_of(path)
    if at_home is not None:
        return _in_home(at_home[1], raw.kind)
    name = path.rpartition(os.sep)[2]
    if name in _HISTORIES:
        return LocationKind.HISTORY
    posix = path.replace(os.sep, "/")
    ours = layout.config is not None and path.startswith(str(layout.config) + os.sep) and name in _KEY_FILES
    if ours or ("/.ssh/" in posix and not name.endswith(".pub")):
        return LocationKind.IDENTITY
    if path == str(layout.managed / facts.ENV_NAME):
        return LocationKind.ENV
    if any(f"/{part}" in posix for part in _PROGRAMS):
        return LocationKind.PROGRAM
    if any(part in posix for part in _SERVICES):
        return LocationKind.SERVICE
    return _by_name(name, posix, raw.kind)


def _by_name(name: str, posix: str, kind: ContentKind) -> LocationKind:
    if kind is ContentKind.SQLITE or _JOURNAL.search(name):
        return LocationKind.DATABASE
    if kind in _ARCHIVED or name.endswith((".bak", ".old", ".orig", "~")):
        return LocationKind.BACKUP
    return LocationKind.LOG if name.endswith(".log") or "/log/" in posix or "/logs/" in posix else LocationKind.FILE


def _in_home(inside: str, kind: ContentKind) -> LocationKind:
    name = inside.rpartition("/")[2]
    if inside in (facts.ENV_NAME, facts.ONEPASSWORD_ENV_NAME):
        return LocationKind.ENV
    if inside == facts.CONFIG_NAME:
        return LocationKind.CONFIG
    if inside == facts.AUTH_NAME:
        return LocationKind.POOL
    if inside.startswith("cache/") and name.endswith(".json"):
        return LocationKind.CACHE
    if inside.startswith(_LIVE):
        return LocationKind.JOBS
    if kind in _ARCHIVED or ".bak" in name or inside.startswith(("state-snapshots/", "backups/")) or "backup" in name:
        return LocationKind.BACKUP
    if kind is ContentKind.SQLITE or _JOURNAL.search(name):
        return LocationKind.DATABASE
    if inside.startswith("logs/") or name.endswith(".log"):
        return LocationKind.LOG
    if inside.startswith("sessions/"):
        return LocationKind.SESSION
    return LocationKind.CHAT if name == ".hermes_history" else LocationKind.FILE


def is_in_place(raw: RawFinding, where: LocationKind, layout: MachineLayout) -> bool:
    """Whether a secret is where it belongs: only its owner can read it, the key is in force, and it is the right user's key."""
    known = raw.match.known
    if where not in (LocationKind.ENV, LocationKind.POOL, LocationKind.CACHE, LocationKind.IDENTITY, LocationKind.JOBS):
        return False
    if readers(Path(raw.place.path)) is not Readers.OWNER or (known and known.stage not in ("current", "pending")):
        return False
    if where is not LocationKind.ENV:
        return known is None and not aisa_shaped(raw.match.secret.reveal())
    at_home = layout.home_of(os.path.abspath(raw.place.path))  # noqa: PTH100  as above
    manifest = at_home[0].manifest if at_home else None
    if manifest is None:
        return True
    if known is not None and known.user != manifest.user:
        return False
    return manifest.secret_delivery is not SecretDelivery.RUN or raw.match.key != manifest.key_env
