"""What a rendering pins so that side requests stay on the team's gateway (`side_routes: team`).

An auxiliary task with only `provider: custom:NAME` still goes on to another provider when the gateway answers 402 or 429 and the
user has a key of that provider: in a turn Hermes calls the main provider `custom`, takes the task's provider for another one,
and then chooses by the keys in the environment. With URL and key beside it, the task is plain `custom` for Hermes, and there is
nothing to go on to. 0.16 and 0.18 read no variable's name there (`key_env`), but every release reads a reference in `api_key`,
and keeps it as a reference when it saves the file. Seen to hold on 0.16.0, 0.18.2 and 0.19.0, on 402, 429, 401 and 503.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provision.fleet.desired import ApiMode, SideRoutes
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.guardrails.settings import with_policy

if TYPE_CHECKING:
    from provision.fleet.desired import EffectiveProfile

CHOICE_KEYS = ("provider", facts.BASE_URL, facts.API_KEY, *facts.KEY_ENV_KEYS, facts.API_MODE, "fallback_chain")
"""Settings of an auxiliary task or of delegation that choose where it goes."""


def rendered_settings(profile: EffectiveProfile) -> dict[str, Any]:
    """Return the profile's `hermes` settings, its policy and the pins of its side routes. The policy wins, then the profile."""
    settings = with_policy({key: _plain(value) for key, value in profile.hermes.items()}, profile.policy)
    for section, pins in side_pins(profile).items():
        own = settings.get(section)
        if own is not None and not isinstance(own, dict):
            continue
        chosen = section == facts.DELEGATION and set(CHOICE_KEYS) & (own or {}).keys()
        settings[section] = dict(own or {}) if chosen else _under(pins, own or {})
    return settings


def side_pins(profile: EffectiveProfile) -> dict[str, dict[str, Any]]:
    """Return the pins of a profile, by section; none for `side_routes: own`."""
    if profile.side_routes is not SideRoutes.TEAM:
        return {}
    provider = f"{facts.CUSTOM_PREFIX}{profile.provider}"
    pin: dict[str, Any] = {
        "provider": provider,
        facts.BASE_URL: profile.base_url,
        facts.KEY_ENV: profile.key_env,
        facts.API_KEY: key_reference(profile),
    }
    if profile.api_mode is not ApiMode.AUTO:
        pin[facts.API_MODE] = profile.api_mode.value
    delegation: dict[str, Any] = {"provider": provider}
    if profile.managed:  # nothing that a user adds to a pinned task may count
        pin |= {"fallback_chain": []}
        delegation |= {facts.BASE_URL: "", facts.API_KEY: ""}
    slot = {"provider": provider, "model": profile.model}
    return {
        facts.AUXILIARY: {task: dict(pin) for task in side.AUXILIARY_TASKS},
        facts.DELEGATION: delegation,
        "moa": {"presets": {"default": {"reference_models": [slot], "aggregator": slot}}},
    }


def key_reference(profile: EffectiveProfile) -> str:
    """Return the reference to the key's variable, which Hermes expands wherever it is in the file."""
    return f"${{{profile.key_env}}}"


def _under(pins: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge pins under a profile's own settings: where the profile chooses a provider itself, nothing is pinned."""
    merged = dict(own)
    for key, pin in pins.items():
        have = merged.get(key)
        if isinstance(pin, dict) and isinstance(have, dict):
            merged[key] = dict(have) if set(CHOICE_KEYS) & have.keys() else _under(pin, have)
        elif key not in merged:
            merged[key] = pin
    return merged


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
