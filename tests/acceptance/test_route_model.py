"""The route model against the real Hermes: for every home in `homes/`, what is predicted is what the gateway saw."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from hermes_runner import HERMES, ONE_SHOT, environment, run_hermes
from hermes_venvs import hermes_release
from home_cases import K1, Case, Laid, Names, lay_out, load_cases
from recording_gateway import Gateway, Seen

from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
from provision.hermes.facts.selection import VERIFIED_VERSIONS, facts_for
from provision.hermes.home import HermesFiles, read_home
from provision.hermes.routing.route import Route, resolve_route

CASES = load_cases()
RELEASE = hermes_release()
PLATFORM = os.environ.get("TEST_PLATFORM", sys.platform)
PARAMETERS = [
    pytest.param(
        case,
        id=case.id,
        marks=[
            pytest.mark.deep_acceptance if case.deep else pytest.mark.acceptance,
            *([pytest.mark.fast_acceptance] if case.fast else []),
        ],
    )
    for case in CASES
]
mark = partial(fingerprint, salt=UNPROVISIONED_SALT)


HOME_NAME = "hermes" if PLATFORM == "win32" else "home"
"""The last name of Hermes' default home on Windows, which it then finds by LOCALAPPDATA."""


def read_on_platform(laid: Laid) -> HermesFiles:
    """Read the home as on the platform of `--hermes-platform`, which the real Hermes takes this system for as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", PLATFORM)
        return read_home(laid.home, managed_dir=laid.managed)


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_route_is_what_hermes_does(case: Case, tmp_path: Path, gateway: Gateway) -> None:
    case = case.on(RELEASE)
    names = Names(tmp_path / HOME_NAME, gateway.open("expected"), gateway.open("hijack"))
    laid = lay_out(case, tmp_path, names)
    environ = environment(tmp_path, gateway, laid.environ)
    route = resolve_route(
        read_on_platform(laid),
        environ=environ,
        fingerprint=mark,
        hermes_profile=case.profile,
        now=time.time(),
        hermes=facts_for(RELEASE),
    )
    assert set(case.hazards) <= {h.id for h in route.hazards}, route
    assert K1 not in repr(route)
    if not case.run:
        assert route.unknown, route
        assert case.listed
        return
    gateway.refused = {names.fill(k) for k in case.refuse}
    arguments = (*(("-p", case.profile) if case.profile else ()), *ONE_SHOT)
    run = run_hermes(laid.home, environ, arguments, command=(HERMES,) if case.fast else ())
    sent = [s for s in gateway.inference if _judged(s)]
    seen = _as_data(sent[0], names) if sent else None
    _note(case, seen, route)
    if case.listed and sys.platform != PLATFORM:  # what was recorded is Linux' answer where the model has none
        assert route.unknown, route
        return
    assert seen == case.sent, f"{run}\n{route}"
    if case.listed:
        assert route.unknown, route
        return
    if route.refusal:
        assert not sent, route
        return
    assert sent, f"{route}\n{run}"
    assert _predicted(route, names) == seen
    assert route.key_fingerprint == (mark(sent[0].key) if sent[0].key and route.key else None)
    reached = {names.host(s.host) for s in gateway.carrying(K1)}
    assert reached <= {str(seen[0]) if seen else "", *case.also}, reached


@pytest.mark.parametrize("release", VERIFIED_VERSIONS)
@pytest.mark.parametrize("case", [pytest.param(c, id=c.id) for c in CASES])
def test_the_model_says_what_hermes_did_when_it_was_recorded(case: Case, release: str, tmp_path: Path) -> None:
    """The same homes without Hermes, in milliseconds: for every run of the tests."""
    case = case.on(release)
    names = Names(tmp_path / "home", "http://127.0.0.1:1111", "http://127.0.0.1:2222")
    laid = lay_out(case, tmp_path, names)
    route = resolve_route(
        read_home(laid.home, managed_dir=laid.managed),
        environ={"HOME": str(tmp_path), **laid.environ},
        fingerprint=mark,
        hermes_profile=case.profile,
        now=time.time(),
        hermes=facts_for(release),
    )
    assert set(case.hazards) <= {h.id for h in route.hazards}, route
    if case.listed:
        assert route.unknown
    else:
        assert (_predicted(route, names) if route.url and not route.refusal else None) == case.sent, route


def test_there_are_enough_homes() -> None:
    assert sum(not c.deep and not c.listed for c in CASES) >= 60
    assert len({c.id for c in CASES}) == len(CASES)
    assert sum(c.fast for c in CASES) >= 12
    assert sum(bool(c.listed) for c in CASES) <= 8


def _judged(seen: Seen) -> bool:
    """Hermes' own catalogue look-ups are no requests to a model."""
    return seen.host != "models.dev"


def _as_data(seen: Seen, names: Names) -> list[str | None]:
    header = "authorization" if seen.header == "both" else seen.header
    return [names.host(seen.host), seen.path.split("?")[0], seen.model, header, names.key(seen.key)]


def _predicted(route: Route, names: Names) -> list[str | None]:
    assert route.url
    assert route.path
    host = route.url.split("://")[1].removesuffix(route.path)
    key = route.key.reveal() if route.key else "no-key-required"
    return [names.host(host), route.path, route.model, route.header, names.key(key)]


def _note(case: Case, seen: object, route: Route) -> None:
    """With ROUTE_RECORD=FILE, append what was seen: to fill in `sent` after a new release of Hermes, and read the diff."""
    if path := os.environ.get("ROUTE_RECORD"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"id": case.id, "sent": seen, "refusal": route.refusal, "unknown": route.unknown}) + "\n"
            )
