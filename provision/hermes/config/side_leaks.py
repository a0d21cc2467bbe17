"""Remove settings from a user's `config.yaml` that send the team's key, or with `side_routes: team` a side request, elsewhere.

The key never goes to another host: uses of it in fallbacks, delegation, other providers, MCP servers, headers and programs are
removed. With `side_routes: team`, fallbacks and delegation to other hosts are removed as well, and every auxiliary task is the
team's. The user's own servers, and the user's own keys for them, stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.config.draft import texts_with_paths
from provision.hermes.config.naming import effective_url, host_and_port, leads_only, normalized_name
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.facts.selection import NEWEST_VERIFIED
from provision.hermes.routing.wire import host_derived_env

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.hermes.config.conflicts import ProvisionedProvider
    from provision.hermes.config.draft import Draft, SettingPath

_LEAKS = "it sends the provisioned key to another host"
_ELSEWHERE = "the team's side requests stay on the team's gateway (side_routes: team)"
_BY_NAME = "Hermes sends the provisioned key there, because the name of the host gives the name of its variable"
_PROGRAM = "it hands the provisioned key to a program"
_HEADER = "Hermes sends this header to every host in place of, or beside, the key"
PLATFORM_KEY = "it hands the provisioned key to another service, or to the clients of the messaging gateway"
_OTHER = "the provisioned key is for the team's gateway only, and who gets it here is not known"
_SERVER = "it sends the provisioned key to another host or program, and does not work without it"
_OPTION_NAME = re.compile(r"--?[A-Za-z][A-Za-z0-9_-]*")
_OPTION = re.compile(_OPTION_NAME.pattern + "=")
_REFERENCE = re.compile(r"\$\{\s*(?:env:)?\s*([^}]+?)\s*\}")
_MIN_KEY_CHARS = 8
_ASKING = (facts.AUXILIARY, facts.FALLBACK_PROVIDERS, facts.FALLBACK_MODEL, side.OLD_CURATOR[0])


@dataclass(frozen=True, slots=True)
class ProvisionedKey:
    """The provisioned key, the variables that hold it in this home, and the variables there that hold something else."""

    names: frozenset[str]
    value: str = field(default="", repr=False)
    others: frozenset[str] = frozenset()

    def held_by(self, value: object) -> bool:
        """Return whether a value contains the key or refers to a variable that holds it."""
        if isinstance(value, dict):
            return any(map(self.held_by, value.values()))
        if isinstance(value, list):
            return any(map(self.held_by, value))
        if not isinstance(value, str):
            return False
        literal = len(self.value) >= _MIN_KEY_CHARS and self.value in value
        return literal or any(name in self.names for name in _REFERENCE.findall(value))

    def used_by(self, entry: dict[Any, Any]) -> bool:
        """Return whether an entry names the key, by variable or in clear."""
        return any(entry.get(k) in self.names for k in facts.KEY_ENV_KEYS if isinstance(entry.get(k), str)) or any(
            self.held_by(entry.get(k)) for k in facts.INLINE_KEYS
        )


def remove_leaks(draft: Draft, ours: ProvisionedProvider, new: dict[str, Any], key: ProvisionedKey) -> None:
    """Remove every leak of the key; with `side_routes: team` also what sends side requests elsewhere."""
    marker = new.get("x_provision")
    team = not (isinstance(marker, dict) and marker.get("side_routes") == "own")
    _fallbacks(draft, ours, new, key, team=team)
    _auxiliary(draft, ours, new, key, team=team)
    _delegation(draft, ours, new, key, team=team)
    curator = draft.mapping(*side.OLD_CURATOR)
    if curator and (team or key.used_by(curator)) and _away(ours, curator):
        draft.take(side.OLD_CURATOR, _ELSEWHERE if team else _LEAKS)
    _providers(draft, ours, key)
    _servers(draft, ours, key)
    _programs(draft, key)
    _headers(draft, new)
    _model_routes(draft, ours, key)
    jobs = str(draft.mapping("cron").get(side.CRON_PROVIDER) or "").strip().lower()
    if team and jobs and not ours.named(jobs):
        draft.take(("cron", side.CRON_PROVIDER), _ELSEWHERE)
    for path in (("tts",), ("stt",), ("voice",), ("tts", "providers"), ("stt", "providers")):
        for name, entry in list(draft.mapping(*path).items()):
            if isinstance(entry, dict) and key.used_by(entry):
                _take_key(draft, (*path, name), entry, key)
            if isinstance(entry, dict) and key.held_by(entry.get("command")):
                draft.take((*path, name, "command"), _PROGRAM)
    for name, entry in list(draft.mapping(facts.MODEL_ALIASES).items()):
        if isinstance(entry, dict) and key.used_by(entry) and _away(ours, entry):
            _take_key(draft, (facts.MODEL_ALIASES, name), entry, key)
        url = str(entry.get(facts.BASE_URL) or "") if isinstance(entry, dict) else ""
        if url and _away(ours, entry) and _named_like_ours(url, entry, key):
            draft.take((facts.MODEL_ALIASES, name), _BY_NAME)
    _other_uses(draft, ours, new, key)


def _other_uses(draft: Draft, ours: ProvisionedProvider, new: dict[str, Any], key: ProvisionedKey) -> None:
    """Remove the key from every setting without a rule of its own, unless it is IT's, or beside a URL of the gateway."""
    theirs = set(texts_with_paths(new))
    for path, value in reversed([*texts_with_paths(draft.data)]):
        if path[0] in side.MODELLED_SECTIONS or not key.held_by(value) or (path, value) in theirs:
            continue
        if beside_gateway(draft.get(*path[:-1]), ours):
            continue
        platform = "platforms" in path[:2]
        if not (platform and side.ROUTES_OF_PLATFORMS & {*path}):
            draft.take(path, PLATFORM_KEY if platform else _OTHER)


def beside_gateway(holder: object, ours: ProvisionedProvider) -> bool:
    """Return whether a mapping has a URL of the team's gateway: a key in it is for the gateway."""
    return leads_only(holder, lambda url: host_and_port(url) == host_and_port(ours.base_url))


def _away(ours: ProvisionedProvider, entry: dict[Any, Any]) -> bool:
    """Return whether an entry that chooses a provider leads to another host than ours."""
    provider = str(entry.get("provider") or "").strip().lower()
    if ours.named(provider) and provider:
        return False  # beside the name of an entry, Hermes ignores a URL
    return host_and_port(entry.get(facts.BASE_URL)) != host_and_port(ours.base_url)


def _take_key(draft: Draft, path: SettingPath, entry: dict[Any, Any], key: ProvisionedKey) -> None:
    for name in (*facts.KEY_ENV_KEYS, *sorted(facts.INLINE_KEYS)):
        value = entry.get(name)
        if isinstance(value, str) and (value in key.names or key.held_by(value)):
            draft.take((*path, name), _LEAKS)


def _fallbacks(
    draft: Draft, ours: ProvisionedProvider, new: dict[str, Any], key: ProvisionedKey, *, team: bool
) -> None:
    for section in (facts.FALLBACK_PROVIDERS, facts.FALLBACK_MODEL):
        if section in new:
            continue
        holder = draft.get(section)
        entries: Iterator[tuple[SettingPath, Any]] = (
            (((section, n), holder[n]) for n in reversed(range(len(holder))))
            if isinstance(holder, list)
            else iter([((section,), holder)])
        )
        for path, entry in list(entries):
            if isinstance(entry, dict) and _away(ours, entry) and (team or key.used_by(entry)):
                draft.take(path, _LEAKS if key.used_by(entry) else _ELSEWHERE)


def _auxiliary(
    draft: Draft, ours: ProvisionedProvider, new: dict[str, Any], key: ProvisionedKey, *, team: bool
) -> None:
    pinned = new.get(facts.AUXILIARY)
    for task, entry in list(draft.mapping(facts.AUXILIARY).items()):
        if not isinstance(entry, dict):
            continue
        path: SettingPath = (facts.AUXILIARY, task)
        pins = pinned.get(task) if isinstance(pinned, dict) else None
        ours_here: dict[Any, Any] = pins if isinstance(pins, dict) else {}
        if facts.EXTRA_BODY not in ours_here and key.held_by(entry.get(facts.EXTRA_BODY)):
            draft.take((*path, facts.EXTRA_BODY), _LEAKS)
        chain = entry.get("fallback_chain")
        if chain and "fallback_chain" not in ours_here and (team or key.held_by(chain) or _names_in(chain, key)):
            draft.take((*path, "fallback_chain"), _ELSEWHERE if team else _LEAKS)
        if team and "provider" in ours_here:
            for name in (facts.API_KEY, *facts.KEY_ENV_ALIASES):
                if name not in ours_here:
                    draft.take((*path, name), _ELSEWHERE)
        elif team and task not in side.AUXILIARY_TASKS and _chooses(entry) and _away(ours, entry):
            draft.take(path, _ELSEWHERE)
        elif key.used_by(entry) and _away(ours, entry):
            _take_key(draft, path, entry, key)


def _names_in(chain: object, key: ProvisionedKey) -> bool:
    return isinstance(chain, list) and any(isinstance(e, dict) and key.used_by(e) for e in chain)


def _chooses(entry: dict[Any, Any]) -> bool:
    return bool(entry.get(facts.BASE_URL)) or str(entry.get("provider") or "auto").lower() not in {"auto", "main"}


def _delegation(
    draft: Draft, ours: ProvisionedProvider, new: dict[str, Any], key: ProvisionedKey, *, team: bool
) -> None:
    entry, pinned = draft.mapping(facts.DELEGATION), new.get(facts.DELEGATION)
    pinned = pinned if isinstance(pinned, dict) else {}
    url = entry.get(facts.BASE_URL)
    elsewhere = bool(url) and host_and_port(url) != host_and_port(ours.base_url)
    inherits = elsewhere and not entry.get(facts.API_KEY)
    for name in (facts.BASE_URL, facts.API_KEY, facts.API_MODE):
        if name in pinned or not entry.get(name):
            continue
        if inherits or key.used_by(entry) or (name == facts.BASE_URL and key.held_by(url)):
            draft.take((facts.DELEGATION, name), _LEAKS)
        elif team and "provider" in pinned:
            draft.take((facts.DELEGATION, name), _ELSEWHERE)


def _providers(draft: Draft, ours: ProvisionedProvider, key: ProvisionedKey) -> None:
    legacy = draft.get(facts.CUSTOM_PROVIDERS)
    entries: list[tuple[SettingPath, Any]] = [
        *(((facts.PROVIDERS, n), e) for n, e in draft.mapping(facts.PROVIDERS).items() if n != ours.name),
        *(((facts.CUSTOM_PROVIDERS, n), e) for n, e in enumerate(legacy if isinstance(legacy, list) else ())),
    ]
    for path, entry in entries:
        if not isinstance(entry, dict) or ours.serves(entry):
            continue
        _take_key(draft, path, entry, key)
        headers = entry.get(facts.EXTRA_HEADERS)
        for header, value in list(headers.items()) if isinstance(headers, dict) else ():
            if key.held_by(value):
                draft.take((*path, facts.EXTRA_HEADERS, header), _LEAKS)
        for name in (*facts.ALL_URL_KEYS, facts.EXTRA_BODY):
            if key.held_by(entry.get(name)):
                draft.take((*path, name), _LEAKS)
    for path, entry in reversed(entries):
        if isinstance(entry, dict) and not ours.serves(entry) and _named_like_ours(effective_url(entry), entry, key):
            draft.take(path, _BY_NAME)


def _named_like_ours(url: str, entry: dict[Any, Any], key: ProvisionedKey) -> bool:
    """Return whether Hermes sends the key to an entry without a key of its own, because the host's name gives our variable."""
    inline = any(entry.get(name) and not key.held_by(entry[name]) for name in facts.INLINE_KEYS)
    own = inline or any(entry.get(name) in key.others for name in facts.KEY_ENV_KEYS)
    return not own and host_derived_env(url) in key.names


def _model_routes(draft: Draft, ours: ProvisionedProvider, key: ProvisionedKey) -> None:
    entries = entry_names(draft.data)
    holders: tuple[SettingPath, ...] = (("platforms",), ("gateway", "platforms"))
    for holder in holders:
        for platform in list(draft.mapping(*holder)):
            path: SettingPath = (*holder, platform, "extra", "model_routes")
            for name, entry in list(draft.mapping(*path).items()):
                for setting in leaking_settings(entry, ours, key, entries):
                    draft.take((*path, name, setting), _LEAKS)


def leaking_settings(
    entry: object, ours: ProvisionedProvider, key: ProvisionedKey, entries: Iterable[str]
) -> tuple[str, ...]:
    """Return the settings of a route of the API server (`model_routes`), or of a conversation, that send the key to another host.

    What a route does not name is that of the main route: with a URL alone, or a provider that Hermes cannot resolve, the key goes
    to that URL. `entries` are the names of all provider entries.
    """
    if not isinstance(entry, dict):
        return ()
    own, provider = entry.get(facts.API_KEY), entry.get("provider")
    taken = (facts.API_KEY,) if own and key.held_by(own) and _elsewhere(entry, ours) else ()
    url = entry.get(facts.BASE_URL)
    theirs = (
        provider
        and not ours.named(provider)
        and (is_plain_custom(provider) or normalized_name(provider) in set(map(normalized_name, entries)))
    )
    inherits = not (own and not taken) and not theirs
    if url and host_and_port(url) != host_and_port(ours.base_url) and (inherits or key.held_by(url)):
        return (*taken, facts.BASE_URL)
    return taken


def is_plain_custom(provider: object) -> bool:
    """Return whether a provider's name stands for plain `custom`."""
    name = str(provider or "").strip().lower()
    return name == "custom" or NEWEST_VERIFIED.provider_aliases.get(name) == "custom"


def _elsewhere(entry: dict[Any, Any], ours: ProvisionedProvider) -> bool:
    url, provider = entry.get(facts.BASE_URL), entry.get("provider")
    if url:
        return host_and_port(url) != host_and_port(ours.base_url)
    return bool(provider) and not ours.named(provider)


def entry_names(config: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the names of all provider entries of a configuration."""
    providers, legacy = config.get(facts.PROVIDERS), config.get(facts.CUSTOM_PROVIDERS)
    own = [str(name) for name in providers] if isinstance(providers, dict) else []
    old = [str(e["name"]) for e in legacy if isinstance(e, dict) and e.get("name")] if isinstance(legacy, list) else []
    return (*own, *old)


def asked_providers(config: Mapping[Any, Any]) -> frozenset[str]:
    """Return the names of the built-in providers that tasks and fallbacks ask."""
    left: list[Any] = [config.get(name) for name in _ASKING]
    found: set[str] = set()
    while left:
        value = left.pop()
        if isinstance(value, dict):
            found.add(str(value.get("provider") or "").strip().lower())
            left += value.values()
        elif isinstance(value, list):
            left += value
    return frozenset(NEWEST_VERIFIED.provider_aliases.get(name, name) for name in found)


def _servers(draft: Draft, ours: ProvisionedProvider, key: ProvisionedKey) -> None:
    for name, entry in list(draft.mapping("mcp_servers").items()):
        if not isinstance(entry, dict) or (
            entry.get("url") and host_and_port(entry["url"]) == host_and_port(ours.base_url)
        ):
            continue
        path: SettingPath = ("mcp_servers", name)
        url, args = entry.get("url"), entry.get("args")
        in_url = key.held_by(url)
        bare, spare = _url_without_key(url, key), _arguments_of_key(args, key)
        if (in_url and bare is None) or spare is None or key.held_by(entry.get("command")):
            draft.take(path, _SERVER)
            continue
        if in_url:
            draft.record_removal((*path, "url"), url, _LEAKS)
            draft.set((*path, "url"), bare)
        for n in spare:
            draft.take((*path, "args", n), _LEAKS)
        for section in ("headers", "env", "oauth"):
            holder = entry.get(section)
            for item, value in list(holder.items()) if isinstance(holder, dict) else ():
                if key.held_by(value):
                    draft.take((*path, section, item), _LEAKS)


def _url_without_key(url: object, key: ProvisionedKey) -> str | None:
    """Return a URL without the parameters of its query, and the user name and password, that hold the key; None if more does."""
    scheme, _, rest = str(url).partition("://")
    before, mark, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    login, at, host = authority.rpartition("@")
    kept = "&".join(part for part in query.split("&") if not key.held_by(part))
    bare = f"{scheme}://{'' if key.held_by(login) else login + at}{host}{slash}{path}{mark if kept else ''}{kept}"
    return None if key.held_by(bare) else bare


def _arguments_of_key(args: object, key: ProvisionedKey) -> list[int] | None:
    """Return the arguments of a program that hold the key, the last first: options with their value; None if others do."""
    if not isinstance(args, list):
        return None if key.held_by(args) else []
    found: set[int] = set()
    for n, arg in enumerate(args):
        if not key.held_by(arg):
            continue
        if _OPTION.match(str(arg)):
            found.add(n)
        elif n and _OPTION_NAME.fullmatch(str(args[n - 1])):
            found |= {n - 1, n}
        else:
            return None
    return sorted(found, reverse=True)


def _programs(draft: Draft, key: ProvisionedKey) -> None:
    for setting in ("env_passthrough", "docker_forward_env"):
        names = draft.get("terminal", setting)
        for n in reversed(range(len(names))) if isinstance(names, list) else ():
            if isinstance(names[n], str) and names[n].strip() in key.names:
                draft.take(("terminal", setting, n), _PROGRAM)
    for name, value in list(draft.mapping("terminal", "docker_env").items()):
        if key.held_by(value):
            draft.take(("terminal", "docker_env", name), _PROGRAM)
    for section in ("hooks", "quick_commands"):
        for name, value in list(draft.mapping(section).items()):
            if key.held_by(value):
                draft.take((section, name), _PROGRAM)
    exported: SettingPath = ("monitoring", "export", "otlp", "headers_env")
    for header, variable in list(draft.mapping(*exported).items()):
        if variable in key.names:
            draft.take((*exported, header), _LEAKS)


def _headers(draft: Draft, new: dict[str, Any]) -> None:
    for setting in ("default_headers", facts.EXTRA_HEADERS):
        if setting in new["model"]:
            continue
        for header in list(draft.mapping("model", setting)):
            if str(header).lower() in facts.KEY_HEADERS:
                draft.take(("model", setting, header), _HEADER)
