"""Remove settings from a user's `config.yaml` that conflict with the provisioned route or key.

Each rule covers a form that won over the named provider in runs of Hermes (`docs/hermes.md`). A key or an entry for
*another* endpoint is the user's and stays. The exception is a second entry that Hermes takes for our provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provision.hermes.config.draft import ABSENT, Draft, SettingPath
from provision.hermes.config.naming import effective_url, host_and_port, normalized_name
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED

_LEFTOVER = "part of an earlier route; the named provider replaces it"
_INLINE = "Hermes would use this inline key for the gateway instead of the provisioned one"
_TWIN = "Hermes takes this provider for the provisioned one"
_AUTH_HEADERS = facts.KEY_HEADERS | {"x-goog-api-key", "host"}


@dataclass(frozen=True, slots=True)
class ProvisionedProvider:
    """The provider that a rendering defines: its name, URL, key variable and model, and its entry."""

    name: str
    base_url: str
    key_env: str
    model: str
    entry: dict[str, Any]

    @classmethod
    def of(cls, new: dict[str, Any]) -> ProvisionedProvider:
        """Read it from a rendering, which was checked when it was made."""
        name = str(new["model"]["provider"]).removeprefix(facts.CUSTOM_PREFIX)
        entry = new[facts.PROVIDERS][name]
        return cls(name, effective_url(entry), str(entry[facts.KEY_ENV]), str(new["model"]["default"]), entry)

    def serves(self, entry: Any) -> bool:
        """Return whether an entry in the configuration reaches our gateway, by its URL or its provider."""
        if not isinstance(entry, dict):
            return False
        here = host_and_port(self.base_url)
        if any(
            host_and_port(entry[key]) == here
            for key in (*facts.ALL_URL_KEYS, facts.API_BASE)
            if isinstance(entry.get(key), str)
        ):
            return True
        return not effective_url(entry) and self.named(entry.get("provider"))

    def named(self, name: object) -> bool:
        """Return whether Hermes takes a name for the name of our provider."""
        return name is not None and normalized_name(name) == normalized_name(self.name)


def remove_conflicts(draft: Draft, new: dict[str, Any]) -> tuple[str, ...]:
    """Remove everything that would change the route of `new`. Returns the names of providers that share our gateway.

    The caller needs these names because Hermes finds credential pools (`auth.json`) by URL as well as by name.
    """
    ours = ProvisionedProvider.of(new)
    _remove_root(draft, ours, new)
    _remove_twins(draft, ours)
    _remove_entry(draft, ours)
    sharing = _remove_inline(draft, ours)
    _remove_model(draft, new)
    return (ours.name, *sharing)


def keep_other_endpoint(draft: Draft, new: dict[str, Any]) -> str | None:
    """Move a user's own endpoint in `model`, with its inline key, to a new entry under `providers`.

    Must be called before the rendering is applied. Returns the name of the new entry, or None if there is none.
    """
    ours = ProvisionedProvider.of(new)
    model = draft.mapping("model")
    key = next((model[k] for k in (facts.API_KEY, "api", "apiKey") if isinstance(model.get(k), str) and model[k]), None)
    url = model.get(facts.BASE_URL) or model.get(facts.API_BASE)
    place = host_and_port(url)
    if not key or place is None or place == host_and_port(ours.base_url) or not _is_custom(model.get("provider")):
        return None
    if draft.get(facts.PROVIDERS) not in (ABSENT, None) and not isinstance(draft.get(facts.PROVIDERS), dict):
        return None
    legacy = draft.get(facts.CUSTOM_PROVIDERS)
    known = [*draft.mapping(facts.PROVIDERS).values(), *(legacy if isinstance(legacy, list) else [])]
    if any(isinstance(e, dict) and host_and_port(effective_url(e)) == place and key in e.values() for e in known):
        return None
    name = "previous-" + "".join(c if c.isalnum() else "-" for c in place[0])
    if draft.get(facts.PROVIDERS, name) is not ABSENT:
        return None
    entry = {facts.BASE_URL: url, facts.API_KEY: key}
    if isinstance(model.get(facts.API_MODE), str):
        entry[facts.API_MODE] = model[facts.API_MODE]
    if isinstance(model.get("default"), str) and model["default"]:
        entry["default_model"] = model["default"]
    if not isinstance(draft.get(facts.PROVIDERS), dict):
        draft.set((facts.PROVIDERS,), {})
    draft.set((facts.PROVIDERS, name), entry)
    return name


def _is_custom(provider: object) -> bool:
    name = str(provider or "").strip().lower()
    return name in ("", "custom", "auto") or NEWEST_VERIFIED.provider_aliases.get(name) == "custom"


def _remove_root(draft: Draft, ours: ProvisionedProvider, new: dict[str, Any]) -> None:
    for key in facts.ROUTE_KEYS_AT_ROOT:
        if key not in new and not isinstance(draft.get(key), dict):
            draft.take((key,), "Hermes moves it into the model section")
    for key in [k for k in draft.data if isinstance(k, str) and k not in new]:
        if key in facts.HIJACKING_ENV or key == ours.key_env:
            draft.take((key,), "Hermes' gateway process copies it into its environment")
    _remove_small_context(draft, (), new)


def _remove_small_context(draft: Draft, path: SettingPath, keep: Any = None) -> None:
    value = draft.get(*path, facts.CONTEXT_LENGTH)
    small = isinstance(value, int) and not isinstance(value, bool) and value < facts.MIN_CONTEXT_LENGTH
    if small and not (isinstance(keep, dict) and facts.CONTEXT_LENGTH in keep):
        draft.take((*path, facts.CONTEXT_LENGTH), f"Hermes refuses to start below {facts.MIN_CONTEXT_LENGTH}")


def _remove_model(draft: Draft, new: dict[str, Any]) -> None:
    for key in facts.ROUTE_KEYS_IN_MODEL:
        if key not in new["model"]:
            draft.take(("model", key), _LEFTOVER)
    _remove_small_context(draft, ("model",), new["model"])


def _remove_twins(draft: Draft, ours: ProvisionedProvider) -> None:
    for name, entry in list(draft.mapping(facts.PROVIDERS).items()):
        if name != ours.name and isinstance(entry, dict) and (ours.named(name) or ours.named(entry.get("name"))):
            draft.take((facts.PROVIDERS, name), _TWIN)
    legacy = draft.get(facts.CUSTOM_PROVIDERS)
    if isinstance(legacy, list):
        for i in reversed(range(len(legacy))):
            entry = legacy[i]
            if isinstance(entry, dict) and (ours.named(entry.get("name")) or ours.named(entry.get("provider_key"))):
                draft.take((facts.CUSTOM_PROVIDERS, i), _TWIN)


def _remove_entry(draft: Draft, ours: ProvisionedProvider) -> None:
    """Clean our own entry: a user's other spelling of URL, key or mode would win over ours."""
    path: SettingPath = (facts.PROVIDERS, ours.name)
    for key in (
        *facts.ALL_URL_KEYS,
        *facts.INLINE_KEYS,
        *facts.KEY_ENV_KEYS,
        *facts.MODE_KEYS,
        "name",
        "model",
        "default_model",
        "defaultModel",
        "enabled",
    ):
        if key not in ours.entry:
            draft.take((*path, key), "it wins over the provisioned setting of this provider")
    if facts.SSL_VERIFY not in ours.entry and str(draft.get(*path, facts.SSL_VERIFY)).lower() in (
        "false",
        "0",
        "no",
        "off",
    ):
        draft.take((*path, facts.SSL_VERIFY), "without certificate checks, any server could receive the key")
    if facts.EXTRA_HEADERS not in ours.entry:
        for header in list(draft.mapping(*path, facts.EXTRA_HEADERS)):
            if str(header).lower() in _AUTH_HEADERS:
                draft.take((*path, facts.EXTRA_HEADERS, header), "Hermes would send it instead of the provisioned key")
    if facts.EXTRA_BODY not in ours.entry:
        draft.take((*path, facts.EXTRA_BODY, "model"), "Hermes would send it instead of the provisioned model")
    _remove_small_context(draft, path, ours.entry)
    _remove_small_context(draft, (*path, "models", ours.model))


def _remove_inline(draft: Draft, ours: ProvisionedProvider) -> list[str]:
    sharing = []
    for path, entry in _entries(draft):
        if not ours.serves(entry):
            continue
        if path[0] in (facts.PROVIDERS, facts.CUSTOM_PROVIDERS):
            name = entry.get("name") or (path[-1] if isinstance(path[-1], str) else None)
            if name is not None and not ours.named(name):
                sharing.append(normalized_name(name))
        for key in sorted(facts.INLINE_KEYS & entry.keys()):
            if entry[key] and entry[key] != f"${{{ours.key_env}}}" and path != (facts.PROVIDERS, ours.name):
                draft.take((*path, key), _INLINE)
    return sharing


def _entries(draft: Draft) -> list[tuple[SettingPath, dict[Any, Any]]]:
    """Return every mapping that can contain an endpoint with a key."""
    found: list[tuple[SettingPath, Any]] = [
        ((facts.DELEGATION,), draft.get(facts.DELEGATION)),
        ((facts.FALLBACK_MODEL,), draft.get(facts.FALLBACK_MODEL)),
    ]
    for section in (
        facts.PROVIDERS,
        facts.CUSTOM_PROVIDERS,
        facts.FALLBACK_PROVIDERS,
        facts.FALLBACK_MODEL,
        facts.AUXILIARY,
        facts.MODEL_ALIASES,
    ):
        holder = draft.get(section)
        if isinstance(holder, dict) and section != facts.FALLBACK_MODEL:
            found += [((section, key), entry) for key, entry in holder.items()]
        elif isinstance(holder, list):
            found += [((section, i), entry) for i, entry in enumerate(holder)]
    return [(path, entry) for path, entry in found if isinstance(entry, dict)]
