"""`auth.json` of a Hermes home: credential-pool entries that would be sent instead of the provisioned key.

`hermes auth add custom:NAME` stores a key there in clear, and Hermes 0.19 sends it before it looks at `key_env`. Entries
that only refer to a key elsewhere (`config:…`, `env:…`) hold none and stay; so does every other provider's.
"""

from __future__ import annotations

import json
from typing import Any

from provision.hermes.config.naming import normalised_name
from provision.hermes.removed import Removed, shown

_TOKENS = ("access_token", "api_key", "refresh_token", "agent_key")


def clean_auth(data: bytes | None, *providers: str) -> tuple[bytes | None, tuple[Removed, ...]]:
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
    names = {normalised_name(name) for name in providers}
    removed: list[Removed] = []
    for pool, entries in pools.items():
        if (
            not pool.lower().startswith("custom:")
            or normalised_name(pool) not in names
            or not isinstance(entries, list)
        ):
            continue
        for i, entry in enumerate(entries):
            if _holds_key(entry):
                token = next((str(entry[k]) for k in _TOKENS if entry.get(k)), "")
                why = "a key in the credential pool beats the provisioned one"
                removed.append(Removed("auth.json", f"credential_pool.{pool}[{i}]", why, shown("key", token)))
        pools[pool] = [entry for entry in entries if not _holds_key(entry)]
    if not removed:
        return data, ()
    for pool in [p for p, entries in pools.items() if entries == [] and normalised_name(p) in names]:
        del pools[pool]
    return dumped(store, data), tuple(removed)


def _holds_key(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    source = str(entry.get("source") or "manual").strip().lower()
    return source.startswith("manual") or any(entry.get(key) for key in _TOKENS)


def dumped(store: Any, like: bytes) -> bytes:
    """JSON in the layout of the file it came from; Hermes' own, when that cannot be told."""
    original = json.loads(like)
    end = "\n" if like.endswith(b"\n") else ""
    for ascii_ in (True, False):
        for indent in (2, 4, None, "\t"):
            layout: dict[str, Any] = {"indent": indent, "ensure_ascii": ascii_}
            if (json.dumps(original, **layout) + end).encode() == like:
                return (json.dumps(store, **layout) + end).encode()
    return (json.dumps(store, indent=2) + "\n").encode()
