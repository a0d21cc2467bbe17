"""`--verify`: which keys are sent, and what an answer means."""

from __future__ import annotations

import asyncio
import json

import pytest
from leakcraft import NOW, match, raw
from sourcescraft import a_key

from provision.aisa.answers import Failure, GatewayAnswer
from provision.aisa.catalogue import builtin
from provision.aisa.client import Request
from provision.audit.leak import Leak
from provision.audit.locations import LocationKind
from provision.audit.verify import keys_to_verify, verify_keys
from provision.detect.secret import Secret

OK = GatewayAnswer(200, body=json.dumps({"object": "balance", "total": 5}).encode(), content_type="application/json")
REFUSED = GatewayAnswer(
    401, body=b'{"error": {"code": "invalid_api_key", "message": "x"}}', content_type="application/json"
)


class Gateway:
    """Gives the prepared answers in order, and remembers the requests."""

    def __init__(self, *answers: GatewayAnswer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[Request, Secret | None]] = []

    async def send(self, request: Request, key: Secret | None) -> GatewayAnswer:
        self.requests.append((request, key))
        return self.answers.pop(0)


def ask(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, **keys: Secret) -> dict[str, str]:
    waited: list[float] = []

    async def no_sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    return asyncio.run(
        verify_keys(
            keys, gateway, "https://api.aisa.one/v1", builtin(), clock=lambda: 0.0, now=lambda: NOW, chance=lambda: 0.5
        )
    )


def test_only_keys_of_aisas_shape_with_a_fingerprint_are_sent() -> None:
    key = a_key()
    leaks = [
        Leak(raw("f", match(key)), LocationKind.FILE, "fp_1"),
        Leak(raw("f", match("ghp_" + "a" * 36)), LocationKind.FILE, "fp_2"),
        Leak(raw("f", match(a_key())), LocationKind.FILE, None),
    ]
    assert {name: secret.reveal() for name, secret in keys_to_verify(leaks).items()} == {"fp_1": key}


def test_only_a_refusal_by_the_gateway_makes_a_key_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = GatewayAnswer(401, body=b"<html>", content_type="text/html", challenge="Basic")
    gateway = Gateway(REFUSED, proxy, GatewayAnswer(404))
    one, two, three = (Secret(a_key()) for _ in range(3))
    assert ask(gateway, monkeypatch, one=one, two=two, three=three) == {
        "one": "dead",
        "two": "cannot tell",
        "three": "cannot tell",
    }
    assert {request.url.split("/")[2] for request, _ in gateway.requests} == {"api.aisa.one"}
    assert [key for _, key in gateway.requests] == [one, two, three]


def test_a_failure_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(GatewayAnswer(None, Failure.TIMEOUT), GatewayAnswer(503), REFUSED)
    assert ask(gateway, monkeypatch, one=Secret(a_key())) == {"one": "dead"}
    assert gateway.answers == []
