"""The three-way merge of the team's new settings, its previous settings, and the user's file.

New settings are always applied. Previous settings that the team no longer sets are removed, unless the user changed them
since. All other settings are the user's and stay.
"""

from __future__ import annotations

from typing import Any

from provision.hermes.config.draft import ABSENT, Draft, SettingPath, same_value
from provision.hermes.facts import names as facts

_REPLACED = "replaced by the team's setting"


def apply_rendering(draft: Draft, new: dict[str, Any], last: dict[str, Any], path: SettingPath = ()) -> None:
    """Apply all settings of `new`: mappings merge, other values replace. Lists the user's values that were replaced."""
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


def _list_replaced(draft: Draft, path: SettingPath, have: Any, last: Any) -> None:
    """List a replaced value of the user's, but not an empty one or one that the last rendering set."""
    if path[0] == facts.VERSION_KEY:
        return
    if have is not ABSENT and have not in (None, "", {}, []) and not same_value(have, last):
        draft.record_removal(path, have, _REPLACED)


def retire_previous(draft: Draft, last: dict[str, Any], new: dict[str, Any], path: SettingPath = ()) -> None:
    """Remove what `last` set and `new` does not, if unchanged since. Also removes our mappings that become empty."""
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
