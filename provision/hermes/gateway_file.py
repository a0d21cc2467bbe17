"""The older settings of Hermes' messaging gateway (`gateway.json`), and those of memory services: take out the team's key.

In `gateway.json` these are the routes of the API server (`model_routes`) that name URLs, and every other setting with the key.
All else stays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.auth_file import dump_in_layout
from provision.hermes.config.draft import dotted_path, texts_with_paths, value_at
from provision.hermes.config.side_leaks import PLATFORM_KEY, ProvisionedKey, beside_gateway, leaking_settings
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.removed_setting import RemovedSetting, masked_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.hermes.config.conflicts import ProvisionedProvider

_LEAKS = "this route of the API server sends the provisioned key to another host"
_MEMORY = "it hands the provisioned key to the service that keeps the agent's memory"


def clean_gateway(
    data: bytes | None, ours: ProvisionedProvider, key: ProvisionedKey, entries: Iterable[str]
) -> tuple[bytes | None, tuple[RemovedSetting, ...]]:
    """Return the file without what sends the key elsewhere, and what was removed. Keeps the layout of the JSON."""
    try:
        store = json.loads(data or b"null")
    except (ValueError, RecursionError):
        return data, ()
    removed: list[RemovedSetting] = []
    names = tuple(entries)
    for platform, settings in _mapping(_mapping(store).get("platforms")).items():
        routes = _mapping(_mapping(_mapping(settings).get("extra")).get("model_routes"))
        for name, entry in routes.items():
            for setting in leaking_settings(entry, ours, key, names):
                where = f"platforms.{platform}.extra.model_routes.{name}.{setting}"
                removed.append(
                    RemovedSetting(facts.GATEWAY_NAME, where, _LEAKS, masked_value(setting, entry.pop(setting)))
                )
    removed += _take_out(store, facts.GATEWAY_NAME, PLATFORM_KEY, ours, key)
    return (dump_in_layout(store, data), tuple(removed)) if removed and data is not None else (data, ())


def clean_memory(
    name: str, data: bytes, ours: ProvisionedProvider, key: ProvisionedKey
) -> tuple[bytes, tuple[RemovedSetting, ...]]:
    """Return the settings file `name` of a memory service without the key, unless it is beside a URL of the gateway."""
    try:
        store = json.loads(data)
    except (ValueError, RecursionError):
        return data, ()
    removed = _take_out(store, name, _MEMORY, ours, key)
    return (dump_in_layout(store, data), removed) if removed else (data, ())


def _take_out(
    store: Any, file: str, why: str, ours: ProvisionedProvider, key: ProvisionedKey
) -> tuple[RemovedSetting, ...]:
    """Remove every text with the key itself: Hermes expands no reference in these files."""
    literal = ProvisionedKey(frozenset(), key.value)
    removed: list[RemovedSetting] = []
    for path, value in reversed([*texts_with_paths(store)]):
        holder = value_at(store, path[:-1])
        routes = side.ROUTES_OF_PLATFORMS & {*path}
        if path and literal.held_by(value) and not routes and not beside_gateway(holder, ours):
            del holder[path[-1]]
            removed.append(RemovedSetting(file, dotted_path(path), why, masked_value(str(path[-1]), value)))
    return tuple(removed)


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
