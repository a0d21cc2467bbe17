"""Remove credential-pool entries from `auth.json` that Hermes would use instead of the provisioned key.

`hermes auth add custom:NAME` stores a key there in clear, and Hermes uses it before `key_env`. Entries that only
refer to a key elsewhere (`config:…`, `env:…`) hold no key and stay. Entries of other providers stay too.
"""

from __future__ import annotations

import json
from typing import Any

from provision.hermes.config.naming import normalized_name
from provision.hermes.facts import names as facts
from provision.hermes.removed_setting import RemovedSetting, masked_value


def clean_auth(data: bytes | None, *providers: str) -> tuple[bytes | None, tuple[RemovedSetting, ...]]:
    """Return the file without stored keys for these providers (names without `custom:`), and what was removed.

    Returns the same bytes if nothing has to change, and if Hermes cannot read the file (Hermes then uses an empty one).
    Keeps the layout of the JSON.
    """
    try:
        store = json.loads(data or b"null")
    except (ValueError, RecursionError):
        return data, ()
    pools = store.get(facts.CREDENTIAL_POOL) if isinstance(store, dict) else None
    if data is None or not isinstance(pools, dict):
        return data, ()
    names = {normalized_name(name) for name in providers}
    removed: list[RemovedSetting] = []
    for pool, entries in pools.items():
        if (
            not pool.lower().startswith(facts.CUSTOM_PREFIX)
            or normalized_name(pool) not in names
            or not isinstance(entries, list)
        ):
            continue
        for i, entry in enumerate(entries):
            if _holds_key(entry):
                token = next((str(entry[k]) for k in facts.POOL_TOKENS if entry.get(k)), "")
                why = "Hermes uses a key in the credential pool before the provisioned one"
                removed.append(
                    RemovedSetting(facts.AUTH_NAME, f"credential_pool.{pool}[{i}]", why, masked_value("key", token))
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
    return source.startswith("manual") or any(entry.get(key) for key in facts.POOL_TOKENS)


def dump_in_layout(store: Any, like: bytes) -> bytes:
    """Return `store` as JSON in the layout of the file `like`, or in Hermes' own layout if that one is not recognized."""
    original = json.loads(like)
    end = "\n" if like.endswith(b"\n") else ""
    for ascii_ in (True, False):
        for indent in (2, 4, None, "\t"):
            layout: dict[str, Any] = {"indent": indent, "ensure_ascii": ascii_}
            if (json.dumps(original, **layout) + end).encode() == like:
                return (json.dumps(store, **layout) + end).encode()
    return (json.dumps(store, indent=2) + "\n").encode()
