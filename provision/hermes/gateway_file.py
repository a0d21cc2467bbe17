"""The older settings of Hermes' messaging gateway (`gateway.json`): take out what sends the team's key elsewhere.

Only routes of the API server (`model_routes`) name URLs there. All else stays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.auth_file import dump_in_layout
from provision.hermes.config.side_leaks import ProvisionedKey, leaking_settings
from provision.hermes.facts import names as facts
from provision.hermes.removed_setting import RemovedSetting, masked_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.hermes.config.conflicts import ProvisionedProvider

_LEAKS = "this route of the API server sends the provisioned key to another host"


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
    return (dump_in_layout(store, data), tuple(removed)) if removed and data is not None else (data, ())


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
