"""The model choices that conversations of Hermes' messaging gateway keep: `/model` there survives a restart, and a new home.

Primary are the rows of `gateway_routing` in `state.db`; `sessions/sessions.json` counts for conversations that have no row
(`gateway/session.py`). Reading changes nothing: the database is opened read-only. A reset is what `/new` does to the choice; all
else of the conversation stays.
"""

from __future__ import annotations

import json
import stat
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.files import FileProblemError, read_optional, write_atomic
from provision.hermes.auth_file import dump_in_layout
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MAX_ROWS = 10_000
_NEW = "send /new in each of them, then install again"
_MAX_BYTES = 8 << 20
_WAIT_S = 1.0
_ROWS = "SELECT session_key, entry_json FROM gateway_routing WHERE entry_json LIKE '%model_override%' LIMIT ?"


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """What one conversation has chosen. `unread` says why the choices of a file are not known; the rest is empty then."""

    file: str
    conversation: str = ""
    provider: str = ""
    base_url: str = field(default="", repr=False)
    unread: str = ""

    @property
    def place(self) -> str:
        """The file, and the conversation in it."""
        return f"{self.file} {self.conversation}".strip()


def read_session_choices(folder: Path) -> tuple[SessionChoice, ...]:
    """Read the choices of all conversations of a home. Never raises."""
    found: dict[str, SessionChoice] = {}
    unread: list[SessionChoice] = []
    try:
        data = read_optional(folder / facts.SESSIONS_NAME, _MAX_BYTES)
        listed = json.loads(data) if data else {}
        for key, entry in listed.items() if isinstance(listed, dict) else ():
            _note(found, str(key), entry, f"{folder}/{facts.SESSIONS_NAME}")
    except FileProblemError as e:
        unread.append(SessionChoice(f"{folder}/{facts.SESSIONS_NAME}", unread=e.message))
    except (ValueError, RecursionError):
        pass  # Hermes ignores a file that it cannot parse
    path = folder / facts.STATE_NAME
    try:
        rows = _rows(path)
    except OSError as e:
        return (*found.values(), *unread, SessionChoice(str(path), unread=f"it cannot be read: {e}"))
    for key, text in rows:
        found.pop(key, None)
        try:
            _note(found, key, json.loads(text), str(path))
        except (ValueError, RecursionError):
            continue
    return (*found.values(), *unread)


def reset_session_choices(folder: Path, conversations: Collection[str]) -> None:
    """Remove the choices of these conversations. Raises FileProblemError; what is left then is still reported."""
    listing, path = folder / facts.SESSIONS_NAME, folder / facts.STATE_NAME
    if listing.is_symlink() or listing.parent.is_symlink() or path.is_symlink():
        raise FileProblemError(f"{path} or {listing} is a symbolic link: the choices of conversations stay", hint=_NEW)
    data = read_optional(listing, _MAX_BYTES)
    try:
        listed = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        listed = {}
    chosen = [name for name in conversations if isinstance(listed, dict) and _has_choice(listed.get(name))]
    for name in chosen:
        del listed[name]["model_override"]
    if chosen and data:
        write_atomic(listing, dump_in_layout(listed, data))
    if not path.is_file():
        return
    import sqlite3  # noqa: PLC0415  only homes with a database pay for it

    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_S)) as database,
            database,
        ):
            for name, text in database.execute(_ROWS, (MAX_ROWS,)).fetchall():
                entry: Any = json.loads(text) if name in conversations else None
                if _has_choice(entry):
                    del entry["model_override"]
                    new = (json.dumps(entry), name, text)
                    database.execute(
                        "UPDATE gateway_routing SET entry_json = ? WHERE session_key = ? AND entry_json = ?", new
                    )
    except (sqlite3.Error, ValueError, RecursionError) as e:
        if "no such table" not in str(e):
            raise FileProblemError(f"the choices of conversations in {path} stay: {e}", hint=_NEW) from e


def _has_choice(entry: Any) -> bool:
    return isinstance(entry, dict) and "model_override" in entry


def _note(found: dict[str, SessionChoice], key: str, entry: Any, file: str) -> None:
    chosen = entry.get("model_override") if isinstance(entry, dict) else None
    if isinstance(chosen, dict):
        provider, url = (str(chosen.get(name) or "").strip() for name in ("provider", facts.BASE_URL))
        if provider or url:
            found[key] = SessionChoice(file, key, provider, url)


def _rows(path: Path) -> list[tuple[str, str]]:
    """Return the rows with a choice. Raises OSError if the database cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError("it is not a regular file")
    except FileNotFoundError:
        return []
    import sqlite3  # noqa: PLC0415  only homes with a database pay for it

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)) as database:
            return [(str(key), str(text)) for key, text in database.execute(_ROWS, (MAX_ROWS,))]
    except sqlite3.Error as e:
        if "no such table" in str(e):
            return []  # of a release that keeps no choices there
        raise OSError(str(e)) from e
