"""Find copies of a replaced key in a Hermes home by value, and replace them with the new key.

`hermes config set` and `hermes auth` change one place only. Copies under `providers.*`, `fallback_*`, `delegation`,
`mcp_servers`, under other names in `.env`, in manual pool entries and in Hermes profiles stay, and fail when the old key
is revoked. In `config.yaml` a copy becomes `${NAME}` (Hermes expands it in every setting, `docs/hermes.md`); in
`.env` and `auth.json` it becomes the new value. A copy that Hermes sends to a host other than the gateway stays and is
reported, because the new key must not be sent there. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.auth_file import dump_in_layout
from provision.hermes.config.draft import dotted_path, texts_with_paths
from provision.hermes.config.merge import MergeError, change_config
from provision.hermes.config.naming import host_and_port, normalized_name
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.removed_setting import RemovedSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provision.hermes.config.draft import Draft, SettingPath

_WORD = re.compile(rb"[A-Za-z0-9._~+/=:@-]{8,8192}|[A-Za-z0-9_-]{8,8192}")
_PART = re.compile(rb"[A-Za-z0-9_-]{8,8192}")
_MOST_WORDS = 50_000
_OWN_PROVIDERS = frozenset({"", "auto", "main", "custom"})
"""Values of `provider` in a setting without a URL that mean the main route."""


@dataclass(frozen=True, slots=True)
class KeyReplacement:
    """The replacement of one key. With `new` None the key must not be on disk: copies in `.env` and `auth.json` are removed.

    `provider` and `base_url` are those of the bundle: the only place where the new key may be sent.
    """

    old: str = field(repr=False)
    new: str | None = field(repr=False)
    key_env: str
    provider: str
    base_url: str

    @property
    def becomes(self) -> str:
        """What happens to a copy in clear, for the report."""
        return "now the new key" if self.new is not None else f"removed, {self.key_env} is in memory only"

    def here(self, url: object) -> bool:
        """Return whether a URL is on the gateway's host and port."""
        return host_and_port(url) == host_and_port(self.base_url)


@dataclass(frozen=True, slots=True)
class ReplacedFile:
    """A file after the replacement: what was replaced, and where the old key had to stay and why."""

    data: bytes | None = field(repr=False)
    replaced: tuple[RemovedSetting, ...] = ()
    left: tuple[str, ...] = ()


def find_old_key(files: Iterable[bytes | None], is_old: Callable[[str], bool]) -> str | None:
    """Find the old key, by its fingerprint, among all words of these files. None: no copy is left."""
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
    """Replace every copy in a `config.yaml` by a reference. `file` is the file's name in the report.

    A file that Hermes cannot read, or that cannot be changed safely, stays as it is and is reported.
    """
    if not data or swap.old.encode() not in data:
        return ReplacedFile(data)
    replaced: list[RemovedSetting] = []
    left: list[str] = []

    def change(draft: Draft) -> None:
        for path, text in list(texts_with_paths(draft.data)):
            if _holds(text, swap.old):
                if reason := _elsewhere(draft.data, path, text, swap):
                    left.append(f"{file}: {dotted_path(path)} holds the replaced key, {reason}")
                    continue
                draft.set(path, _replace_key(text, swap.old, f"${{{swap.key_env}}}"))
                replaced.append(_replaced(file, dotted_path(path), f"now ${{{swap.key_env}}}"))

    try:
        changed = change_config(data, change)
    except MergeError as e:
        return ReplacedFile(data, (), (f"{file} holds the replaced key and cannot be changed: {e.message}",))
    if not replaced and not left:
        left.append(f"{file} holds the replaced key outside of all settings (in a comment): Hermes does not use it")
    return ReplacedFile(changed.data, tuple(replaced), tuple(left))


def replace_in_env(data: bytes | None, swap: KeyReplacement, file: str) -> ReplacedFile:
    """Replace every copy in a `.env` under a name whose value Hermes sends to the gateway. Comments stay as they are."""
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
            lines.append(_replace_in_line(line, swap.old, swap.new))
    for name in sorted(names):
        if name in ours:
            replaced.append(_replaced(file, name, swap.becomes))
        else:
            left.append(f"{file}: {name} holds the replaced key, and Hermes sends that variable to another host")
    return ReplacedFile(b"".join(lines), tuple(replaced), tuple(left))


def replace_in_auth(data: bytes | None, swap: KeyReplacement, file: str) -> ReplacedFile:
    """Replace every copy in the credential pools of an `auth.json` that serve the gateway."""
    if not data or swap.old.encode() not in data:
        return ReplacedFile(data)
    try:
        store = json.loads(data)
        pools = store[facts.CREDENTIAL_POOL]
        entries = [(name, at, entry) for name, pool in pools.items() for at, entry in enumerate(pool)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ReplacedFile(data, (), (f"{file} holds the replaced key in a place that Hermes does not use",))
    replaced: list[RemovedSetting] = []
    left: list[str] = []
    dropped: list[Any] = []
    for name, at, entry in entries:
        tokens = [key for key, value in entry.items() if value == swap.old] if isinstance(entry, dict) else []
        where = f"credential_pool.{name}[{at}]"
        if not tokens:
            continue
        if not (
            swap.here(entry[facts.BASE_URL]) if entry.get(facts.BASE_URL) else normalized_name(name) == swap.provider
        ):
            left.append(f"{file}: {where} holds the replaced key, for another host")
        elif swap.new is None:
            dropped.append(entry)
            replaced.append(_replaced(file, where, swap.becomes))
        else:
            entry.update(dict.fromkeys(tokens, swap.new))
            for key in facts.POOL_STATUS:  # the gateway refused the old key, not the new one
                entry.pop(key, None)
            replaced.append(_replaced(file, where, swap.becomes))
    if not replaced:
        return ReplacedFile(data, (), tuple(left))
    for name in pools:
        pools[name] = [entry for entry in pools[name] if not any(entry is each for each in dropped)]
    return ReplacedFile(dump_in_layout(store, data), tuple(replaced), tuple(left))


def _elsewhere(data: Any, path: SettingPath, text: str, swap: KeyReplacement) -> str:
    """Return why Hermes would send the text at `path` to a host other than the gateway, or the empty string."""
    if "://" in text and not swap.here(_first_url(text)):
        return "in a URL of another host"
    for mapping in reversed(_mappings(data, path)):
        urls = [
            mapping[key]
            for key in (*facts.ALL_URL_KEYS, facts.API_BASE)
            if isinstance(mapping.get(key), str) and "://" in mapping[key]
        ]
        if urls:
            return "" if all(swap.here(url) for url in urls) else "for another host"
        provider = normalized_name(mapping.get("provider") or "")
        if provider not in _OWN_PROVIDERS and provider != swap.provider:
            return f"for the provider {provider}"
    if path[0] == facts.PROVIDERS and len(path) > 1 and normalized_name(path[1]) != swap.provider:
        return f"for the provider {normalized_name(path[1])}"
    return ""


def _mappings(data: Any, path: SettingPath) -> list[dict[Any, Any]]:
    """Return the mappings on the way to a path, without the root: a URL there belongs to the main route only."""
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
    """Return whether Hermes sends a variable's value to the gateway, by the variable's name or by its own base URL."""
    if name == swap.key_env or "AISA" in name.upper():
        return True
    url = values.get(re.sub(r"_(API_KEY|KEY|TOKEN)$", "", name) + "_BASE_URL")
    return bool(url) and swap.here(url)


def _name_on(line: bytes) -> str:
    found = re.match(rb"\s*(?:export\s+)?'?([A-Za-z_][A-Za-z0-9_]*)'?\s*=", line.removeprefix(b"\xef\xbb\xbf"))
    return found.group(1).decode() if found else ""


def _holds(text: str, old: str) -> bool:
    return bool(_bounded(old).search(text))


def _replace_key(text: str, old: str, new: str) -> str:
    return _bounded(old).sub(lambda _: new, text)


def _replace_in_line(line: bytes, old: str, new: str) -> bytes:
    return _replace_key(line.decode("latin-1"), old, new).encode("latin-1")


def _bounded(old: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(old)}(?![A-Za-z0-9_-])")


def _replaced(file: str, where: str, now: str) -> RemovedSetting:
    return RemovedSetting(file, where, f"a copy of the replaced key: {now}", "****")
