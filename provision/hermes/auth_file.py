"""Remove credential-pool entries from `auth.json` that Hermes would use instead of the provisioned key, or that leak it.

`hermes auth add custom:NAME` stores a key there in clear, and Hermes uses it before `key_env`. Entries that only
refer to a key elsewhere (`config:…`, `env:…`) hold no key and stay. Entries of other providers stay too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.config.naming import normalized_name
from provision.hermes.facts import names as facts
from provision.hermes.removed_setting import RemovedSetting, masked_value
from provision.hermes.routing.wire import origin

if TYPE_CHECKING:
    from collections.abc import Container

_OF_POOL = "Hermes uses a key in the credential pool before the provisioned one"
_LEAKS = "the provisioned key is stored for another provider, which would get it"


def clean_auth(
    data: bytes | None, *providers: str, key: str = "", base_url: str = "", asked: Container[str] = ()
) -> tuple[bytes | None, tuple[RemovedSetting, ...]]:
    """Return the file without stored keys for these providers (names without `custom:`), and what was removed.

    Without copies of the provisioned `key` for any other provider, too. A copy for a built-in provider stays if its own URL is
    the gateway's (`base_url`), and no task or fallback asks (`asked`) that provider: those ignore the URL, as entries do.

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
        if not isinstance(entries, list):
            continue
        custom = pool.lower().startswith(facts.CUSTOM_PREFIX)
        ours = custom and normalized_name(pool) in names
        gone = [
            i
            for i, entry in enumerate(entries)
            if (ours and _holds_key(entry))
            or (key and _has(key, entry) and (custom or pool in asked or not _goes_to(base_url, entry)))
        ]
        for i in gone:
            token = next(iter(pool_tokens(entries[i])), "")
            where, why = f"credential_pool.{pool}[{i}]", _OF_POOL if ours else _LEAKS
            removed.append(RemovedSetting(facts.AUTH_NAME, where, why, masked_value("key", token)))
        if gone:
            pools[pool] = [entry for i, entry in enumerate(entries) if i not in gone]
    if not removed:
        return data, ()
    for pool in {r.where.removeprefix("credential_pool.").rpartition("[")[0] for r in removed}:
        if not pools[pool]:
            del pools[pool]
    return dump_in_layout(store, data), tuple(removed)


def pool_tokens(entry: Any) -> tuple[str, ...]:
    """Return the keys that an entry of a pool stores."""
    return tuple(str(entry[k]).strip() for k in facts.POOL_TOKENS if entry.get(k)) if isinstance(entry, dict) else ()


def _goes_to(base_url: str, entry: dict[str, Any]) -> bool:
    own = entry.get(facts.BASE_URL)
    return bool(base_url and own) and origin(str(own)) == origin(base_url)


def _has(key: str, entry: Any) -> bool:
    return any(key in token for token in pool_tokens(entry))


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
