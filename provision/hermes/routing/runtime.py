"""Resolve endpoint, key and API mode for one request, as Hermes' resolver does.

Models `runtime_provider.resolve_runtime_provider` and the functions it calls, in the same order. Endpoints of a
configuration (`custom…`), OpenRouter and `openai-api` are modelled completely. For other built-in providers, NotModelledError
names the provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.facts import names as facts
from provision.hermes.routing.environment import is_usable
from provision.hermes.routing.pool import PooledKey, pick_pooled_key, pool_name
from provision.hermes.routing.providers import (
    HermesStopsError,
    NotModelledError,
    find_named_provider,
    is_enabled,
    resolve_alias,
)
from provision.hermes.routing.wire import host_derived_env, host_matches, is_loopback, mode_of_url, parse_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.hermes.routing.environment import Environment
    from provision.hermes.routing.pool import AuthStore

_ELSEWHERE = frozenset({"moa", "azure-foundry", "vertex", "google-vertex", "vertex-ai", "gcp-vertex", "vertexai"})
_CLOUDS = ("openrouter.ai", "anthropic.com", "openai.com")


@dataclass(frozen=True, slots=True)
class ResolvedEndpoint:
    """The result. `provider` is `custom`, `openrouter` or `openai-api`; `entry` is the path of the provider entry, if any.

    `plain`: `model` itself defines the endpoint, not an entry. `pool`: the key comes from this credential pool.
    """

    provider: str
    base_url: str = field(repr=False)
    mode: str
    key: str = field(repr=False)
    key_source: str
    entry: tuple[str | int, ...] = ()
    plain: bool = False
    pool: PooledKey | None = None
    url_source: str = ""


@dataclass(frozen=True, slots=True)
class ResolverInput:
    """The input of the resolver: configuration, environment, pools, and the time if it is known."""

    config: dict[Any, Any] = field(repr=False)
    environment: Environment
    auth: AuthStore
    now: float | None = None

    @property
    def model(self) -> dict[str, Any]:
        """Return `model` as a mapping (`runtime_provider._get_model_config`)."""
        model = self.config.get("model")
        if isinstance(model, str):
            return {"default": model.strip()} if model.strip() else {}
        return model if isinstance(model, dict) else {}

    def check(self) -> None:
        """Raise HermesStopsError if `model` contains a value whose type makes Hermes fail."""
        if not isinstance(self.config.get("model") or {}, dict | str):
            raise HermesStopsError("model is neither text nor a mapping")
        for name in ("default", facts.BASE_URL):
            if self.model.get(name) and not isinstance(self.model[name], str):
                raise HermesStopsError(f"model.{name} is not text")

    def setting(self, name: str) -> str:
        """Return a setting of `model` as stripped text; empty if it is not text."""
        value = self.model.get(name)
        return value.strip() if isinstance(value, str) else ""


def requested_provider(asked: ResolverInput, explicit: str | None) -> str:
    """Return the requested provider: of an alias, else `model.provider`, else HERMES_INFERENCE_PROVIDER, else `auto`."""
    if explicit and explicit.strip():
        return explicit.strip().lower()
    configured = asked.setting("provider").lower()
    return configured or asked.environment.get(facts.INFERENCE_PROVIDER_ENV).lower() or "auto"


def resolve_runtime(asked: ResolverInput, explicit: str | None = None, explicit_url: str = "") -> ResolvedEndpoint:
    """Resolve endpoint, key and mode. Raises HermesStopsError if Hermes exits, NotModelledError if the result is not modelled."""
    requested = requested_provider(asked, explicit)
    providers = asked.config.get(facts.PROVIDERS)
    block = providers.get(requested) if isinstance(providers, dict) else None
    if isinstance(block, dict) and not is_enabled(block, asked.environment.hermes):
        raise HermesStopsError(f"the provider {requested} is disabled (providers.{requested}.enabled: false)")
    if requested in _ELSEWHERE:
        raise NotModelledError(f"Hermes uses its own provider {requested}")
    if found := _named(asked, requested, explicit_url):
        return found
    if not explicit_url and asked.environment.hermes.base_url_without_provider:
        url, provider = asked.setting(facts.BASE_URL), asked.setting("provider").lower()
        if url and provider in {"", "auto"} and not any(host_matches(url, cloud) for cloud in _CLOUDS):
            return _openrouter(asked, requested)
    name = resolve_alias(requested, asked.environment.hermes)
    if name is None:
        raise HermesStopsError(f"no provider has the name {requested}")
    if name == "auto":
        name = "openrouter" if explicit_url else _detected(asked)
    if name == "openai-api" and not explicit_url:
        return _openai(asked)
    if name not in {"custom", "openrouter"}:
        raise NotModelledError(f"Hermes uses its own provider {name}")
    if (name == "custom" or _pooled_openrouter(asked, requested)) and (entry := _own_pool(asked, name)):
        return entry
    return _openrouter(asked, requested, explicit_url)


def _named(asked: ResolverInput, requested: str, explicit_url: str) -> ResolvedEndpoint | None:
    """Resolve a named provider (`_resolve_named_custom_runtime`)."""
    if resolve_alias(requested, asked.environment.hermes) == "custom" and explicit_url:
        url = explicit_url.strip().rstrip("/")
        mode = mode_of_url(url) or "chat_completions"
        if picked := _pool_of(asked, url, None):
            return ResolvedEndpoint("custom", url, mode, picked.key, picked.source, pool=picked)
        key, source = _first(_host_keys(asked.environment, url))
        return ResolvedEndpoint("custom", url, mode, key or facts.NO_KEY, source)
    entry = find_named_provider(asked.config, requested, asked.environment)
    url = (explicit_url.strip() or entry.base_url).rstrip("/") if entry else ""
    if not entry or not url:
        return None
    mode = entry.mode or mode_of_url(url) or "chat_completions"
    url_source = ".".join(map(str, entry.path))
    if picked := _pool_of(asked, url, entry.name):
        return ResolvedEndpoint(
            "custom", url, mode, picked.key, picked.source, entry.path, pool=picked, url_source=url_source
        )
    key, source = _first([(entry.key, entry.key_source), *_host_keys(asked.environment, url)])
    return ResolvedEndpoint("custom", url, mode, key or facts.NO_KEY, source, entry.path, url_source=url_source)


def _openrouter(asked: ResolverInput, requested: str, explicit_url: str = "") -> ResolvedEndpoint:
    """Resolve OpenRouter, and endpoints that `model` defines without a name (`_resolve_openrouter_runtime`)."""
    environment, wanted = asked.environment, requested
    if resolve_alias(requested) == "custom":
        wanted = "custom"
    configured, provider = asked.setting(facts.BASE_URL), asked.setting("provider").lower()
    from_config = False
    if configured and not explicit_url:
        auto = wanted == "auto" and provider in {"", "auto"}
        from_config = auto or (wanted == "custom" and _trustworthy(configured, provider))
    hijack, router = environment.get(facts.CUSTOM_BASE_URL_ENV), environment.get("OPENROUTER_BASE_URL")
    candidates = (
        (explicit_url.strip(), facts.MODEL_ALIASES),
        (hijack, f"CUSTOM_BASE_URL ({environment.place('CUSTOM_BASE_URL')})"),
        (configured if from_config else "", "model.base_url"),
        (router, f"OPENROUTER_BASE_URL ({environment.place('OPENROUTER_BASE_URL')})"),
        (facts.OPENROUTER_URL, "built in"),
    )
    url, url_source = next((u.rstrip("/"), s) for u, s in candidates if u)
    mode = parse_mode(asked.model.get(facts.API_MODE))
    if wanted == "custom":
        picked = _pool_of(
            asked, url, requested if requested != "custom" and resolve_alias(requested) != "custom" else None
        )
        if picked:
            pooled = mode or mode_of_url(url) or "chat_completions"
            return ResolvedEndpoint(
                "custom", url, pooled, picked.key, picked.source, pool=picked, plain=True, url_source=url_source
            )
    key, source = _first(_keys(asked, url, wanted, router, from_config=from_config))
    if wanted == "custom":
        responses = asked.environment.hermes.plain_custom_responses
        if mode == "codex_responses" and not responses and mode_of_url(url) != "codex_responses":
            mode = None
        if not host_matches(url, "openrouter.ai"):
            key = key or facts.NO_KEY
    resolved = mode or mode_of_url(url) or "chat_completions"
    name = "custom" if wanted == "custom" else "openrouter"
    return ResolvedEndpoint(name, url, resolved, key, source, plain=True, url_source=url_source)


def _keys(asked: ResolverInput, url: str, wanted: str, router: str, *, from_config: bool) -> Iterator[tuple[str, str]]:
    environment = asked.environment
    if host_matches(url, "openrouter.ai") or (wanted == "openrouter" and router and url == router.rstrip("/")):
        for name in (facts.OPENROUTER_KEY_ENV, facts.OPENAI_KEY_ENV):
            yield environment.get(name), _source(environment, name)
        return
    if from_config:
        inline = next(((v, f"model.{k}") for k in (facts.API_KEY, "api") if (v := asked.setting(k))), ("", ""))
        yield inline
        env = asked.setting(facts.KEY_ENV) if environment.hermes.plain_custom_key_env else ""
        if env:
            yield environment.get(env), _source(environment, env)
    if host_matches(url, "ollama.com"):
        yield environment.get(facts.OLLAMA_KEY_ENV), _source(environment, facts.OLLAMA_KEY_ENV)
    yield from _host_keys(environment, url)


def _openai(asked: ResolverInput) -> ResolvedEndpoint:
    """Resolve the built-in `openai-api`: OPENAI_API_KEY, and `model.base_url` unless OPENAI_BASE_URL is set."""
    environment, default = asked.environment, facts.OPENAI_URL
    key = environment.usable(facts.OPENAI_KEY_ENV)
    if not key:
        raise HermesStopsError("no usable credentials for the provider openai-api (OPENAI_API_KEY)")
    url = environment.get("OPENAI_BASE_URL").rstrip("/") or default
    configured = asked.setting("provider").lower() == "openai-api"
    if configured and url == default:
        url = asked.setting(facts.BASE_URL).rstrip("/") or url
    mode = parse_mode(asked.model.get(facts.API_MODE)) if configured else None
    mode = mode or mode_of_url(url) or "chat_completions"
    return ResolvedEndpoint(
        "openai-api",
        url,
        mode,
        key,
        _source(environment, facts.OPENAI_KEY_ENV),
        plain=True,
        url_source="model.base_url",
    )


def _detected(asked: ResolverInput) -> str:
    """Choose a provider by the keys in the environment (`auth.resolve_provider("auto")`)."""
    environment = asked.environment
    if environment.usable(facts.OPENAI_KEY_ENV) or environment.usable(facts.OPENROUTER_KEY_ENV):
        return "openrouter"
    if asked.auth.entries("openrouter"):
        return "openrouter"
    for name in facts.PROVIDER_KEY_ENV:
        if environment.usable(name):
            raise NotModelledError(f"Hermes uses the provider of {name}")
    if environment.get("AWS_ACCESS_KEY_ID") or environment.get("AWS_PROFILE"):
        raise NotModelledError("Hermes uses its own provider bedrock")
    raise HermesStopsError("no inference provider configured")


def _pooled_openrouter(asked: ResolverInput, requested: str) -> bool:
    environment = asked.environment
    elsewhere = environment.get("OPENAI_BASE_URL") or environment.get("OPENROUTER_BASE_URL")
    configured = asked.setting(facts.BASE_URL) and asked.setting("provider").lower() in {"auto", "custom"}
    return requested in {"openrouter", "auto"} and not elsewhere and not configured


def _own_pool(asked: ResolverInput, name: str) -> ResolvedEndpoint | None:
    """Resolve a pool with the exact name `custom` or `openrouter`. Its entry defines the URL."""
    if name == "openrouter" and (key := asked.environment.get(facts.OPENROUTER_KEY_ENV)):
        source = _source(asked.environment, facts.OPENROUTER_KEY_ENV)
        mode = parse_mode(asked.model.get(facts.API_MODE)) if asked.setting("provider").lower() == name else None
        return ResolvedEndpoint(
            name, facts.OPENROUTER_URL, mode or "chat_completions", key, source, plain=True, url_source="built in"
        )
    picked = pick_pooled_key(asked.config, asked.auth, name, now=asked.now)
    if not picked:
        return None
    url = picked.base_url or (facts.OPENROUTER_URL if name == "openrouter" else "")
    configured = asked.setting("provider").lower()
    supports = not configured or configured == name or (name == "custom" and configured.startswith(facts.CUSTOM_PREFIX))
    mode = (parse_mode(asked.model.get(facts.API_MODE)) if supports else None) or mode_of_url(url) or "chat_completions"
    return ResolvedEndpoint(
        name, url, mode, picked.key, picked.source, plain=True, pool=picked, url_source=facts.AUTH_NAME
    )


def _pool_of(asked: ResolverInput, url: str, name: str | None) -> PooledKey | None:
    pool = pool_name(asked.config, url, name)
    return pick_pooled_key(asked.config, asked.auth, pool, now=asked.now) if pool else None


def _host_keys(environment: Environment, url: str) -> Iterator[tuple[str, str]]:
    """Yield keys that Hermes sends to a host because of its name."""
    if host_matches(url, "openai.com") or host_matches(url, "openai.azure.com"):
        yield environment.get(facts.OPENAI_KEY_ENV), _source(environment, facts.OPENAI_KEY_ENV)
    if host_matches(url, "openrouter.ai"):
        yield environment.get(facts.OPENROUTER_KEY_ENV), _source(environment, facts.OPENROUTER_KEY_ENV)
    if name := host_derived_env(url):
        yield environment.get(name), _source(environment, name)


def _trustworthy(url: str, provider: str) -> bool:
    """Return whether Hermes trusts the URL of plain custom (`_config_base_url_trustworthy_for_bare_custom`)."""
    if resolve_alias(provider) == "custom":
        return True
    return not host_matches(url, "openrouter.ai") and is_loopback(url)


def _first(candidates: Iterable[tuple[str, str]]) -> tuple[str, str]:
    return next(((key.strip(), source) for key, source in candidates if is_usable(key)), ("", ""))


def _source(environment: Environment, name: str) -> str:
    return f"env:{name} ({environment.place(name)})"
