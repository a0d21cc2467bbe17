"""Builds the inputs of the route model's steps from the texts of a home."""

from __future__ import annotations

import yaml

from provision.hermes.facts import names as facts
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.environment import Environment, load_environment
from provision.hermes.routing.hazards import Expected, RouteContext
from provision.hermes.routing.layers import load_layers
from provision.hermes.routing.pool import AuthStore, read_auth
from provision.hermes.routing.runtime import ResolverInput, requested_provider, resolve_runtime

AISA = """
model: {provider: custom:aisa, default: gpt-5.2}
providers:
  aisa: {api: https://api.aisa.one/v1, key_env: AISA_API_KEY, api_mode: chat_completions}
_config_version: 33
"""
KEY = "sk-aisa-TEST-route"


def resolver_input(
    config: str = AISA,
    pools: dict[str, list[dict[str, object]]] | None = None,
    now: float | None = None,
    **environ: str,
) -> ResolverInput:
    """The resolver's input for a configuration as it is written, without normalization or expansion."""
    found = {name: [(entry, f"auth.json {name}") for entry in entries] for name, entries in (pools or {}).items()}
    return ResolverInput(yaml.safe_load(config) or {}, Environment(environ), AuthStore(found), now)


def route_context(
    config: str = AISA,
    env: str = f"AISA_API_KEY={KEY}\n",
    *,
    managed: HomeFiles | None = None,
    jobs: bytes | None = None,
    unreadable: dict[str, str] | None = None,
    expected: Expected | None = None,
    **environ: str,
) -> RouteContext:
    """The input of the hazard checks for a home whose route can be resolved."""
    home = HomeFiles("/h", config.encode(), env.encode(), jobs=jobs, unreadable=unreadable or {})
    environment = load_environment(home, environ, managed)
    layers = load_layers(home, environment, managed)
    asked = ResolverInput(layers.config, environment, read_auth(home, None))
    runtime = resolve_runtime(asked)
    return RouteContext(
        HermesFiles(home, managed=managed),
        home,
        environment,
        managed,
        layers,
        asked,
        requested_provider(asked, None),
        runtime,
        expected,
        base_url=runtime.base_url,
        key="" if runtime.key == facts.NO_KEY else runtime.key,
    )
