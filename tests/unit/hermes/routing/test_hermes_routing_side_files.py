"""Destinations that other files of a home make: conversations, pools, memory, own code, profiles with a copy of the key."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from provision.hermes.facts.selection import NEWEST_VERIFIED, facts_for
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.hazards import Expected
from provision.hermes.routing.route import Route, resolve_route
from provision.hermes.session_store import SessionChoice

KEY, OTHER_KEY, X = "sk-aisa-TEST-K1", "sk-other-K2", "https://x.example/v1"
CONFIG = """model: {provider: custom:aisa, default: gpt-5.2}
providers:
  aisa: {api: https://api.aisa.one/v1, key_env: AISA_API_KEY}
  mine: {api: https://mine.example/v1, api_key: sk-other-K2}
"""
HOME = HomeFiles("/h", CONFIG.encode(), f"AISA_API_KEY={KEY}\n".encode())
EXPECTED = Expected("aisa", "https://api.aisa.one/v1", "gpt-5.2", "chat_completions", "AISA_API_KEY")


def route_of(home: HomeFiles, release: str = NEWEST_VERIFIED.version, **profiles: HomeFiles) -> Route:
    files = HermesFiles(home, profiles)
    return resolve_route(
        files, environ={}, fingerprint=lambda k: f"fp_{k[-2:]}", expected=EXPECTED, hermes=facts_for(release)
    )


def leaving(route: Route) -> list[str]:
    assert KEY not in repr(route)
    return [f"{d.kind} {d.host or '-'} {d.verdict}" for d in route.destinations if d.verdict != "stays"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (SessionChoice("f", "c", "custom:aisa", X), ["channel x.example key leaves"]),
        (SessionChoice("f", "c", "", X), ["channel x.example key leaves"]),
        (SessionChoice("f", "c", "gone", X), ["channel x.example key leaves"]),
        (SessionChoice("f", "c", "custom:mine", X), ["channel x.example content leaves"]),
        (SessionChoice("f", "c", "custom:mine"), ["channel mine.example content leaves"]),
        (SessionChoice("f", "c", "custom:aisa", "https://api.aisa.one/v1"), []),
        (SessionChoice("f", "c", "custom:aisa"), []),
        (SessionChoice("f", unread="locked"), ["channel - unknown"]),
    ],
)
def test_the_choice_of_a_conversation(choice: SessionChoice, expected: list[str]) -> None:
    assert leaving(route_of(replace(HOME, sessions=(choice,)))) == expected
    assert leaving(route_of(replace(HOME, sessions=(choice,)), "0.16.0")) == []


def platforms(**route: str) -> dict[str, object]:
    return {"platforms": {"api_server": {"extra": {"model_routes": {"fast": {"model": "m", **route}}}}}}


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"base_url": X}, ["channel x.example key leaves"]),
        ({"base_url": X, "provider": "gone"}, ["channel x.example key leaves"]),
        ({"base_url": X, "api_key": OTHER_KEY}, ["channel x.example content leaves"]),
        ({"provider": "custom:mine"}, ["channel mine.example content leaves"]),
        ({"provider": "custom:mine", "api_key": KEY}, ["channel mine.example key leaves"]),
        ({}, []),
    ],
)
def test_a_route_of_the_api_server(route: dict[str, str], expected: list[str]) -> None:
    text = json.dumps(platforms(**route))
    assert leaving(route_of(replace(HOME, gateway=text.encode()))) == expected
    for more in (platforms(**route), {"gateway": platforms(**route)}):
        config = f"{CONFIG}{json.dumps(more)[1:-1]}\n".encode()
        found = leaving(route_of(replace(HOME, config=config)))
        assert [line for line in found if not line.startswith("setting")] == expected


def test_rules_for_profiles_are_unknown() -> None:
    config = f"{CONFIG}profile_routes: [{{profile: blue}}, {{profile: default}}]\n"
    assert leaving(route_of(replace(HOME, config=config.encode()))) == ["channel - unknown"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["memory api.retaindb.com content leaves"]),
        ({"env": f"AISA_API_KEY={KEY}\n"}, []),
        ({"env": f"AISA_API_KEY={KEY}\nRETAINDB_API_KEY={KEY}\n"}, ["memory api.retaindb.com key leaves"]),
        ({"name": "honcho"}, ["memory api.honcho.dev unknown"]),
        ({"name": "mem0"}, []),
        ({"name": "mem0", "memory": {"mem0.json": b"{}"}}, ["memory api.mem0.ai unknown"]),
        ({"name": "mem0", "memory": {"mem0.json": KEY.encode()}}, ["memory api.mem0.ai key leaves"]),
        ({"name": "byterover"}, ["memory - unknown"]),
        ({"name": "a-plug-in"}, ["memory - unknown"]),
        ({"name": "holographic"}, []),
    ],
)
def test_memory(more: dict[str, object], expected: list[str]) -> None:
    config = f"{CONFIG}memory: {{provider: {more.pop('name', 'retaindb')}}}\n".encode()
    env = str(more.pop("env", f"AISA_API_KEY={KEY}\nRETAINDB_API_KEY={OTHER_KEY}\n")).encode()
    assert leaving(route_of(replace(HOME, config=config, env=env, **more))) == expected  # type: ignore[arg-type]


def pool(**entries: str) -> bytes:
    pools = {name: [{"source": "manual", "access_token": token}] for name, token in entries.items()}
    return json.dumps({"credential_pool": pools}).replace("custom_", "custom:").encode()


def test_copies_in_other_pools() -> None:
    found = leaving(route_of(replace(HOME, auth=pool(xai=KEY, custom_mine=KEY, nvidia=OTHER_KEY))))
    assert {line for line in found if line.startswith("provider")} == {
        "provider api.x.ai key leaves",
        "provider mine.example key leaves",
    }


def test_own_code_is_unknown() -> None:
    home = replace(HOME, code=("hooks/a", "plugins/model-providers/b"))
    assert sorted(leaving(route_of(home))) == ["hook - unknown", "plugin - unknown"]


def test_a_copy_of_the_key_in_a_profile() -> None:
    blue = HomeFiles("/h/profiles/blue", CONFIG.replace("api.aisa.one", "x.example").encode(), HOME.env)
    own = replace(blue, env=f"AISA_API_KEY={OTHER_KEY}\n".encode())
    route = route_of(HOME, blue=blue, green=own)
    assert "profile x.example key leaves" in leaving(route)
    assert {d.name for d in route.destinations if d.kind == "profile"} >= {"blue: model"}
    assert all(d.name.startswith("blue: ") for d in route.destinations if d.kind == "profile")
    assert leaving(route_of(HOME, green=own, red=HOME)) == []
