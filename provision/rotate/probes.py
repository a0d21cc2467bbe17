"""The gateway requests of a rotation: is the new key valid, is the old one idle, is it dead?

Free requests are retried as in `aisa.retry`, a paid call never. Only a 401 on the balance proves that a key is dead, and only
if another key of the same user is accepted at the same time: a gateway that refuses all keys proves nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from provision.aisa.answers import GatewayAnswer, Probe
from provision.aisa.base_url import check_base_url, gateway_root, is_allowed
from provision.aisa.client import Client
from provision.aisa.model_kinds import effective_mode
from provision.aisa.pages import read_on
from provision.aisa.probes import request_for, usage_request
from provision.aisa.results import digest
from provision.aisa.sending import send_with_retries
from provision.aisa.verdicts import INCONCLUSIVE, Diagnosis, ProbedRoute, Verdict, diagnose_answer
from provision.rotate.model import Blocker, Grade

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Network, Request
    from provision.detect.secret import Secret
    from provision.fleet.desired import EffectiveProfile

T = TypeVar("T")
R = TypeVar("R")

GIVE_UP_AFTER = 10
"""After this many requests in a row without an answer the gateway counts as unreachable. The rest is skipped."""
_RESUME = "run `provision rotate resume` when the gateway answers again"


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """Where one user's requests go: the gateway's root, and model and mode."""

    root: str
    asked: ProbedRoute

    def question(self, fingerprint: str) -> str:
        """The id of the paid call for this route and key."""
        return digest(fingerprint, self.root, self.asked.model, self.asked.mode, Probe.CHAT)


def route_of(profile: EffectiveProfile, hosts: Sequence[str], catalogue: Catalogue) -> GatewayRoute | Blocker:
    """The route of a profile, or the blocker if no key may be sent there."""
    url = check_base_url(profile.base_url, profile.api_mode, hosts)
    if not url.usable or not is_allowed(url.normalised, hosts):
        cure = f"correct base_url of profile {profile.name}, then run `provision rotate resume`"
        return Blocker("base-url", "no key may be sent to this user's base URL", cure, Grade.FAILED)
    asked = ProbedRoute(profile.model, effective_mode(profile.api_mode), url.normalised, catalogue)
    return GatewayRoute(gateway_root(url.normalised), asked)


@dataclass(frozen=True, slots=True)
class KeyLiveness:
    """Whether a key is dead. `refused`: a 401. `dead`: a 401 while the gateway accepts another key."""

    dead: bool
    refused: bool = False
    trouble: Blocker | None = None


class KeyProber:
    """Sends the requests for one user at a time. `probe_all` runs many users concurrently."""

    def __init__(self, client: Client, chance: Callable[[], float]) -> None:
        self._client = client
        self._chance = chance
        self._silent = 0

    @property
    def unreachable(self) -> bool:
        """Whether the gateway is unreachable."""
        return self._silent >= GIVE_UP_AFTER

    async def send_free(self, request: Request, key: Secret) -> GatewayAnswer:
        """Send a free request, with retries."""

        def is_last(answer: GatewayAnswer) -> bool:
            self._silent = self._silent + 1 if answer.status is None else 0
            return self.unreachable

        answer, _ = await send_with_retries(lambda: self._client.send(request, key), self._chance, stop=is_last)
        return answer

    async def run_probe(self, probe: Probe, route: GatewayRoute, key: Secret) -> Diagnosis:
        """Run a free probe."""
        request = request_for(probe, route.root, route.asked.model, route.asked.mode)
        answer = await self.send_free(request, key)
        if probe is Probe.MODELS:
            answer = await read_on(lambda page: self.send_free(page, key), request, answer, {route.asked.model})
        return diagnose_answer(probe, answer, route.asked)

    async def run_free_probes(self, route: GatewayRoute, key: Secret, probes: Sequence[str]) -> dict[Probe, Diagnosis]:
        """Run the free probes in `probes`: does the gateway accept this key and list the model?"""
        found = {Probe.KEY: await self.run_probe(Probe.KEY, route, key)}
        if Probe.MODELS in probes and found[Probe.KEY].verdict not in {Verdict.KEY_INVALID, Verdict.UNREACHABLE}:
            found[Probe.MODELS] = await self.run_probe(Probe.MODELS, route, key)
        return found

    async def run_paid_call(self, route: GatewayRoute, key: Secret) -> Diagnosis:
        """Make one paid call, without retries."""
        request = request_for(Probe.CHAT, route.root, route.asked.model, route.asked.mode)
        return diagnose_answer(Probe.CHAT, await self._client.send(request, key), route.asked)

    async def requests_since(self, route: GatewayRoute, key: Secret, since: dt.date, today: dt.date) -> int | Blocker:
        """The number of requests with the key since a day, or why that is unknown."""
        answer = await self.send_free(usage_request(route.root, since, today), key)
        if answer.status == 200 and (total := _total(answer.data())) is not None:
            return total
        if answer.status == 401:
            return Blocker("usage-refused", "the gateway already refuses the old key", "", Grade.WAITING)
        if answer.status == 404:
            return Blocker("usage-unknown", "the gateway does not report this key's usage", "", Grade.WAITING)
        reason = f"HTTP {answer.status}" if answer.status else str(answer.failure)
        return Blocker("usage", f"unknown whether the old key is idle ({reason})", _RESUME, Grade.UNSURE)

    async def check_liveness(self, route: GatewayRoute, key: Secret, beside: Secret | None) -> KeyLiveness:
        """Check whether a key is dead. `beside` is another key that must be accepted at the same time, None if there is none."""
        found = await self.run_probe(Probe.KEY, route, key)
        if found.verdict is not Verdict.KEY_INVALID or found.http_status != 401:
            doubt = found.verdict in INCONCLUSIVE or found.verdict is Verdict.KEY_INVALID
            return KeyLiveness(False, trouble=inconclusive(found, "whether the old key is dead") if doubt else None)
        if beside is None:
            return KeyLiveness(True, refused=True)
        other = await self.run_probe(Probe.KEY, route, beside)
        if other.verdict is Verdict.KEY_INVALID and other.http_status == 401:
            cure = "check base_url; if both keys were revoked: provision rotate leaked USER --all"
            message = "the gateway refuses both the new and the old key"
            return KeyLiveness(False, True, Blocker("both-refused", message, cure, Grade.FAILED))
        if other.verdict in INCONCLUSIVE or other.verdict is Verdict.KEY_INVALID:
            return KeyLiveness(False, True, inconclusive(other, "whether the gateway refuses only the old key"))
        return KeyLiveness(True, refused=True)


def inconclusive(found: Diagnosis, what: str) -> Blocker:
    """The blocker for an answer that says nothing about the key."""
    reason = found.code or (f"HTTP {found.http_status}" if found.http_status else found.verdict.value)
    return Blocker(f"gateway-{found.verdict}", f"unknown {what}: {reason}", _RESUME, Grade.UNSURE)


def _total(data: Any) -> int | None:
    """The sum of all requests in a usage body. None if it is not a usage body."""
    rows = data.get("data") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        return None
    counts = [row.get("requests") if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        return None
    return sum(counts)  # type: ignore[arg-type]  # all are integers, checked above


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """How requests reach the gateway."""

    hosts: tuple[str, ...]
    network: Network
    catalogue: Catalogue
    concurrency: int
    chance: Callable[[], float]


def probe_all(
    items: Iterable[T],
    work: Callable[[KeyProber, T], Awaitable[R]],
    sink: Callable[[T, R], None],
    access: GatewayAccess,
) -> list[T]:
    """Run `work` for all items concurrently. `sink` gets each result as it arrives. Returns the skipped items."""

    async def everything() -> list[T]:
        async with Client(access.hosts, concurrency=access.concurrency, network=access.network) as client:
            prober, left, skipped = KeyProber(client, access.chance), iter(items), []

            async def worker() -> None:
                for item in left:
                    if prober.unreachable:
                        skipped.append(item)
                    else:
                        sink(item, await work(prober, item))

            await asyncio.gather(*(worker() for _ in range(access.concurrency)))
            return skipped

    return asyncio.run(everything())
