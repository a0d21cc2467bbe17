"""Choose the model, and the provider and URL that HERMES_INFERENCE_MODEL and aliases change with it.

Models `oneshot._run_agent` and `model_switch._load_direct_aliases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.hermes.facts import names as facts
from provision.hermes.routing.providers import NotModelledError, resolve_alias

if TYPE_CHECKING:
    from provision.hermes.routing.runtime import ResolverInput


def choose_model(asked: ResolverInput, requested: str) -> tuple[str, str | None, str, str | None]:
    """Return the model, the provider and URL of an alias, and a doubt (`oneshot._run_agent`)."""
    configured = str(asked.model.get("default") or asked.model.get("model") or "")
    wanted = asked.environment.get(facts.INFERENCE_MODEL_ENV)
    if not wanted:
        return configured, None, "", None
    if alias := _alias(asked, wanted):
        return *alias, None
    name = wanted.lower()
    target = resolve_alias(name, asked.environment.hermes)
    leaves = target not in {None, "auto", "custom", "openrouter", resolve_alias(requested, asked.environment.hermes)}
    if name in facts.MODEL_FAMILIES or leaves:
        raise NotModelledError("Hermes uses the provider in HERMES_INFERENCE_MODEL")
    return (
        wanted,
        None,
        "",
        "HERMES_INFERENCE_MODEL may make Hermes switch to OpenRouter, depending on its online catalogue",
    )


def _alias(asked: ResolverInput, wanted: str) -> tuple[str, str, str] | None:
    """Return model, provider and URL of the alias that HERMES_INFERENCE_MODEL names, or None."""
    found = None
    aliases = asked.config.get(facts.MODEL_ALIASES)
    for name, entry in aliases.items() if isinstance(aliases, dict) else ():
        if isinstance(entry, dict) and entry.get("model") and str(name).strip().lower() == wanted.lower():
            url = str(entry.get(facts.BASE_URL) or "").rstrip("/")
            found = (str(entry["model"]), str(entry.get("provider", "custom")).strip().lower(), url)
    simple = asked.model.get("aliases")
    for name, value in simple.items() if isinstance(simple, dict) and not found else ():
        if isinstance(value, str) and value.strip() and str(name).strip().lower() == wanted.lower():
            provider, slash, model = value.strip().partition("/")
            current = asked.setting("provider")
            found = (model.strip(), provider.strip().lower() or current, "") if slash else (value.strip(), current, "")
    return found
