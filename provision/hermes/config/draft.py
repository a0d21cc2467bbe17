"""A configuration that is being changed: its values, and a log of every change.

`splice` and `roundtrip` replay the log on the user's own text, so that only changed settings are rewritten. The values
are what Hermes must read afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from provision.hermes.removed_setting import RemovedSetting, is_shown, masked_value

if TYPE_CHECKING:
    from collections.abc import Iterator

SettingPath = tuple[str | int, ...]
ABSENT: Any = object()
"""The key does not exist; different from null."""


class ConfigChange(NamedTuple):
    """One change; `value` is ABSENT for a removal."""

    path: SettingPath
    value: Any


class Draft:
    """The values of one `config.yaml`, changed key by key. `removed` lists the user's settings that were removed."""

    def __init__(self, data: dict[Any, Any], file: str) -> None:
        self.data = copy_unshared(data)
        self.changes: list[ConfigChange] = []
        self.removed: list[RemovedSetting] = []
        self._file = file

    def get(self, *path: str | int) -> Any:
        """Return the value at a path, or ABSENT."""
        return value_at(self.data, path)

    def mapping(self, *path: str | int) -> dict[Any, Any]:
        """Return the mapping at a path; an empty one for any other value."""
        value = self.get(*path)
        return value if isinstance(value, dict) else {}

    def set(self, path: SettingPath, value: Any) -> None:
        """Set a value. The mappings on the way must exist. An equal value is not logged as a change."""
        if same_value(self.get(*path), value):
            return
        self.get(*path[:-1])[path[-1]] = copy_unshared(value)
        self._log(ConfigChange(path, copy_unshared(value)))

    def delete(self, path: SettingPath) -> None:
        """Remove a value, if it exists."""
        if self.get(*path) is ABSENT:
            return
        del self.get(*path[:-1])[path[-1]]
        self._log(ConfigChange(path, ABSENT))

    def _log(self, change: ConfigChange) -> None:
        """Log a change. One below a mapping that was just set becomes part of it: a new section is written at once."""
        *way, key = change.path
        for path, value in reversed(self.changes):
            if path == tuple(way[: len(path)]):
                if not isinstance(value, dict):
                    break
                holder = value
                for step in way[len(path) :]:
                    holder = holder[step]
                if change.value is ABSENT:
                    del holder[key]
                else:
                    holder[key] = change.value
                return
            if path[: len(change.path)] == change.path or any(isinstance(step, int) for step in path):
                break  # the order of these two matters: a removed item moves the items after it
        self.changes.append(change)

    def take(self, path: SettingPath, why: str) -> None:
        """Remove a user's setting and list it in `removed`."""
        value = self.get(*path)
        if value is not ABSENT:
            self.record_removal(path, value, why)
            self.delete(path)

    def record_removal(self, path: SettingPath, value: Any, why: str) -> None:
        """Add a user's setting to `removed`."""
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        kept = (path, copy_unshared(value)) if is_shown(name, value) else ((), None)
        self.removed.append(
            RemovedSetting(self._file, dotted_path(path), why, masked_value(str(path[-1]), value), *kept)
        )


def dotted_path(path: SettingPath) -> str:
    """Format a path: `providers.aisa.api_key`, `custom_providers[0].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def value_at(value: Any, path: SettingPath) -> Any:
    """Return the value at a path below a value, or ABSENT."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value


def texts_with_paths(value: Any, path: SettingPath = ()) -> Iterator[tuple[SettingPath, str]]:
    """Yield every text in a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts_with_paths(item, (*path, step))


def copy_unshared(value: Any) -> Any:
    """Return a copy without shared objects (PyYAML shares the objects of anchors)."""
    if isinstance(value, dict):
        return {key: copy_unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_unshared(item) for item in value]
    return value


def same_value(one: Any, two: Any) -> bool:
    """Compare two values as a configuration does: 1, 1.0 and true differ, NaN equals itself."""
    if one is ABSENT or two is ABSENT:
        return one is two
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same_value(item, two[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same_value, one, two))
    return type(one) is type(two) and bool(one == two or (one != one and two != two))  # noqa: PLR0124  NaN
