"""Every host that a home sends something to: predicted, and seen with the real Hermes, for the homes in `homes/side_*.yaml`."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path

import pytest
from hermes_forks import hermes_forks
from hermes_runner import environment
from hermes_venvs import hermes_release
from home_cases import K1, K2
from installed_home import EnrolledHome
from recording_gateway import Gateway, Seen
from side_cases import OTHERS, TEAM, WRITTEN_FOR, SideCase, load_side_cases
from side_driver import UNKNOWN_ACT

from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
from provision.hermes.facts.selection import facts_for
from provision.hermes.home import read_home
from provision.hermes.routing.destination import DestinationVerdict
from provision.hermes.routing.route import Route, resolve_route

CASES = load_side_cases()
RELEASE = hermes_release()
RUN = [
    pytest.param(c, id=c.id, marks=pytest.mark.acceptance if c.fast else pytest.mark.deep_acceptance)
    for c in CASES
    if not c.read
]
WORDS = {
    DestinationVerdict.KEY: "key",
    DestinationVerdict.CONTENT: "content",
    DestinationVerdict.UNKNOWN: "unknown",
}
OUTSIDE = ("models.dev",)
"""Hosts that Hermes asks for public catalogues, without key and content."""
mark = partial(fingerprint, salt=UNPROVISIONED_SALT)


def act(case: SideCase, home: Path, scratch: Path, gateway: Gateway) -> str:
    """Make the real Hermes send the case's request from `home`; return what Hermes printed."""
    if case.status != 200:
        gateway.statuses[TEAM] = case.status
    log = scratch / "log"
    ended = hermes_forks("side_driver.py").run(
        home, environment(scratch, gateway), case.act, stdout=log, stderr=log, timeout_s=60
    )
    assert ended not in {"timeout", f"exit {UNKNOWN_ACT}"}, ended
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def predicted(home: Path, release: str = RELEASE) -> Route:
    return resolve_route(
        read_home(home, managed_dir=None),
        environ={"HOME": str(home)},
        fingerprint=mark,
        now=time.time(),
        hermes=facts_for(release),
    )


def leaving(route: Route) -> set[str]:
    return {f"{d.kind} {d.host or '-'} {WORDS[d.verdict]}" for d in route.destinations if d.verdict in WORDS}


@pytest.mark.parametrize("case", [pytest.param(c, id=c.id) for c in CASES])
def test_the_model_reports_what_leaves(case: SideCase, tmp_path: Path) -> None:
    """Without Hermes, in milliseconds."""
    case.write(tmp_path / "home")
    route = predicted(tmp_path / "home", WRITTEN_FOR)
    assert leaving(route) == set(case.leaves)
    assert set(case.hazards) <= {h.id for h in route.hazards}
    assert not any(s in repr(route) for s in (K1, K2))


OTHER_RUNS = [(c, release) for release in OTHERS for c in CASES if c.id in OTHERS[release]]


@pytest.mark.parametrize(("case", "release"), [pytest.param(*run, id=f"{run[0].id}-{run[1]}") for run in OTHER_RUNS])
def test_the_model_reports_what_releases_were_seen_to_send(case: SideCase, release: str, tmp_path: Path) -> None:
    """Where another release was seen to differ, without Hermes: no host that was seen is missing, nor the team's key."""
    case.write(tmp_path / "home")
    leaves = leaving(predicted(tmp_path / "home", release))
    for line in case.on(release).seen or ():
        host, key, content = line.split()
        expected = content == "content" and case.act[0] != "provider"
        words = ("key",) if key == "K1" else ("key", "content") if expected else ()
        assert not words or {f"{host} {word}" for word in words} & {left.partition(" ")[2] for left in leaves}, leaves


@pytest.mark.parametrize("case", RUN)
def test_hermes_sends_what_the_model_reports(case: SideCase, tmp_path: Path, gateway: Gateway) -> None:
    case = case.on(RELEASE)
    home = tmp_path / "home"
    case.write(home)
    route = predicted(home)
    printed = act(case, home, tmp_path, gateway)
    away = [s for s in gateway.seen if s.host not in OUTSIDE and s.host != TEAM]
    _note(case, away)
    if case.seen is not None:
        assert _as_data(away) == set(case.seen), printed
    _compare(case, route, away)


def _note(case: SideCase, away: list[Seen]) -> None:
    """With ROUTE_RECORD=FILE, append what was seen."""
    if path := os.environ.get("ROUTE_RECORD"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": case.id, "seen": sorted(_as_data(away))}) + "\n")


def _compare(case: SideCase, route: Route, away: list[Seen]) -> None:
    """Compare host by host and key by key."""
    chosen = case.by_choice or case.act[0] == "provider"
    by_host: dict[str, set[DestinationVerdict]] = {}
    for each in route.destinations:
        by_host.setdefault(each.host, set()).add(each.verdict)
    marks = {(d.host, d.key_fingerprint) for d in route.destinations}
    for seen in away:
        verdicts = by_host.get(seen.host, set())
        for key in (K1, K2):
            if (
                seen.carries(key)
                and not (chosen and key == K2)
                and not (key == K2 and DestinationVerdict.KEY in verdicts)
            ):
                assert (seen.host, mark(key)) in marks, f"{seen.url} got a key that was not predicted"
        if seen.carries(K1):
            assert DestinationVerdict.KEY in verdicts, f"{seen.host} got the team's key"
        if seen.carries("CONTENT-OF-THE-USER") and not chosen:
            assert verdicts & {DestinationVerdict.KEY, DestinationVerdict.CONTENT}, f"{seen.host} got content"


def _as_data(away: list[Seen]) -> set[str]:
    """One line for each host: the team's key if it ever got it, and whether it ever got content."""
    found = set()
    for host in {s.host for s in away}:
        there = [s for s in away if s.host == host]
        keys = [name for name, key in (("K1", K1), ("K2", K2)) if any(s.carries(key) for s in there)]
        content = "content" if any(s.carries("CONTENT-OF-THE-USER") for s in there) else "-"
        if keys or content != "-":
            found.add(f"{host} {keys[0] if keys else '-'} {content}")
    return found


def test_there_are_enough_side_homes() -> None:
    assert len(CASES) >= 80
    assert len({c.id for c in CASES}) == len(CASES)
    assert sum(not c.leaves for c in CASES) >= 20, "false alarms count as much as misses"
    assert all(c.read or c.act for c in CASES)


_KEY, _UNKNOWN, _BOTH = frozenset({"key"}), frozenset({"unknown"}), frozenset({"key", "content"})
VERDICTS = {
    **dict.fromkeys(("auxiliary", "fallback", "delegation", "moa", "tts", "stt", "cron"), _BOTH | _UNKNOWN),
    **dict.fromkeys(("memory", "channel"), _BOTH | _UNKNOWN),
    **dict.fromkeys(("model-alias", "mcp", "gateway-proxy", "observability"), _BOTH),
    **dict.fromkeys(("provider", "environment", "service-key", "quick-command"), _KEY),
    **dict.fromkeys(("plugin", "setting"), _UNKNOWN),
    "hook": _KEY | _UNKNOWN,
}
"""What a kind of destination can be beside *stays*. `main` has the other homes, `desktop` and `voice` have unit tests."""


def test_every_kind_has_a_home_for_each_verdict() -> None:
    found: dict[str, set[str]] = {}
    for case in CASES:
        for line in case.leaves:
            kind, _, verdict = line.split()
            found.setdefault(kind, set()).add(verdict)
    assert found == VERDICTS


def installed(case: SideCase, folder: Path) -> Path:
    """Write the home, install a bundle of a team with `side_routes: team` over it, and return it."""
    case.write(folder / "home")
    home = EnrolledHome(folder)
    home.install()
    again = home.install()
    assert "nothing to change" in again.stdout, again.stdout
    return home.path


_OWN = "memory mcp tts stt hook plugin observability gateway-proxy model-alias channel cron moa setting"
OWN_SERVERS = frozenset(_OWN.split())
"""Kinds that an install leaves to the user, without the team's key."""


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.id, marks=[] if c.fast else pytest.mark.deep_acceptance) for c in CASES]
)
def test_after_an_install_no_key_leaves(case: SideCase, tmp_path: Path) -> None:
    """Without Hermes. What is left is the user's own: servers, programs and aliases, without the team's key."""
    home = installed(case, tmp_path)
    route = predicted(home, WRITTEN_FOR)
    assert route.url == f"https://{TEAM}/v1/chat/completions"
    left = leaving(route)
    assert not any(line.endswith(" key") for line in left), left
    assert {line.split()[0] for line in left} <= OWN_SERVERS, left


@pytest.mark.parametrize("case", RUN)
def test_after_an_install_hermes_sends_the_key_to_the_team_only(
    case: SideCase, tmp_path: Path, gateway: Gateway
) -> None:
    """On a release whose tasks leave all the same, the model says so: never more than it reports."""
    home = installed(case, tmp_path)
    reported = set() if RELEASE == WRITTEN_FOR else {line.partition(" ")[2] for line in leaving(predicted(home))}
    printed = act(case, home, tmp_path, gateway)
    away = [s for s in gateway.seen if s.host not in OUTSIDE and s.host != TEAM and f"{s.host} key" not in reported]
    assert not [s.url for s in away if s.carries(K1)]
    away = [s for s in away if f"{s.host} content" not in reported]
    if not (case.content_after or case.by_choice or case.act[0] in {"provider", "moa"}):
        assert not [s.url for s in away if s.carries("CONTENT-OF-THE-USER")], printed
