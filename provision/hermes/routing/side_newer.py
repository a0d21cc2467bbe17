"""Destinations that only newer releases of Hermes have: Desktop's live voice, and the export of health data.

On a release that reads the setting it is a destination. On an older one it is a hazard, because the machine may be updated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.routing.destination import Destination, DestinationVerdict
from provision.hermes.routing.hazards import Hazard, warning
from provision.hermes.routing.side_clients import env_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.destination import TeamSide
    from provision.hermes.routing.hazards import RouteContext

_SPOKEN = "when the user speaks with the Desktop app"
_CURE = "set voice.voice_chat_mode: chained, or put the host into allowed_hosts"


def newer_destinations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield the destinations of the settings that this release reads."""
    if s.environment.hermes.live_voice:
        yield from _live_voice(s, team)
    if s.environment.hermes.health_export:
        yield from _health_export(s, team)


def newer_hazards(s: RouteContext, team: TeamSide) -> Iterator[Hazard]:
    """Yield a hazard for each setting that this release does not read, and with which a newer one sends something elsewhere."""
    hermes = s.environment.hermes
    unread = [
        *(() if hermes.live_voice else _live_voice(s, team)),
        *(() if hermes.health_export else _health_export(s, team)),
    ]
    for each in unread:
        if each.verdict is not DestinationVerdict.STAYS:
            why = f"not read by {hermes.version}, sends on newer ones: {each.trigger}; {each.why}"
            yield warning("newer-setting-sends", each.where, why, each.cure)


def _section(holder: object, *path: str) -> dict[Any, Any]:
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else {}


def _live_voice(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """`tools/voice_live.py`: one voice model of OpenAI hears and speaks. What `grok-live` does was not read."""
    voice = _section(s.layers.config, "voice")
    mode = str(voice.get("voice_chat_mode") or "").strip().lower().replace("_", "-")
    if mode in side.GROK_LIVE_MODES:
        where = s.layers.where("voice", "voice_chat_mode")
        yield Destination(
            "voice", "voice.grok_live", where, "", _SPOKEN, DestinationVerdict.UNKNOWN,
            why="where it sends speech is not modelled", cure=_CURE,
        )  # fmt: skip
    if mode not in side.GPT_LIVE_MODES:
        return
    live = _section(voice, "gpt_live")
    key, source = str(live.get(facts.API_KEY) or "").strip(), "voice.gpt_live.api_key"
    if not key:
        env = next((n for n in (side.VOICE_KEY_ENV, facts.OPENAI_KEY_ENV) if s.environment.get(n)), "")
        key, source = (s.environment.get(env), env_source(s, env)) if env else ("", "")
    if key:  # Hermes stops without one
        url = str(live.get(facts.BASE_URL) or "").strip() or side.GPT_LIVE_URL
        where = s.layers.where("voice", "gpt_live" if live else "voice_chat_mode")
        yield team.destination("voice", "voice.gpt_live", where, url, _SPOKEN, key=key, key_source=source, cure=_CURE)


def _health_export(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """`agent/monitoring/otlp_exporter.py`: states and counts without conversations, with variables as headers."""
    path = ("monitoring", "export", "otlp")
    otlp = _section(s.layers.config, *path)
    endpoint = str(otlp.get("endpoint") or "").strip()
    if not (otlp.get("enabled") and endpoint):
        return
    headers = otlp.get("headers_env")
    names = [str(name) for name in headers.values()] if isinstance(headers, dict) else []
    sent = [s.environment.get(name) for name in names if s.environment.get(name)]
    ours = next((name for name in names if team.holds_key(s.environment.get(name))), "")
    yield team.destination(
        "observability", ".".join(path), s.layers.where(*path), endpoint, "while the messaging gateway runs",
        key=s.environment.get(ours) if ours else "", key_source=env_source(s, ours) if ours else "",
        also=(*sent, endpoint), content=False, cure="remove this gateway's key from headers_env",
    )  # fmt: skip
