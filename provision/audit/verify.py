"""`--verify`: ask the gateway whether leaked keys still work. The only part of an audit that uses the network.

It sends the free balance request, only for keys that have AIsa's shape, only to the configured gateway, once per key and a few
per second. `cannot tell` is a result of its own: only a refusal by the gateway itself makes a key `dead`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from provision.aisa.answers import Probe
from provision.aisa.base_url import gateway_root
from provision.aisa.probes import request_for
from provision.aisa.rate_limit import TokenBucket
from provision.aisa.sending import send_with_retries
from provision.aisa.verdicts import ProbedRoute, Verdict, diagnose_answer
from provision.detect.shapes import aisa_shaped
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from provision.aisa.answers import GatewayAnswer
    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Request
    from provision.audit.leak import Leak
    from provision.detect.secret import Secret

RATE_PER_S = 2.0
"""Requests per second."""
_LIVE = frozenset({Verdict.OK, Verdict.UNFUNDED, Verdict.BUDGET_EXHAUSTED})


class KeyCheckClient(Protocol):
    """A client of the gateway."""

    async def send(self, request: Request, key: Secret | None) -> GatewayAnswer:
        """Send one request with a key. Raises ForbiddenHostError before anything goes to a host that is not configured."""
        ...


def keys_to_verify(leaks: Iterable[Leak]) -> dict[str, Secret]:
    """Return the keys that may be sent to the gateway, by fingerprint: those of AIsa's shape."""
    return {
        leak.fingerprint: leak.raw.match.secret
        for leak in leaks
        if leak.fingerprint and aisa_shaped(leak.raw.match.secret.reveal())
    }


async def verify_keys(
    keys: Mapping[str, Secret],
    client: KeyCheckClient,
    gateway: str,
    catalogue: Catalogue,
    *,
    rate: float = RATE_PER_S,
    clock: Callable[[], float],
    now: Callable[[], datetime],
    chance: Callable[[], float],
) -> dict[str, str]:
    """Return `live`, `dead` or `cannot tell` for each fingerprint. `gateway` is the configured base URL."""
    request = request_for(Probe.KEY, gateway_root(gateway), "", ApiMode.AUTO)
    asked = ProbedRoute("", ApiMode.AUTO, gateway, catalogue)
    bucket = TokenBucket(rate)
    found = {}
    for name, key in keys.items():

        async def attempt(key: Secret = key) -> GatewayAnswer:
            await asyncio.sleep(bucket.take(clock()))
            return await client.send(request, key)

        answer, _ = await send_with_retries(attempt, chance, now=now)
        found[name] = _word(diagnose_answer(Probe.KEY, answer, asked).verdict)
    return found


def _word(verdict: Verdict) -> str:
    if verdict in _LIVE:
        return "live"
    return "dead" if verdict is Verdict.KEY_INVALID else "cannot tell"
