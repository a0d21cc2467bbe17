"""All destinations of a home, the worst first, and the hazards that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.errors import Severity
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.facts.selection import SERVICE_KEY_ENV
from provision.hermes.routing.destination import SERVICE_KEY, Destination, DestinationVerdict, TeamSide
from provision.hermes.routing.hazards import Hazard, RouteContext, error, note, warning
from provision.hermes.routing.side_channels import channel_destinations
from provision.hermes.routing.side_clients import env_source
from provision.hermes.routing.side_files import file_destinations
from provision.hermes.routing.side_jobs import job_destinations
from provision.hermes.routing.side_models import fallback_entries, leads_nowhere, model_destinations
from provision.hermes.routing.side_newer import newer_destinations, newer_hazards
from provision.hermes.routing.side_programs import program_destinations
from provision.hermes.routing.wire import sent_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ORDER = {verdict: n for n, verdict in enumerate(DestinationVerdict)}
_ONE_STEP_AWAY = frozenset({"provider", "environment", SERVICE_KEY})
"""Kinds that leak the key only after one more step of the user or the agent."""


def home_destinations(s: RouteContext, mark: Callable[[str], str], doubt: str | None) -> tuple[Destination, ...]:
    """Return every destination of a home, the worst verdict first. `doubt` says why the main route is unknown."""
    team = _team(s, mark)
    found = [
        *_main(s, team, doubt),
        *model_destinations(s, team),
        *channel_destinations(s, team),
        *job_destinations(s, team),
        *file_destinations(s, team),
        *program_destinations(s, team),
        *newer_destinations(s, team),
    ]
    found += _service_keys(s, team, frozenset(d.key_source.partition(" ")[0] for d in found))
    return tuple(sorted(dict.fromkeys(found), key=lambda d: _ORDER[d.verdict]))


def _team(s: RouteContext, mark: Callable[[str], str]) -> TeamSide:
    return TeamSide(s.expected.base_url if s.expected else s.base_url, team_keys(s, mark), mark)


def team_keys(s: RouteContext, mark: Callable[[str], str]) -> tuple[str, ...]:
    """Return the values that count as the team's key: the provisioned one, wherever it is, else the one that is sent."""
    want = s.expected
    if want is None:
        return (s.key,) if s.key else ()
    values = {s.key, *s.environment.values.values()} - {""}
    named = s.environment.get(want.key_env)
    ours = {
        v.strip()
        for v in values
        if want.key_fingerprint and len(v) >= facts.MIN_KEY_CHARS and mark(v.strip()) == want.key_fingerprint
    }
    return tuple(sorted({*ours, *({named} if named else ())}))


def _main(s: RouteContext, team: TeamSide, doubt: str | None) -> Iterator[Destination]:
    if s.base_url:
        source = s.runtime.key_source if s.runtime else ""
        yield team.destination(
            "main", "model", s.layers.where("model"), s.base_url, "every question", key=s.key, key_source=source,
            doubt=doubt or "", cure="install the bundle again",
        )  # fmt: skip


def _service_keys(s: RouteContext, team: TeamSide, reported: frozenset[str]) -> Iterator[Destination]:
    """Yield the variables of other services that hold a key of the team, unless a destination reports them already."""
    ours = (
        s.expected.key_env
        if s.expected
        else (s.runtime.key_source.removeprefix("env:").partition(" ")[0] if s.runtime else "")
    )
    for name in sorted(SERVICE_KEY_ENV & s.environment.values.keys() - {ours}):
        if f"env:{name}" not in reported and team.holds_key(s.environment.get(name)):
            yield Destination(
                SERVICE_KEY, name, s.environment.place(name), _exchange(name), "when the agent uses that service",
                DestinationVerdict.KEY,
                content=False, key_fingerprint=team.mark(s.environment.get(name)), key_source=env_source(s, name),
                why="this gateway's key is in the variable of another service", cure="remove that line",
            )  # fmt: skip


def _exchange(name: str) -> str:
    """Return where Hermes exchanges the key in a variable, which it also does while it looks for another provider."""
    urls = [url for provider, url in side.KEY_ALSO_TO.items() if name in side.ENDPOINTS[provider].key_env]
    return sent_host(urls[0]) if urls else ""


def destination_hazards(s: RouteContext, found: Iterable[Destination], mark: Callable[[str], str]) -> Iterator[Hazard]:
    """Yield a hazard for each destination that does not stay with the team, except the main one, which has its own."""
    yield from newer_hazards(s, _team(s, mark))
    for each in found:
        if each.kind == "main" or each.verdict is DestinationVerdict.STAYS:
            continue
        why = f"{each.trigger}; {each.why}" if each.why else each.trigger
        if each.verdict is DestinationVerdict.KEY:
            make = warning if each.kind in _ONE_STEP_AWAY else error
            yield make(f"{each.kind}-leaks-key", each.where, why, each.cure)
        elif each.verdict is DestinationVerdict.CONTENT:
            yield warning(f"{each.kind}-elsewhere", each.where, why, each.cure)
        else:
            yield note(f"{each.kind}-unknown", each.where, why, each.cure)
    yield from _inline_and_nowhere(s)
    security = s.layers.config.get("security")
    if isinstance(security, dict) and security.get("redact_secrets") is False:
        where = s.layers.where("security", "redact_secrets")
        yield warning("redaction-off", where, "Hermes writes secrets unmasked into logs and output", "remove the line")


def is_of_destination(hazard_id: str) -> bool:
    """Return whether a hazard says what the verdict of a destination says."""
    return hazard_id.endswith(("-leaks-key", "-elsewhere", "-unknown"))


def _inline_and_nowhere(s: RouteContext) -> Iterator[Hazard]:
    for kind, path, entry in _side_entries(s.layers.config):
        where = s.layers.where(*path)
        if str(entry.get(facts.API_KEY) or "").strip() and not s.layers.is_reference(*path, facts.API_KEY):
            yield warning(
                f"{kind}-inline-key", f"{where}.api_key", "a key in clear in the configuration", "move it to .env"
            )
        named = str(entry.get("provider") or "").strip().lower()
        if leads_nowhere(s, named, of_task=kind in {"auxiliary", "fallback"}):
            cure = "remove it, or set the team's provider"
            yield Hazard(f"{kind}-nowhere", where, "its provider does not exist", cure, Severity.NOTE)


def _side_entries(config: dict[Any, Any]) -> Iterator[tuple[str, tuple[str | int, ...], dict[Any, Any]]]:
    for entry, path in fallback_entries(config):
        yield "fallback", path, entry
    if isinstance(config.get(facts.DELEGATION), dict):
        yield "delegation", (facts.DELEGATION,), config[facts.DELEGATION]
    for section, kind in ((facts.AUXILIARY, "auxiliary"), (facts.MODEL_ALIASES, "model-alias")):
        entries = config.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict):
                yield kind, (section, str(name)), entry
