"""The simulated gateway's rules, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.aisa.catalogue import builtin
from provision.aisa.simulator.gateway import Gateway, Script, SimulatedRequest
from provision.aisa.simulator.state import KeyRecord, KeyState, ModelFault, Reply, Window
from provision.fleet.desired import ApiMode

CHAT = frozenset({ApiMode.CHAT_COMPLETIONS})


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(builtin(), {"m": CHAT, "any": None}, keys={"k": KeyRecord()})


def ask(
    gateway: Gateway, path: str, key: str | None = "k", *, header: str = "authorization", now: float = 0.0, **body: Any
) -> Reply:
    value = f"Bearer {key}" if header == "authorization" else str(key)
    request = SimulatedRequest(
        "POST" if body else "GET", path, "", {header: value} if key else {}, json.dumps(body).encode() if body else b""
    )
    return gateway.answer(request, body.get("model"), now, "2026-06-01")[0]


def code(reply: Reply) -> str:
    return str(json.loads(reply.body)["error"]["code"])


@pytest.mark.parametrize(
    ("state", "balance", "call"),
    [
        (KeyState.VALID, 200, 200),
        (KeyState.REVOKED, 401, 401),
        (KeyState.FORBIDDEN, 403, 403),
        (KeyState.UNFUNDED, 200, 402),
        (KeyState.QUOTA, 200, 429),
        (KeyState.NOT_PERMITTED, 200, 403),
        (KeyState.RATE_LIMITED, 429, 429),
    ],
)
def test_a_keys_state_decides_balance_and_calls(gateway: Gateway, state: KeyState, balance: int, call: int) -> None:
    gateway.keys["k"].state = state
    assert ask(gateway, "/v1/credits/balance").status == balance
    assert ask(gateway, "/v1/chat/completions", model="m").status == call


def test_unknown_and_missing_keys_are_refused_differently(gateway: Gateway) -> None:
    assert code(ask(gateway, "/v1/credits/balance", "x")) == "invalid_api_key"
    assert code(ask(gateway, "/v1/credits/balance", None)) == "missing_api_key"
    assert code(ask(gateway, "/v1/credits/balance", header="x-api-key")) == "missing_api_key"
    gateway.auth_available = False
    assert code(ask(gateway, "/v1/credits/balance")) == "authentication_unavailable"


def test_a_model_is_reached_only_in_its_modes_and_by_allowed_keys(gateway: Gateway) -> None:
    assert code(ask(gateway, "/v1/responses", model="m")) == "model_route_not_supported"
    assert ask(gateway, "/v1/messages", header="x-api-key", model="any").status == 200
    assert code(ask(gateway, "/v1/chat/completions", model="gone")) == "model_not_found"
    gateway.keys["k"].models = frozenset({"any"})
    assert code(ask(gateway, "/v1/chat/completions", model="m")) == "model_not_allowed"
    assert [m["id"] for m in json.loads(ask(gateway, "/v1/models").body)["data"]] == ["any"]
    assert [m["id"] for m in json.loads(ask(gateway, "/v1/models", None).body)["data"]] == ["m", "any"]
    gateway.models_need_key = True
    assert code(ask(gateway, "/v1/models", None)) == "missing_api_key"


def test_faults_come_in_order_and_end(gateway: Gateway) -> None:
    gateway.faults["m"] = [(ModelFault.BAD_GATEWAY, 2), (ModelFault.SERVER_ERROR, 1)]
    assert [ask(gateway, "/v1/chat/completions", model="m").status for _ in range(4)] == [502, 502, 500, 200]


def test_a_script_replaces_matching_answers_as_often_as_it_says(gateway: Gateway) -> None:
    gateway.scripts.append(Script(Reply.proxy_page(), "/v1/models", None, None, 1))
    assert ask(gateway, "/v1/credits/balance").status == 200
    assert [ask(gateway, "/v1/models").status for _ in range(2)] == [403, 200]


def test_a_rate_limit_says_when_there_is_room_again(gateway: Gateway) -> None:
    gateway.window = Window(2, 60.0)
    replies = [ask(gateway, "/v1/credits/balance", now=now) for now in (0.0, 30.0, 40.0, 60.5)]
    assert [reply.status for reply in replies] == [200, 200, 429, 200]
    assert ("Retry-After", "20") in replies[2].headers


def test_usage_counts_calls_not_free_requests(gateway: Gateway) -> None:
    ask(gateway, "/v1/chat/completions", model="m")
    ask(gateway, "/v1/models")
    days = json.loads(ask(gateway, "/v1/usage").body)["data"]
    assert (days[-1]["date"], days[-1]["requests"], sum(day["requests"] for day in days)) == ("2026-06-01", 1, 1)
