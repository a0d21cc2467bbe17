"""The three-way part of a merge: what the team sets now, what it set last time, and what the user has made of it.

Ours is set whatever stands there. What we set last time and no longer set goes, unless the user changed it since.
Everything else is the user's own.
"""

from __future__ import annotations

from typing import Any

from provision.hermes.config.draft import ABSENT, Draft, Path, same_value

_OURS = "replaced by the team's setting"


def apply_rendering(draft: Draft, new: dict[str, Any], last: dict[str, Any], path: Path = ()) -> None:
    """Set everything of `new`; mappings merge, everything else replaces. What it replaces of the user's is listed."""
    for key, value in new.items():
        here = (*path, key)
        have = draft.get(*here)
        if isinstance(value, dict):
            if not isinstance(have, dict):
                _list_replaced(draft, here, have, last.get(key, ABSENT))
                draft.set(here, {})
            below = last.get(key)
            apply_rendering(draft, value, below if isinstance(below, dict) else {}, here)
        elif not same_value(have, value):
            _list_replaced(draft, here, have, last.get(key, ABSENT))
            draft.set(here, value)


def _list_replaced(draft: Draft, path: Path, have: Any, last: Any) -> None:
    """List a user's value that ours replaces; not what we set ourselves, nor nothing at all."""
    if path[0] == "_config_version":
        return
    if have is not ABSENT and have not in (None, "", {}, []) and not same_value(have, last):
        draft.list_(path, have, _OURS)


def retire_previous(draft: Draft, last: dict[str, Any], new: dict[str, Any], path: Path = ()) -> None:
    """Take out what `last` set and `new` does not, where it is still as we set it; emptied mappings of ours go too."""
    for key, value in last.items():
        here = (*path, key)
        have = draft.get(*here)
        successor = new.get(key, ABSENT)
        if have is ABSENT or (successor is not ABSENT and not isinstance(value, dict)):
            continue
        if isinstance(value, dict) and isinstance(have, dict):
            retire_previous(draft, value, successor if isinstance(successor, dict) else {}, here)
            if successor is ABSENT and not draft.get(*here):
                draft.delete(here)
        elif successor is ABSENT and same_value(have, value):
            draft.delete(here)
