"""Recognise a Hermes home, and list what its owner has elsewhere that may hold a copy of a key.

Hermes is set up with commands that take the key as an argument (`hermes config set`, `hermes auth add --api-key`),
so shell histories hold it; users also put `AISA_API_KEY=…` into cron jobs, service files and login scripts.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.hermes.facts import names as facts
from provision.hermes.facts.names import AUTH_NAME, CONFIG_NAME, ENV_NAME, MANAGED_DIR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_OWN = frozenset({CONFIG_NAME, ENV_NAME, AUTH_NAME, "state.db"})
_TYPICAL = frozenset(
    {
        "SOUL.md", "sessions", "cron", "skills", "memories", "logs", "auth.lock", ".hermes_history", "profiles", "hooks",
        "state-snapshots", "pairing", "active_profile", "sandboxes", ".provision", "backups",
    }
)  # fmt: skip
_MARKS = tuple(
    text.encode() for text in (facts.VERSION_KEY, "x_provision", facts.CUSTOM_PREFIX, facts.CUSTOM_PROVIDERS)
)
_HISTORIES = (
    ".bash_history", ".zsh_history", ".zhistory", ".histfile", ".ash_history", ".sh_history", ".history", ".ksh_history",
    ".local/share/fish/fish_history", ".config/fish/fish_history", ".python_history", ".node_repl_history",
    ".sqlite_history", ".psql_history", ".lesshst", ".viminfo", ".local/share/powershell/PSReadLine/ConsoleHost_history.txt",
    *(f"AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine/{host}_history.txt"
      for host in ("ConsoleHost", "Visual Studio Code Host", "Windows PowerShell ISE Host")),
)  # fmt: skip
_LOGIN = (
    ".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_aliases", ".zprofile", ".zshenv", ".zshrc", ".zlogin",
    ".config/fish/config.fish", ".xprofile", ".xsessionrc", ".pam_environment", ".envrc", ".env", ".netrc", ".curlrc",
)  # fmt: skip
_POWERSHELL_PROFILES = tuple(
    f"{folder}/{name}"
    for folder in (
        ".config/powershell", "Documents/PowerShell", "Documents/WindowsPowerShell", "OneDrive*/Documents/PowerShell",
        "OneDrive*/Documents/WindowsPowerShell",
    )
    for name in ("*profile.ps1", "powershell.config.json")
)  # fmt: skip
"""As patterns: an organisation's OneDrive, into which Windows moves Documents, has its name."""
_FOLDERS = (
    ".config/environment.d", ".config/systemd/user", ".config/Hermes", "Library/LaunchAgents",
    "Library/Application Support/Hermes", "AppData/Roaming/Hermes", ".zsh_sessions", ".bash_sessions",
)  # fmt: skip
_CRONTABS = ("/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron", "/var/cron/tabs")


def is_hermes_home(path: str, names: Collection[str]) -> bool:
    """Whether a folder with these entries is a Hermes home (its root, or a single Hermes profile)."""
    own, typical = len(_OWN.intersection(names)), len(_TYPICAL.intersection(names))
    if not own:
        return False
    name = os.path.basename(os.path.abspath(path)).lower()  # noqa: PTH100, PTH119  names may not be valid text
    if name == ".hermes" or (own >= 2 and (name == "hermes" or typical >= 2)) or typical >= 4:
        return True
    return CONFIG_NAME in names and own >= 2 and _configures_hermes(Path(path) / CONFIG_NAME)


def _configures_hermes(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(1 << 16)
            return any(mark in start for mark in _MARKS)
    return False


def companion_paths(home: Path, *, crontabs: tuple[str, ...] = _CRONTABS, managed: str = MANAGED_DIR) -> Iterator[Path]:
    """List existing files and folders outside a Hermes home where its owner may have left a key.

    Hermes' managed scope is one of them: it applies to every home on the machine.
    """
    folder, name = _owner(home.absolute())
    if folder is not None:
        for relative in (*_HISTORIES, *_LOGIN, *_FOLDERS):
            if os.path.lexists(folder / relative):
                yield folder / relative
        for pattern in _POWERSHELL_PROFILES:
            yield from sorted(folder.glob(pattern))
    if name:
        yield from (Path(tabs) / name for tabs in crontabs if os.path.isfile(Path(tabs) / name))  # noqa: PTH113
    if os.path.isdir(managed):  # noqa: PTH112
        yield Path(managed)


def _owner(home: Path) -> tuple[Path | None, str]:
    """Return the home folder and name of the user who owns a Hermes home; (None, "") when unknown."""
    beside = home.parent if home.name == ".hermes" else None
    try:
        import pwd  # noqa: PLC0415  not on Windows

        entry = pwd.getpwuid(home.stat().st_uid)
    except (ImportError, KeyError, OSError):
        return beside or (home.parents[2] if len(home.parents) > 2 and home.name == "hermes" else None), ""
    return beside or Path(entry.pw_dir), entry.pw_name
