"""Resolve the credential pool of a custom endpoint: keys from `auth.json` or the configuration that win over `key_env`.

Models `agent/credential_pool.py`: `load_pool`, `_seed_custom_pool`, `CredentialPool.select`. A manual entry (written by
`hermes auth add`) has its key in `auth.json` and wins. Borrowed entries have no key there; the configuration fills them.
A Hermes profile without own entries reads those of the root home.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.facts import names as facts
from provision.hermes.routing.providers import NotModelledError, compatible_entries, fold_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.home import HomeFiles

MAX_AUTH_CHARS = 4 << 20


@dataclass(frozen=True, slots=True)
class PooledKey:
    """The key from a pool. `doubt` says why it may be another key; `manual` whether it is stored in `auth.json`."""

    pool: str
    key: str = field(repr=False)
    source: str
    manual: bool
    base_url: str = field(default="", repr=False)
    doubt: str | None = None


@dataclass(slots=True)
class _Entry:
    source: str
    key: str
    priority: int
    base_url: str
    raw: dict[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class AuthStore:
    """The pools that a home uses: from its own `auth.json` and, for a Hermes profile, also from that of the root."""

    pools: dict[str, list[tuple[dict[str, Any], str]]] = field(repr=False)
    unreadable: tuple[str, ...] = ()

    def entries(self, pool: str) -> list[tuple[dict[str, Any], str]]:
        """Return the raw entries of one pool, each with its place."""
        return self.pools.get(pool, [])


def read_auth(home: HomeFiles, root: HomeFiles | None) -> AuthStore:
    """Read every pool of a home. `root` is the root home if `home` is a Hermes profile. Never raises."""
    pools: dict[str, list[tuple[dict[str, Any], str]]] = {}
    unreadable = []
    for files in (home, root):
        if files is None or files.auth is None:
            continue
        path = files.where(facts.AUTH_NAME)
        store = _json(files.auth)
        if store is None:
            unreadable.append(path)
            continue
        found = store.get(facts.CREDENTIAL_POOL)
        for name, entries in found.items() if isinstance(found, dict) else ():
            if isinstance(entries, list) and entries and not pools.get(name):
                pools[name] = [
                    (e, f"{path} credential_pool.{name}[{n}]") for n, e in enumerate(entries) if isinstance(e, dict)
                ]
    return AuthStore(pools, tuple(unreadable))


def pool_name(config: dict[Any, Any], base_url: str, name: str | None) -> str | None:
    """Return the pool of an endpoint: `custom:NAME` of the entry with that name, else with that URL, else None.

    `credential_pool.get_custom_provider_pool_key`: an empty list `custom_providers` hides `providers`, so no pool exists.
    """
    if not base_url:
        return None
    entries = list(_custom_entries(config))
    if name:
        for found, _, _ in entries:
            if found == fold_name(name):
                return f"custom:{found}"
    url = base_url.strip().rstrip("/")
    for found, entry, _ in entries:
        entry_url = str(entry.get(facts.BASE_URL) or "").strip().rstrip("/")
        if entry_url and entry_url == url:
            return f"custom:{found}"
    return None


def pick_pooled_key(config: dict[Any, Any], auth: AuthStore, pool: str, *, now: float | None) -> PooledKey | None:
    """Return the key that Hermes takes from a pool, or None.

    `now` (Unix time) decides about entries on hold. Without it, such an entry raises NotModelledError.
    """
    entries = [_entry(raw, where) for raw, where in auth.entries(pool)]
    seeds = list(_seeds(config, pool))
    sources = {s.source for s in seeds}
    entries = [e for e in entries if _is_manual(e.source) or e.source in sources]
    for seed in seeds:
        existing = next((e for e in entries if e.source == seed.source), None)
        if existing:
            existing.key, existing.where = seed.key, seed.where
        else:
            seed.priority = max((e.priority for e in entries), default=-1) + 1
            entries.append(seed)
    entries.sort(key=lambda e: e.priority)
    available, on_hold = _available(entries, now)
    doubt = None
    if on_hold:
        raise NotModelledError(f"a key of the pool {pool} may still be on hold")
    if not available:
        return None
    strategies = config.get("credential_pool_strategies")
    strategy = str(strategies.get(pool) or "").strip().lower() if isinstance(strategies, dict) else ""
    chosen = available[0]
    if len(available) > 1 and strategy == "least_used":
        chosen = min(available, key=lambda e: _number(e.raw.get("request_count")))
    if len(available) > 1 and strategy in {"random", "round_robin", "least_used"}:
        doubt = f"the pool {pool} changes keys ({strategy})"
    manual = _is_manual(chosen.source)
    source = "auth.json pool (manual)" if manual else chosen.where
    return PooledKey(pool, chosen.key, source, manual, chosen.base_url, doubt)


def _available(entries: list[_Entry], now: float | None) -> tuple[list[_Entry], bool]:
    available, on_hold = [], False
    for entry in entries:
        status = entry.raw.get("last_status")
        if not entry.key or status == "dead":
            continue
        if status == "exhausted" and (until := _until(entry.raw)) is not None:
            on_hold |= now is None
            if now is None or now < until:
                continue
        available.append(entry)
    return available, on_hold


def _until(raw: dict[str, Any]) -> float | None:
    if isinstance(reset := raw.get("last_error_reset_at"), int | float) and reset > 0:
        return float(reset)
    at = raw.get("last_status_at")
    return (
        at + facts.POOL_HOLD_S.get(raw.get("last_error_code") or 0, facts.POOL_DEFAULT_HOLD_S)
        if isinstance(at, int | float) and at
        else None
    )


def _seeds(config: dict[Any, Any], pool: str) -> Iterator[_Entry]:
    """Yield the inline key of the pool's entry, and that of `model` for plain custom with the same URL (`_seed_custom_pool`)."""
    for name, entry, where in _custom_entries(config) if pool.startswith(facts.CUSTOM_PREFIX) else ():
        if f"custom:{name}" == pool:
            if key := str(entry.get(facts.API_KEY) or "").strip():
                shown = str(entry.get("name") or "").strip()
                yield _Entry(f"config:{shown}", key, 0, "", {}, f"{where}.api_key")
            break
    model = config.get("model")
    if isinstance(model, dict) and str(model.get("provider") or "").strip().lower() == "custom":
        url = str(model.get(facts.BASE_URL) or "").strip().rstrip("/")
        for name in (facts.API_KEY, "api"):
            if isinstance(inline := model.get(name), str) and inline.strip():
                if url and pool_name(config, url, None) == pool:
                    yield _Entry("model_config", inline.strip(), 0, "", {}, f"model.{name}")
                break


def _custom_entries(config: dict[Any, Any]) -> Iterator[tuple[str, dict[Any, Any], str]]:
    """Yield the list as it is, else the compatible entries (`credential_pool._iter_custom_providers`)."""
    listed = config.get(facts.CUSTOM_PROVIDERS)
    if isinstance(listed, list):
        for number, entry in enumerate(listed):
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                yield fold_name(entry["name"]), entry, f"custom_providers[{number}]"
        return
    for entry, path in compatible_entries(config):
        yield fold_name(entry["name"]), entry, f"{path[0]}.{path[1]}"


def _entry(raw: dict[str, Any], where: str) -> _Entry:
    source = str(raw.get("source") or "manual")
    key = raw.get("access_token") if _is_manual(source) else ""
    return _Entry(
        source,
        str(key or ""),
        int(_number(raw.get("priority"))),
        str(raw.get(facts.BASE_URL) or "").rstrip("/"),
        raw,
        where,
    )


def _is_manual(source: str) -> bool:
    source = source.strip().lower()
    return source == "manual" or source.startswith("manual:")


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def _json(data: bytes) -> dict[str, Any] | None:
    if len(data) > MAX_AUTH_CHARS or data.startswith(
        codecs.BOM_UTF8
    ):  # with a byte order mark, Hermes ignores the file
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
