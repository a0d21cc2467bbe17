"""Which model is asked for, and how HERMES_INFERENCE_MODEL and aliases change provider and URL along with it.

Modelled on `oneshot._run_agent` and `model_switch._load_direct_aliases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.hermes.facts.v0_19 import MODEL_FAMILIES
from provision.hermes.routing.providers import ElsewhereError, resolve_alias

if TYPE_CHECKING:
    from provision.hermes.routing.runtime import ResolverInput


def choose_model(asked: ResolverInput, requested: str) -> tuple[str, str | None, str, str | None]:
    """The model asked for, the provider and URL an alias brings along, and a doubt (`oneshot._run_agent`)."""
    configured = str(asked.model.get("default") or asked.model.get("model") or "")
    wanted = asked.environment.get("HERMES_INFERENCE_MODEL")
    if not wanted:
        return configured, None, "", None
    if alias := _alias(asked, wanted):
        return *alias, None
    name = wanted.lower()
    target = resolve_alias(name)
    leaves = target not in {None, "auto", "custom", "openrouter", resolve_alias(requested)}
    if name in MODEL_FAMILIES or leaves:
        raise ElsewhereError("to the provider that HERMES_INFERENCE_MODEL names")
    return wanted, None, "", "HERMES_INFERENCE_MODEL may make Hermes switch to OpenRouter, as its online catalogue says"


def _alias(asked: ResolverInput, wanted: str) -> tuple[str, str, str] | None:
    """Model, provider and URL of `model_aliases` (or of `model.aliases`), which HERMES_INFERENCE_MODEL can name."""
    found = None
    aliases = asked.config.get("model_aliases")
    for name, entry in aliases.items() if isinstance(aliases, dict) else ():
        if isinstance(entry, dict) and entry.get("model") and str(name).strip().lower() == wanted.lower():
            url = str(entry.get("base_url") or "").rstrip("/")
            found = (str(entry["model"]), str(entry.get("provider", "custom")).strip().lower(), url)
    simple = asked.model.get("aliases")
    for name, value in simple.items() if isinstance(simple, dict) and not found else ():
        if isinstance(value, str) and value.strip() and str(name).strip().lower() == wanted.lower():
            provider, slash, model = value.strip().partition("/")
            current = asked.setting("provider")
            found = (model.strip(), provider.strip().lower() or current, "") if slash else (value.strip(), current, "")
    return found
