"""Resolve where a Hermes home sends its next request: URL, path, model, API mode and key, and report every hazard.

`resolve_route` is a pure function of the files' bytes, the process environment and the facts of a release of Hermes. It
models how that release resolves `hermes -z`; `tests/acceptance` runs the real program on every kind of home and compares. It
errs on the safe side: what
is not known offline is reported as unknown, and dangerous content (YAML bombs, huge files) is not read. No text that it
returns contains a key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.detect.secret import Secret
from provision.detect.shapes import mask_secrets, masked
from provision.hermes.facts import names as facts
from provision.hermes.facts.newer_env import NEWER_DECIDING_ENV
from provision.hermes.facts.selection import NEWEST_VERIFIED
from provision.hermes.guardrails.effective import effective_guardrails
from provision.hermes.routing.config_hazards import config_hazards, mismatches
from provision.hermes.routing.destination import DestinationVerdict
from provision.hermes.routing.destinations import destination_hazards, home_destinations, team_keys
from provision.hermes.routing.environment import load_environment
from provision.hermes.routing.environment_hazards import deciding_variables, environment_hazards, secret_source_doubt
from provision.hermes.routing.hazards import Expected, Hazard, RouteContext
from provision.hermes.routing.layers import load_layers
from provision.hermes.routing.model_choice import choose_model
from provision.hermes.routing.pool import read_auth
from provision.hermes.routing.providers import HermesStopsError, NotModelledError
from provision.hermes.routing.request import RequestContents, build_request, with_fallback_credentials
from provision.hermes.routing.runtime import ResolverInput, requested_provider, resolve_runtime
from provision.hermes.routing.selection import select_home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from provision.hermes.facts.release import HermesFacts
    from provision.hermes.guardrails.effective import Guardrails
    from provision.hermes.home import HermesFiles, HomeFiles
    from provision.hermes.routing.destination import Destination

NO_KEY_SOURCE = f"none: hermes sends {facts.NO_KEY}"
_MIN_MASKED_CHARS = 8


@dataclass(frozen=True, slots=True)
class Route:
    """The next request of a home.

    `refusal`: why Hermes exits without a request. `unknown`: why the route, or a part of it, is not known offline. A route
    with either of them must never be reported as correct. With neither, these are set: `url` (with `path`, without query),
    `model` (as sent), `api_mode` and `header` (`authorization`, sent as `Bearer KEY`, or `x-api-key`). `provider` is the
    requested provider.
    """

    url: str | None = None
    path: str | None = None
    model: str | None = None
    api_mode: str | None = None
    provider: str = ""
    header: str | None = None
    key_fingerprint: str | None = None
    key_source: str = NO_KEY_SOURCE
    refusal: str | None = None
    unknown: str | None = None
    hazards: tuple[Hazard, ...] = ()
    key: Secret | None = None
    home: str = ""
    """The folder that Hermes reads: the root home, or that of a Hermes profile."""
    guardrails: Guardrails | None = None
    """The guardrails in force; None if the files could not be read."""
    destinations: tuple[Destination, ...] = ()
    """Every host that the home sends something to, the main one among them; the worst verdict first."""


def resolve_route(
    files: HermesFiles,
    *,
    environ: Mapping[str, str],
    fingerprint: Callable[[str], str],
    hermes_profile: str | None = None,
    expected: Expected | None = None,
    now: float | None = None,
    hermes: HermesFacts = NEWEST_VERIFIED,
) -> Route:
    """Resolve the route of a home as `hermes -z` of a release does. Never raises.

    `environ` is the environment that Hermes runs in, `hermes_profile` the argument of `-p`. `fingerprint` names a key in
    the report. `expected` adds a hazard for each difference. `now` (Unix time) decides about pool entries on hold.
    """
    try:
        return _resolve(files, environ, fingerprint, hermes_profile, expected, now, hermes)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as e:
        # a home that the model does not cover must not look correct, and must not stop a run over many homes
        return Route(unknown=f"the route model does not cover this home ({type(e).__name__})", home=files.root.path)


def _resolve(  # noqa: PLR0917  resolve_route's own arguments, in its order
    files: HermesFiles,
    environ: Mapping[str, str],
    fingerprint: Callable[[str], str],
    hermes_profile: str | None,
    expected: Expected | None,
    now: float | None,
    hermes: HermesFacts,
) -> Route:
    selected = select_home(files, hermes_profile, environ)
    home = selected.home
    managed, doubt = _managed(files, home, environ, hermes)
    environment = load_environment(home, environ, managed, hermes)
    layers = load_layers(home, environment, managed)
    asked = ResolverInput(layers.config, environment, read_auth(home, selected.root), now)
    route = Route(home=home.path, hazards=selected.hazards, unknown=doubt)
    runtime, sent, requested = None, None, ""
    try:
        if selected.refusal or environment.crash:
            raise HermesStopsError(selected.refusal or str(environment.crash))
        for name in deciding_variables(environment):
            if name in hermes.deciding_env:
                raise NotModelledError(f"{name} decides: {NEWER_DECIDING_ENV[name]}")
        if environment.from_file(facts.HOME_ENV) and _other(environment.get(facts.HOME_ENV), home.path):
            raise NotModelledError("HERMES_HOME in .env names another folder")
        asked.check()
        requested = requested_provider(asked, None)
        model, explicit, url, doubt = choose_model(asked, requested)
        requested = explicit or requested
        runtime = with_fallback_credentials(asked, resolve_runtime(asked, explicit, url))
        sent = build_request(asked, runtime, model)
        route = replace(route, unknown=route.unknown or doubt or (runtime.pool.doubt if runtime.pool else None))
    except HermesStopsError as e:
        route = replace(route, refusal=str(e))
    except NotModelledError as e:
        route = replace(route, unknown=route.unknown or f"not modelled: {e}")
    situation = RouteContext(
        files, home, environment, managed, layers, asked, requested, runtime, expected,
        base_url=runtime.base_url if runtime else "", key=sent.key if sent and sent.key != facts.NO_KEY else "",
    )  # fmt: skip
    leaks = () if selected.root else _profile_leaks(situation, environ, fingerprint, now, hermes)
    return _without_secrets(_finished(route, situation, sent, fingerprint, leaks), situation.key)


def _profile_leaks(
    s: RouteContext,
    environ: Mapping[str, str],
    fingerprint: Callable[[str], str],
    now: float | None,
    hermes: HermesFacts,
) -> tuple[Destination, ...]:
    """Return where the Hermes profiles of a root home send the provisioned key, if they have a copy of it."""
    keys = [key.encode() for key in team_keys(s, fingerprint)] if s.expected else []
    found: list[Destination] = []
    for name, profile in s.files.profiles.items():
        texts = (profile.config, profile.env, profile.auth, profile.jobs)
        if not any(key in text for key in keys for text in texts if text):
            continue
        other = resolve_route(
            s.files,
            environ=environ,
            fingerprint=fingerprint,
            hermes_profile=name,
            expected=s.expected,
            now=now,
            hermes=hermes,
        )
        found += [
            replace(d, kind="profile", name=f"{name}: {d.name}", trigger=f"with -p {name}, {d.trigger}")
            for d in other.destinations
            if d.verdict is DestinationVerdict.KEY
        ]
    return tuple(found)


def _finished(
    route: Route,
    s: RouteContext,
    sent: RequestContents | None,
    fingerprint: Callable[[str], str],
    leaks: tuple[Destination, ...],
) -> Route:
    documents = ((s.layers.user_path, s.layers.user), (s.layers.managed_path, s.layers.managed))
    beyond = [f"{path}: {document.beyond}" for path, document in documents if document.beyond]
    unread = [f"{f.where(n)}: {r}" for f in (s.home, s.managed) if f for n, r in f.unreadable.items()]
    lost = next(iter(beyond + unread), None)
    found = (*leaks, *home_destinations(s, fingerprint, lost or route.unknown or secret_source_doubt(s)))
    hazards = [*route.hazards, *environment_hazards(s), *config_hazards(s), *destination_hazards(s, found, fingerprint)]
    guardrails = None if lost else effective_guardrails(s.layers, s.environment, s.home.extras)
    route = replace(
        route, provider=s.requested, unknown=lost or route.unknown, destinations=found, guardrails=guardrails
    )
    if lost:
        return replace(route, hazards=_distinct(hazards), key_source=f"unknown: {lost}", refusal=None)
    if sent is None:
        return replace(route, hazards=_distinct(hazards))
    doubt = secret_source_doubt(s)
    key = Secret(s.key) if s.key and not doubt else None
    mark = fingerprint(s.key) if key else None
    hazards += mismatches(s, model=sent.model, mode=sent.mode, fingerprint=mark, source=sent.key_source)
    return replace(
        route,
        url=sent.url,
        path=sent.path,
        model=sent.model,
        api_mode=sent.mode,
        header=sent.header,
        key=key,
        key_fingerprint=mark,
        key_source=f"unknown: {doubt}" if doubt else (sent.key_source if s.key else NO_KEY_SOURCE),
        unknown=route.unknown or doubt,
        hazards=_distinct(hazards),
    )


def _without_secrets(route: Route, key: str) -> Route:
    """Mask the key, and every text that looks like a secret: users may paste a key into any setting."""

    def clean(text: str) -> str:
        text = text.replace(key, masked(key)) if len(key) >= _MIN_MASKED_CHARS else text
        return mask_secrets(text)

    texts = ("url", "path", "model", "provider", "key_source", "refusal", "unknown", "home")
    masked_texts: dict[str, Any] = {name: clean(text) for name in texts if (text := getattr(route, name))}
    hazards = tuple(replace(h, where=clean(h.where), why=clean(h.why)) for h in route.hazards)
    destinations = tuple(
        replace(
            d,
            name=clean(d.name),
            where=clean(d.where),
            host=clean(d.host),
            key_source=clean(d.key_source),
            why=clean(d.why),
        )
        for d in route.destinations
    )
    return replace(route, hazards=hazards, destinations=destinations, **masked_texts)


def _distinct(hazards: list[Hazard]) -> tuple[Hazard, ...]:
    return tuple(dict.fromkeys(hazards))


def _managed(
    files: HermesFiles, home: HomeFiles, environ: Mapping[str, str], hermes: HermesFacts
) -> tuple[HomeFiles | None, str | None]:
    """Return the managed scope that applies, and a doubt: a `.env` that names another folder switches this scope off."""
    if not hermes.managed_scope:
        return None, None
    early = load_environment(home, environ, None, hermes)
    if not early.from_file(facts.MANAGED_DIR_ENV):
        return files.managed, None
    chosen = early.get(facts.MANAGED_DIR_ENV)
    if not chosen or (files.managed and not _other(chosen, files.managed.path)):
        return files.managed, None
    return None, "HERMES_MANAGED_DIR in .env names a folder that was not read"


def _other(one: str, path: str) -> str:
    """Return `one` if it is a path other than `path`, else the empty string."""
    return one if one.strip().rstrip("/") != path.rstrip("/") else ""
