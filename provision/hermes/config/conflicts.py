"""What in a user's `config.yaml` would send Hermes elsewhere or with another key, and how it is taken out.

Each rule names a form that was seen to win over the named provider in runs of Hermes 0.19 (`docs/hermes.md`). A key or
an entry for *another* endpoint is the user's own and stays; the exception is a second entry that Hermes takes for ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provision.hermes.config.draft import ABSENT, Draft, Path
from provision.hermes.config.naming import (
    INLINE_KEYS,
    KEY_ENV_KEYS,
    MODE_KEYS,
    URL_KEYS,
    effective_url,
    host_and_port,
    normalized_name,
)
from provision.hermes.facts import v0_19 as facts

_LEFTOVER = "belongs to a route set up before; the named provider has it now"
_INLINE = "an inline key for our gateway beats the provisioned one"
_TWIN = "Hermes takes this provider for ours"
_AUTH_HEADERS = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "host", "cookie"}
_MODEL_KEYS = (
    "base_url",
    "api_base",
    "api",
    "api_key",
    "apiKey",
    "api_mode",
    "transport",
    "model",
    "name",
    *KEY_ENV_KEYS,
)
_ROOT_KEYS = ("provider", "base_url", "api_base", "api_key")


@dataclass(frozen=True, slots=True)
class ProvisionedProvider:
    """What a rendering owns: the provider's name, its address, the key's variable, the model."""

    name: str
    base_url: str
    key_env: str
    model: str
    entry: dict[str, Any]

    @classmethod
    def of(cls, new: dict[str, Any]) -> ProvisionedProvider:
        """Read from a rendering, which was judged when it was made."""
        name = str(new["model"]["provider"]).removeprefix("custom:")
        entry = new["providers"][name]
        return cls(name, effective_url(entry), str(entry["key_env"]), str(new["model"]["default"]), entry)

    def serves(self, entry: Any) -> bool:
        """Whether an entry anywhere in the configuration reaches our gateway, by address or by provider."""
        if not isinstance(entry, dict):
            return False
        here = host_and_port(self.base_url)
        if any(host_and_port(entry[key]) == here for key in (*URL_KEYS, "api_base") if isinstance(entry.get(key), str)):
            return True
        return not effective_url(entry) and self.named(entry.get("provider"))

    def named(self, name: object) -> bool:
        """Whether Hermes takes a name for our provider's."""
        return name is not None and normalized_name(name) == normalized_name(self.name)


def remove_conflicts(draft: Draft, new: dict[str, Any]) -> tuple[str, ...]:
    """Take out everything that would hijack the route of `new`; returns the names of providers that share our gateway.

    Those names matter because Hermes looks up credential pools (`auth.json`) by address as well as by name.
    """
    ours = ProvisionedProvider.of(new)
    _clear_root(draft, ours, new)
    _clear_twins(draft, ours)
    _clear_entry(draft, ours)
    sharing = _clear_inline(draft, ours)
    _clear_model(draft, new)
    return (ours.name, *sharing)


def keep_other_endpoint(draft: Draft, new: dict[str, Any]) -> str | None:
    """Save a user's own endpoint that stood in `model` with its inline key, as a provider of its own.

    Call it before ours is applied. Returns the name of the new entry, or None when there was nothing to save.
    """
    ours = ProvisionedProvider.of(new)
    model = draft.mapping("model")
    key = next((model[k] for k in ("api_key", "api", "apiKey") if isinstance(model.get(k), str) and model[k]), None)
    url = model.get("base_url") or model.get("api_base")
    place = host_and_port(url)
    if not key or place is None or place == host_and_port(ours.base_url) or not _is_custom(model.get("provider")):
        return None
    if draft.get("providers") not in (ABSENT, None) and not isinstance(draft.get("providers"), dict):
        return None
    legacy = draft.get("custom_providers")
    known = [*draft.mapping("providers").values(), *(legacy if isinstance(legacy, list) else [])]
    if any(isinstance(e, dict) and host_and_port(effective_url(e)) == place and key in e.values() for e in known):
        return None
    name = "previous-" + "".join(c if c.isalnum() else "-" for c in place[0])
    if draft.get("providers", name) is not ABSENT:
        return None
    entry = {"base_url": url, "api_key": key}
    if isinstance(model.get("api_mode"), str):
        entry["api_mode"] = model["api_mode"]
    if isinstance(model.get("default"), str) and model["default"]:
        entry["default_model"] = model["default"]
    if not isinstance(draft.get("providers"), dict):
        draft.set(("providers",), {})
    draft.set(("providers", name), entry)
    return name


def _is_custom(provider: object) -> bool:
    name = str(provider or "").strip().lower()
    return name in ("", "custom", "auto") or facts.PROVIDER_ALIASES.get(name) == "custom"


def _clear_root(draft: Draft, ours: ProvisionedProvider, new: dict[str, Any]) -> None:
    for key in _ROOT_KEYS:
        if key not in new and not isinstance(draft.get(key), dict):
            draft.take((key,), "Hermes takes it into the model section")
    for key in [k for k in draft.data if isinstance(k, str) and k not in new]:
        if key in facts.HIJACKING_ENV or key == ours.key_env:
            draft.take((key,), "the messaging gateway copies it into its environment")
    _clear_small_context(draft, (), new)


def _clear_small_context(draft: Draft, path: Path, keep: Any = None) -> None:
    value = draft.get(*path, "context_length")
    small = isinstance(value, int) and not isinstance(value, bool) and value < facts.MIN_CONTEXT_LENGTH
    if small and not (isinstance(keep, dict) and "context_length" in keep):
        draft.take((*path, "context_length"), f"Hermes refuses to start below {facts.MIN_CONTEXT_LENGTH}")


def _clear_model(draft: Draft, new: dict[str, Any]) -> None:
    for key in _MODEL_KEYS:
        if key not in new["model"]:
            draft.take(("model", key), _LEFTOVER)
    _clear_small_context(draft, ("model",), new["model"])


def _clear_twins(draft: Draft, ours: ProvisionedProvider) -> None:
    for name, entry in list(draft.mapping("providers").items()):
        if name != ours.name and isinstance(entry, dict) and (ours.named(name) or ours.named(entry.get("name"))):
            draft.take(("providers", name), _TWIN)
    legacy = draft.get("custom_providers")
    if isinstance(legacy, list):
        for i in reversed(range(len(legacy))):
            entry = legacy[i]
            if isinstance(entry, dict) and (ours.named(entry.get("name")) or ours.named(entry.get("provider_key"))):
                draft.take(("custom_providers", i), _TWIN)


def _clear_entry(draft: Draft, ours: ProvisionedProvider) -> None:
    """Our own entry: a user's other spelling of address, key or mode would win over ours."""
    path: Path = ("providers", ours.name)
    for key in (
        *URL_KEYS,
        *INLINE_KEYS,
        *KEY_ENV_KEYS,
        *MODE_KEYS,
        "name",
        "model",
        "default_model",
        "defaultModel",
        "enabled",
    ):
        if key not in ours.entry:
            draft.take((*path, key), "would win over the provisioned setting of this provider")
    if "ssl_verify" not in ours.entry and str(draft.get(*path, "ssl_verify")).lower() in ("false", "0", "no", "off"):
        draft.take((*path, "ssl_verify"), "the key would go to whoever answers")
    if "extra_headers" not in ours.entry:
        for header in list(draft.mapping(*path, "extra_headers")):
            if str(header).lower() in _AUTH_HEADERS:
                draft.take((*path, "extra_headers", header), "would be sent instead of the provisioned key")
    if "extra_body" not in ours.entry:
        draft.take((*path, "extra_body", "model"), "would be sent instead of the provisioned model")
    _clear_small_context(draft, path, ours.entry)
    _clear_small_context(draft, (*path, "models", ours.model))


def _clear_inline(draft: Draft, ours: ProvisionedProvider) -> list[str]:
    sharing = []
    for path, entry in _entries(draft):
        if not ours.serves(entry):
            continue
        if path[0] in ("providers", "custom_providers"):
            name = entry.get("name") or (path[-1] if isinstance(path[-1], str) else None)
            if name is not None and not ours.named(name):
                sharing.append(normalized_name(name))
        for key in sorted(INLINE_KEYS & entry.keys()):
            if entry[key] and entry[key] != f"${{{ours.key_env}}}" and path != ("providers", ours.name):
                draft.take((*path, key), _INLINE)
    return sharing


def _entries(draft: Draft) -> list[tuple[Path, dict[Any, Any]]]:
    """Every mapping that can hold an endpoint with a key."""
    found: list[tuple[Path, Any]] = [
        (("delegation",), draft.get("delegation")),
        (("fallback_model",), draft.get("fallback_model")),
    ]
    for section in (
        "providers",
        "custom_providers",
        "fallback_providers",
        "fallback_model",
        "auxiliary",
        "model_aliases",
    ):
        holder = draft.get(section)
        if isinstance(holder, dict) and section != "fallback_model":
            found += [((section, key), entry) for key, entry in holder.items()]
        elif isinstance(holder, list):
            found += [((section, i), entry) for i, entry in enumerate(holder)]
    return [(path, entry) for path, entry in found if isinstance(entry, dict)]
