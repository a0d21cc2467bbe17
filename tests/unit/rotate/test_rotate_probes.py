"""What answers of the gateway prove about a rotation's keys."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from rotate_memory import ACCEPTED, REFUSED, ROUTE, prober

from provision.aisa.answers import Failure, GatewayAnswer, Probe
from provision.aisa.catalogue import builtin
from provision.aisa.verdicts import Verdict
from provision.detect.secret import Secret
from provision.fleet.desired import ApiMode, EffectiveProfile
from provision.rotate.model import Blocker, Grade
from provision.rotate.probes import GatewayRoute, KeyLiveness, route_of

OLD, NEW = Secret("old"), Secret("new")
DAY = dt.date(2026, 6, 1)
NO_AUTH = GatewayAnswer(401, body=b'{"error": {"code": "authentication_unavailable"}}')
FORBIDDEN = GatewayAnswer(403, body=b'{"error": {"code": "insufficient_permissions"}}')
PAGE = GatewayAnswer(401, body=b"<html>sign in</html>")


def liveness(old: GatewayAnswer, new: GatewayAnswer, *, beside: Secret | None = NEW) -> KeyLiveness:
    return asyncio.run(prober(old=old, new=new).check_liveness(ROUTE, OLD, beside))


def test_a_401_beside_an_accepted_key_proves_a_dead_key() -> None:
    assert liveness(REFUSED, ACCEPTED) == KeyLiveness(dead=True, refused=True)


def test_a_401_proves_a_dead_key_if_there_is_no_other_key() -> None:
    assert liveness(REFUSED, REFUSED, beside=None) == KeyLiveness(dead=True, refused=True)


def test_both_refused_is_a_failure_of_its_own_and_proves_nothing() -> None:
    found = liveness(REFUSED, REFUSED)
    assert (found.dead, found.refused) == (False, True)
    assert found.trouble is not None
    assert (found.trouble.cause, found.trouble.grade) == ("both-refused", Grade.FAILED)
    assert "both the new and the old key" in found.trouble.message
    assert "provision rotate leaked" in found.trouble.cure


@pytest.mark.parametrize("other", [NO_AUTH, FORBIDDEN, PAGE])
def test_an_inconclusive_answer_for_the_other_key_proves_nothing(other: GatewayAnswer) -> None:
    found = liveness(REFUSED, other)
    assert (found.dead, found.refused) == (False, True)
    assert found.trouble is not None
    assert (found.trouble.cause.partition("-")[0], found.trouble.grade) == ("gateway", Grade.UNSURE)


@pytest.mark.parametrize("answer", [NO_AUTH, FORBIDDEN, PAGE])
def test_only_a_401_of_the_gateway_counts_as_refused(answer: GatewayAnswer) -> None:
    found = liveness(answer, ACCEPTED)
    assert (found.dead, found.refused) == (False, False)
    assert found.trouble is not None
    assert found.trouble.grade is Grade.UNSURE


def test_an_accepted_key_is_alive_without_a_blocker() -> None:
    assert liveness(ACCEPTED, ACCEPTED) == KeyLiveness(dead=False)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GatewayAnswer(200, body=b'{"data": [{"requests": 2}, {"requests": 3}]}'), 5),
        (GatewayAnswer(200, body=b'{"data": []}'), 0),
        (GatewayAnswer(200, body=b'{"data": [{"requests": true}]}'), "usage"),
        (GatewayAnswer(200, body=b'{"data": [{"count": 1}]}'), "usage"),
        (GatewayAnswer(401), "usage-refused"),
        (GatewayAnswer(404), "usage-unknown"),
        (GatewayAnswer(None, Failure.TLS), "usage"),
    ],
)
def test_usage_is_a_sum_or_a_reason(answer: GatewayAnswer, expected: int | str) -> None:
    found = asyncio.run(prober(old=answer).requests_since(ROUTE, OLD, DAY, DAY))
    assert (found.cause if isinstance(found, Blocker) else found) == expected


def test_models_are_not_listed_with_a_refused_key() -> None:
    found = asyncio.run(prober(new=REFUSED).run_free_probes(ROUTE, NEW, ("key", "models")))
    assert {probe: each.verdict for probe, each in found.items()} == {Probe.KEY: Verdict.KEY_INVALID}


def test_the_gateway_counts_as_unreachable_after_ten_silent_answers_in_a_row() -> None:
    asker = prober(old=GatewayAnswer(None, Failure.TLS), new=ACCEPTED)

    async def ask(key: Secret, times: int) -> bool:
        for _ in range(times):
            await asker.run_probe(Probe.KEY, ROUTE, key)
        return asker.unreachable

    assert not asyncio.run(ask(OLD, 9))
    assert not asyncio.run(ask(NEW, 1))
    assert not asyncio.run(ask(OLD, 9))
    assert asyncio.run(ask(OLD, 1))


def test_no_route_to_a_host_that_is_not_a_gateway() -> None:
    def profile(url: str) -> EffectiveProfile:
        return EffectiveProfile(name="team", model="gpt-5.2", base_url=url)

    found = route_of(profile("https://api.aisa.one/v1"), ("api.aisa.one",), builtin())
    assert isinstance(found, GatewayRoute)
    assert (found.root, found.asked.mode) == ("https://api.aisa.one", ApiMode.CHAT_COMPLETIONS)
    refused = route_of(profile("https://evil.example/v1"), ("api.aisa.one",), builtin())
    assert isinstance(refused, Blocker)
    assert (refused.cause, refused.grade) == ("base-url", Grade.FAILED)
    assert "profile team" in refused.cure
