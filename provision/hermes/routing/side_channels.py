"""Destinations that Hermes' messaging gateway chooses by itself: per channel, per name of a model, or per Hermes profile.

The settings of a platform come from `platforms` and `gateway.platforms` of config.yaml, over those of the older `gateway.json`
(`gateway.config.load_gateway_config`). There `${NAME}` is not expanded: it is sent as text.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provision.hermes.config.draft import dotted_path, texts_with_paths
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.routing.destination import SERVICE_KEY, Destination, DestinationVerdict
from provision.hermes.routing.side_clients import SideClient, chosen_client
from provision.hermes.routing.side_models import found_destination, runtime_destinations, text_at
from provision.shell import shell_word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.destination import TeamSide
    from provision.hermes.routing.hazards import RouteContext

_OVERRIDES = "channel_overrides"
"""Also read in a section with the name of the platform (`telegram.channel_overrides`), which then wins."""
_API = "if a client of the API server asks for that model"


def channel_destinations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield what channels, names of models and rules send elsewhere than the main route, and the keys of platforms."""
    yield from _platform_keys(s, team)
    if not s.environment.hermes.gateway_choices:
        return
    for path, place, platform in _platforms(s):
        overrides = platform.get(_OVERRIDES)
        for channel, entry in overrides.items() if isinstance(overrides, dict) else ():
            if isinstance(entry, dict) and entry.get("provider"):
                here = (*path, _OVERRIDES, str(channel))
                chosen = {"provider": entry["provider"]}
                yield from runtime_destinations(s, team, chosen, here, "channel", "in that channel", place)
        extra = platform.get("extra")
        routes = extra.get("model_routes") if isinstance(extra, dict) else None
        for name, entry in routes.items() if isinstance(routes, dict) else ():
            if isinstance(entry, dict) and text_at(entry, "model"):
                here = (*path, "extra", "model_routes", str(name))
                yield from found_destination(s, team, "channel", here, _route_client(s, entry), _API, place)
    yield from _rules(s)


def _platforms(s: RouteContext) -> Iterator[tuple[tuple[str, ...], str, dict[Any, Any]]]:
    """Yield the settings of each platform, with their path, and their place if that is not config.yaml."""
    config = s.layers.as_written()
    gateway = config.get("gateway")
    holders: list[tuple[tuple[str, ...], str, object]] = [
        (("platforms",), "", config.get("platforms")),
        (("gateway", "platforms"), "", gateway.get("platforms") if isinstance(gateway, dict) else None),
    ]
    older = _older(s)
    if older is not None:
        place = s.home.where(facts.GATEWAY_NAME)
        holders.append((("platforms",), place, older.get("platforms")))
    above = {str(name): block for name, block in config.items() if isinstance(block, dict) and _OVERRIDES in block}
    for name, block in above.items():
        yield (name,), "", {_OVERRIDES: block[_OVERRIDES]}
    for path, place, platforms in holders:
        for name, platform in platforms.items() if isinstance(platforms, dict) else ():
            if isinstance(platform, dict):
                kept = {k: v for k, v in platform.items() if k != _OVERRIDES or str(name) not in above}
                yield (*path, str(name)), place, kept


def _platform_keys(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield every setting of a platform that contains a key of the team: a bot's token goes to its service."""
    for path, place, platform in _platforms(s):
        for inner, text in texts_with_paths(platform):
            if side.ROUTES_OF_PLATFORMS & {*inner[:2]} or not team.holds_key(text):
                continue
            here = (*path, *inner)
            name, where, cure = dotted_path(here), place or s.layers.where(*here), "remove the key from it"
            if path[-1] in side.SERVING_PLATFORMS:
                when, why = "when a client asks the messaging gateway", "its clients have to know this gateway's key"
                yield Destination(
                    "setting", name, where, "", when, DestinationVerdict.UNKNOWN, content=False,
                    key_fingerprint=team.mark(next(key for key in team.keys if key in text)), why=why, cure=cure,
                )  # fmt: skip
            else:
                when, url = "when the messaging gateway uses that platform", _platform_url(s, path[-1], platform)
                found = team.destination(SERVICE_KEY, name, where, url, when, key=text, content=False, cure=cure)
                why = "this gateway's key is in a setting of another service"
                yield found if url else replace(found, verdict=DestinationVerdict.KEY, why=why, cure=cure)


def _platform_url(s: RouteContext, name: str, platform: dict[Any, Any]) -> str:
    setting, env, usual = side.PLATFORM_URLS.get(name, ("", "", ""))
    extra = platform.get("extra")
    own = text_at(extra, setting) if setting and isinstance(extra, dict) else ""
    return own or (s.environment.get(env) if env else "") or usual


def _older(s: RouteContext) -> dict[Any, Any] | None:
    try:
        data = json.loads(s.home.gateway or b"null")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _route_client(s: RouteContext, entry: dict[Any, Any]) -> SideClient | None:
    """`APIServerAdapter._create_agent`: what a route does not name is that of the main route, its key included."""
    found, own = chosen_client(s, text_at(entry, "provider")), text_at(entry, facts.API_KEY)
    if found is None and not own:
        return None
    url = text_at(entry, facts.BASE_URL) or (found.url if found else s.base_url)
    return SideClient(url, own, "model_routes api_key") if own or not found else replace(found, url=url)


def _rules(s: RouteContext) -> Iterator[Destination]:
    gateway = s.layers.config.get("gateway")
    rules = s.layers.config.get("profile_routes")
    path: tuple[str, ...] = ("profile_routes",)
    if rules is None and isinstance(gateway, dict):
        rules, path = gateway.get("profile_routes"), ("gateway", "profile_routes")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        profile = text_at(rule, "profile") if isinstance(rule, dict) else ""
        if profile and profile != "default":
            why = f"the Hermes profile {profile} answers there, with settings of its own"
            yield Destination(
                "channel", f"{'.'.join(path)}[{number}]", s.layers.where(*path, number), "", "in the channels of that rule",
                DestinationVerdict.UNKNOWN, why=why,
                cure=f"check that profile: provision status --hermes-profile {shell_word(profile)}",
            )  # fmt: skip
