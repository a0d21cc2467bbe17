"""Copies of a key that was replaced, wherever in a Hermes home they stand: found by value, and brought to the new key.

`hermes config set` and `hermes auth` change the one place they know. Copies under `providers.*`, `fallback_*`, `delegation`,
`mcp_servers`, other names in `.env`, manual pool entries and Hermes profiles stay, and fail on the day the old key is revoked.
In `config.yaml` a copy becomes `${NAME}` (Hermes 0.19 expands that in every setting, `docs/hermes.md`), in `.env` and `auth.json`
the new value. A copy that would be sent to another host than the gateway is left alone and named: the new key has no
business there. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.auth_file import dump_in_layout
from provision.hermes.config.draft import dotted_path
from provision.hermes.config.merge import MergeError, change_config
from provision.hermes.config.naming import URL_KEYS, host_and_port, normalized_name
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.removed_setting import RemovedSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provision.hermes.config.draft import Draft, Path

_WORD = re.compile(rb"[A-Za-z0-9._~+/=:@-]{8,8192}|[A-Za-z0-9_-]{8,8192}")
_PART = re.compile(rb"[A-Za-z0-9_-]{8,8192}")
_MOST_WORDS = 50_000
_OWN_PROVIDERS = frozenset({"", "auto", "main", "custom"})
"""What a setting with no address of its own says when it uses the main route."""
_ON_HOLD = (
    "last_status",
    "last_status_at",
    "last_error_code",
    "last_error_reason",
    "last_error_message",
    "last_error_reset_at",
)


@dataclass(frozen=True, slots=True)
class KeyReplacement:
    """One key's replacement. `new` None: it must not stand on disk, and copies in `.env` and `auth.json` go.

    `provider` and `base_url` are those of the bundle: where the new key may be sent.
    """

    old: str = field(repr=False)
    new: str | None = field(repr=False)
    key_env: str
    provider: str
    base_url: str

    @property
    def becomes(self) -> str:
        """What a copy in clear becomes, in words."""
        return "now the new one" if self.new is not None else f"gone, {self.key_env} is in memory only"

    def here(self, url: object) -> bool:
        """Whether an address is the gateway's."""
        return host_and_port(url) == host_and_port(self.base_url)


@dataclass(frozen=True, slots=True)
class ReplacedFile:
    """A file after the swap: what was replaced (as entries of the report), and where the old key had to stay, and why."""

    data: bytes | None = field(repr=False)
    replaced: tuple[RemovedSetting, ...] = ()
    left: tuple[str, ...] = ()


def find_old_key(files: Iterable[bytes | None], is_old: Callable[[str], bool]) -> str | None:
    """The old key, recognised by its fingerprint among all words of these files; None when no copy is left."""
    seen: set[bytes] = set()
    for data in files:
        for pattern in (_WORD, _PART) if data else ():
            for found in pattern.finditer(data or b""):
                word = found.group()
                if word in seen or len(seen) >= _MOST_WORDS:
                    continue
                seen.add(word)
                if is_old(word.decode("ascii")):
                    return word.decode("ascii")
    return None


def replace_in_config(data: bytes | None, swap: KeyReplacement, file: str) -> ReplacedFile:
    """Every copy in a `config.yaml` as a reference; `file` is how the report calls it.

    A file that Hermes cannot read, or that cannot be changed without a risk, stays, and is named.
    """
    if not data or swap.old.encode() not in data:
        return ReplacedFile(data)
    replaced: list[RemovedSetting] = []
    left: list[str] = []

    def change(draft: Draft) -> None:
        for path, text in list(_texts(draft.data, ())):
            if _holds(text, swap.old):
                if reason := _elsewhere(draft.data, path, text, swap):
                    left.append(f"{file}: {dotted_path(path)} holds the replaced key, {reason}")
                    continue
                draft.set(path, _exchanged(text, swap.old, f"${{{swap.key_env}}}"))
                replaced.append(_told(file, dotted_path(path), f"now ${{{swap.key_env}}}"))

    try:
        changed = change_config(data, change)
    except MergeError as e:
        return ReplacedFile(data, (), (f"{file} holds the replaced key and cannot be changed: {e.message}",))
    if not replaced and not left:
        left.append(f"{file} holds the replaced key outside of any setting (a comment): nothing uses it")
    return ReplacedFile(changed.data, tuple(replaced), tuple(left))


def replace_in_env(data: bytes | None, swap: KeyReplacement, file: str) -> ReplacedFile:
    """Every copy in a `.env` under a name that goes to the gateway; comments stay as they are."""
    if not data or swap.old.encode() not in data:
        return ReplacedFile(data)
    values = read_env_raw(data)
    replaced: list[RemovedSetting] = []
    left: list[str] = []
    names = {name for name, value in values.items() if value and _holds(value, swap.old)}
    ours = {name for name in names if _sent_here(name, values, swap)}
    lines = []
    for line in data.splitlines(keepends=True):
        name = _name_on(line)
        if name not in ours or not _holds(line.decode("utf-8", "replace"), swap.old):
            lines.append(line)
        elif swap.new is not None:
            lines.append(_exchanged_bytes(line, swap.old, swap.new))
    for name in sorted(names):
        if name in ours:
            replaced.append(_told(file, name, swap.becomes))
        else:
            left.append(f"{file}: {name} holds the replaced key, and Hermes sends that variable to another host")
    return ReplacedFile(b"".join(lines), tuple(replaced), tuple(left))


def replace_in_auth(data: bytes | None, swap: KeyReplacement, file: str) -> ReplacedFile:
    """Every copy in the credential pools of an `auth.json` that serve the gateway."""
    if not data or swap.old.encode() not in data:
        return ReplacedFile(data)
    try:
        store = json.loads(data)
        pools = store["credential_pool"]
        entries = [(name, at, entry) for name, pool in pools.items() for at, entry in enumerate(pool)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ReplacedFile(data, (), (f"{file} holds the replaced key in a place that Hermes 0.19 does not know",))
    replaced: list[RemovedSetting] = []
    left: list[str] = []
    gone: list[Any] = []
    for name, at, entry in entries:
        tokens = [key for key, value in entry.items() if value == swap.old] if isinstance(entry, dict) else []
        where = f"credential_pool.{name}[{at}]"
        if not tokens:
            continue
        if not (swap.here(entry["base_url"]) if entry.get("base_url") else normalized_name(name) == swap.provider):
            left.append(f"{file}: {where} holds the replaced key, for another host")
        elif swap.new is None:
            gone.append(entry)
            replaced.append(_told(file, where, swap.becomes))
        else:
            entry.update(dict.fromkeys(tokens, swap.new))
            for key in _ON_HOLD:  # Hermes noted the old key's refusals; the new one has none
                entry.pop(key, None)
            replaced.append(_told(file, where, swap.becomes))
    if not replaced:
        return ReplacedFile(data, (), tuple(left))
    for name in pools:
        pools[name] = [entry for entry in pools[name] if not any(entry is each for each in gone)]
    return ReplacedFile(dump_in_layout(store, data), tuple(replaced), tuple(left))


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))


def _elsewhere(data: Any, path: Path, text: str, swap: KeyReplacement) -> str:
    """Why the text at `path` would be sent to another host than the gateway; empty when it would not."""
    if "://" in text and not swap.here(_first_url(text)):
        return "in an address of another host"
    for mapping in reversed(_mappings(data, path)):
        urls = [
            mapping[key]
            for key in (*URL_KEYS, "api_base")
            if isinstance(mapping.get(key), str) and "://" in mapping[key]
        ]
        if urls:
            return "" if all(swap.here(url) for url in urls) else "for another host"
        provider = normalized_name(mapping.get("provider") or "")
        if provider not in _OWN_PROVIDERS and provider != swap.provider:
            return f"for the provider {provider}"
    if path[0] == "providers" and len(path) > 1 and normalized_name(path[1]) != swap.provider:
        return f"for the provider {normalized_name(path[1])}"
    return ""


def _mappings(data: Any, path: Path) -> list[dict[Any, Any]]:
    """The mappings on the way to a path, without the root: what stands there is nobody's address but the main route's."""
    found = []
    for step in path[:-1]:
        data = data[step]
        if isinstance(data, dict):
            found.append(data)
    return found


def _first_url(text: str) -> str:
    found = re.search(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", text)
    return found.group() if found else text


def _sent_here(name: str, values: Mapping[str, str | None], swap: KeyReplacement) -> bool:
    """Whether a variable's value goes to the gateway: ours by name, or its own base URL says so."""
    if name == swap.key_env or "AISA" in name.upper():
        return True
    url = values.get(re.sub(r"_(API_KEY|KEY|TOKEN)$", "", name) + "_BASE_URL")
    return bool(url) and swap.here(url)


def _name_on(line: bytes) -> str:
    found = re.match(rb"\s*(?:export\s+)?'?([A-Za-z_][A-Za-z0-9_]*)'?\s*=", line.removeprefix(b"\xef\xbb\xbf"))
    return found.group(1).decode() if found else ""


def _holds(text: str, old: str) -> bool:
    return bool(_bounded(old).search(text))


def _exchanged(text: str, old: str, new: str) -> str:
    return _bounded(old).sub(lambda _: new, text)


def _exchanged_bytes(line: bytes, old: str, new: str) -> bytes:
    return _exchanged(line.decode("latin-1"), old, new).encode("latin-1")


def _bounded(old: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(old)}(?![A-Za-z0-9_-])")


def _told(file: str, where: str, now: str) -> RemovedSetting:
    return RemovedSetting(file, where, f"a copy of the replaced key: {now}", "****")
