"""`auth.json` of a Hermes home: credential-pool entries that would be sent instead of the provisioned key.

`hermes auth add custom:NAME` stores a key there in clear, and Hermes 0.19 sends it before it looks at `key_env`. Entries
that only refer to a key elsewhere (`config:…`, `env:…`) hold none and stay; so does every other provider's.
"""

from __future__ import annotations

import json
from typing import Any

from provision.hermes.config.naming import normalized_name
from provision.hermes.removed_setting import RemovedSetting, masked_value

_TOKENS = ("access_token", "api_key", "refresh_token", "agent_key")


def clean_auth(data: bytes | None, *providers: str) -> tuple[bytes | None, tuple[RemovedSetting, ...]]:
    """The file without keys of its own for these providers (names without `custom:`), and what was taken out.

    The same bytes come back when there is nothing to do, and when Hermes itself could not read the file (it then starts
    with an empty one). The layout of the JSON is kept.
    """
    try:
        store = json.loads(data or b"null")
    except (ValueError, RecursionError):
        return data, ()
    pools = store.get("credential_pool") if isinstance(store, dict) else None
    if data is None or not isinstance(pools, dict):
        return data, ()
    names = {normalized_name(name) for name in providers}
    removed: list[RemovedSetting] = []
    for pool, entries in pools.items():
        if (
            not pool.lower().startswith("custom:")
            or normalized_name(pool) not in names
            or not isinstance(entries, list)
        ):
            continue
        for i, entry in enumerate(entries):
            if _holds_key(entry):
                token = next((str(entry[k]) for k in _TOKENS if entry.get(k)), "")
                why = "a key in the credential pool beats the provisioned one"
                removed.append(
                    RemovedSetting("auth.json", f"credential_pool.{pool}[{i}]", why, masked_value("key", token))
                )
        pools[pool] = [entry for entry in entries if not _holds_key(entry)]
    if not removed:
        return data, ()
    for pool in [p for p, entries in pools.items() if entries == [] and normalized_name(p) in names]:
        del pools[pool]
    return dump_in_layout(store, data), tuple(removed)


def _holds_key(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    source = str(entry.get("source") or "manual").strip().lower()
    return source.startswith("manual") or any(entry.get(key) for key in _TOKENS)


def dump_in_layout(store: Any, like: bytes) -> bytes:
    """JSON in the layout of the file it came from; Hermes' own, when that cannot be told."""
    original = json.loads(like)
    end = "\n" if like.endswith(b"\n") else ""
    for ascii_ in (True, False):
        for indent in (2, 4, None, "\t"):
            layout: dict[str, Any] = {"indent": indent, "ensure_ascii": ascii_}
            if (json.dumps(original, **layout) + end).encode() == like:
                return (json.dumps(store, **layout) + end).encode()
    return (json.dumps(store, indent=2) + "\n").encode()
