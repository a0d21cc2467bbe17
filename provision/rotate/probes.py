"""What a rotation asks the gateway: is the new key good, is the old one idle, is it dead?

Free questions are asked again as `aisa.pacing` allows, a paid one never. Only a 401 on the balance proves that a key is dead,
and only while another key of the same user is taken there: a gateway that refuses everybody proves nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from provision.aisa.answers import GatewayAnswer, Probe
from provision.aisa.base_url import check_base_url, gateway_root, is_allowed
from provision.aisa.catalogue import effective_mode
from provision.aisa.client import Client
from provision.aisa.probes import request_for, usage_request
from provision.aisa.results import digest
from provision.aisa.retry import wait_before_retry
from provision.aisa.verdicts import INCONCLUSIVE, Diagnosis, ProbedRoute, Verdict, diagnose_answer
from provision.rotate.model import Blocker, Grade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Network, Request
    from provision.detect.secret import Secret
    from provision.fleet.desired import EffectiveProfile

T = TypeVar("T")
R = TypeVar("R")

GIVE_UP_AFTER = 10
"""So many questions in a row without any answer mean that the gateway is out of reach: nobody else is asked."""
_RESUME = "provision rotate resume, when the gateway answers again"


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """Where one user's requests go: the gateway's root, and what is asked of it."""

    root: str
    asked: ProbedRoute

    def question(self, fingerprint: str) -> str:
        """A name for the paid question of this route and key."""
        return digest(fingerprint, self.root, self.asked.model, self.asked.mode, Probe.CHAT)


def route_of(profile: EffectiveProfile, hosts: Sequence[str], catalogue: Catalogue) -> GatewayRoute | Blocker:
    """The route of a profile, or why no key is sent there."""
    url = check_base_url(profile.base_url, profile.api_mode, hosts)
    if not url.usable or not is_allowed(url.normalised, hosts):
        cure = f"correct base_url of profile {profile.name}, then: provision rotate resume"
        return Blocker("base-url", "no key may be sent to this user's base URL", cure, Grade.FAILED)
    asked = ProbedRoute(profile.model, effective_mode(profile.api_mode), url.normalised, catalogue)
    return GatewayRoute(gateway_root(url.normalised), asked)


@dataclass(frozen=True, slots=True)
class KeyLiveness:
    """Whether a key is dead. `refused` is a 401 on its own; `dead` one beside another key that was taken."""

    dead: bool
    refused: bool = False
    trouble: Blocker | None = None


class KeyProber:
    """Asks one question at a time for one user; many users at once through `probe_all`."""

    def __init__(self, client: Client, chance: Callable[[], float]) -> None:
        self._client = client
        self._chance = chance
        self._silent = 0

    @property
    def hopeless(self) -> bool:
        """Whether the gateway has been silent for too long."""
        return self._silent >= GIVE_UP_AFTER

    async def free(self, request: Request, key: Secret) -> GatewayAnswer:
        """The answer to a free question, asked up to three times."""
        tries = 0
        while True:
            answer = await self._client.send(request, key)
            tries += 1
            self._silent = self._silent + 1 if answer.status is None else 0
            wait_s = wait_before_retry(answer, tries, paid=False, now=dt.datetime.now(dt.UTC), chance=self._chance())
            if wait_s is None or self.hopeless:
                return answer
            await asyncio.sleep(wait_s)

    async def judged(self, probe: Probe, route: GatewayRoute, key: Secret) -> Diagnosis:
        """The verdict of a free probe."""
        request = request_for(probe, route.root, route.asked.model, route.asked.mode)
        return diagnose_answer(probe, await self.free(request, key), route.asked)

    async def accepted(self, route: GatewayRoute, key: Secret, probes: Sequence[str]) -> dict[Probe, Diagnosis]:
        """The verdicts of the free probes that were asked for: does the gateway take this key and list the model?"""
        found = {Probe.KEY: await self.judged(Probe.KEY, route, key)}
        if Probe.MODELS in probes and found[Probe.KEY].verdict not in {Verdict.KEY_INVALID, Verdict.UNREACHABLE}:
            found[Probe.MODELS] = await self.judged(Probe.MODELS, route, key)
        return found

    async def call(self, route: GatewayRoute, key: Secret) -> Diagnosis:
        """The verdict of one paid call; never asked twice."""
        request = request_for(Probe.CHAT, route.root, route.asked.model, route.asked.mode)
        return diagnose_answer(Probe.CHAT, await self._client.send(request, key), route.asked)

    async def requests_since(self, route: GatewayRoute, key: Secret, since: dt.date, today: dt.date) -> int | Blocker:
        """How many requests the key has had since a day, or why that cannot be told."""
        answer = await self.free(usage_request(route.root, since, today), key)
        if answer.status == 200 and (total := _total(answer.data())) is not None:
            return total
        if answer.status == 401:
            return Blocker("usage-refused", "the gateway refuses the old key already", "", Grade.WAITING)
        if answer.status == 404:
            return Blocker("usage-unknown", "the gateway does not tell this key's usage", "", Grade.WAITING)
        said = f"HTTP {answer.status}" if answer.status else str(answer.failure)
        return Blocker("usage", f"cannot tell whether the old key is idle ({said})", _RESUME, Grade.UNSURE)

    async def life(self, route: GatewayRoute, key: Secret, beside: Secret | None) -> KeyLiveness:
        """Whether a key is dead. `beside` is a key that must be taken at the same moment; None where there is none."""
        found = await self.judged(Probe.KEY, route, key)
        if found.verdict is not Verdict.KEY_INVALID or found.http_status != 401:
            doubt = found.verdict in INCONCLUSIVE or found.verdict is Verdict.KEY_INVALID
            return KeyLiveness(False, trouble=inconclusive(found, "whether the old key is dead") if doubt else None)
        if beside is None:
            return KeyLiveness(True, refused=True)
        other = await self.judged(Probe.KEY, route, beside)
        if other.verdict is Verdict.KEY_INVALID and other.http_status == 401:
            cure = "is the gateway refusing everybody? If not, the new key was revoked: provision rotate leaked USER"
            message = "the gateway refuses the new key as well as the old one"
            return KeyLiveness(False, True, Blocker("both-refused", message, cure, Grade.FAILED))
        if other.verdict in INCONCLUSIVE or other.verdict is Verdict.KEY_INVALID:
            return KeyLiveness(False, True, inconclusive(other, "whether the gateway refuses only the old key"))
        return KeyLiveness(True, refused=True)


def inconclusive(found: Diagnosis, what: str) -> Blocker:
    """The trouble for an answer that says nothing about the key."""
    said = found.code or (f"HTTP {found.http_status}" if found.http_status else found.verdict.value)
    return Blocker(f"gateway-{found.verdict}", f"cannot tell {what}: {said}", _RESUME, Grade.UNSURE)


def _total(data: Any) -> int | None:
    """All requests in a usage body; None when it is none."""
    rows = data.get("data") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        return None
    counts = [row.get("requests") if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        return None
    return sum(counts)  # type: ignore[arg-type]  # all are integers, as was just seen


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """How questions reach the gateway."""

    hosts: tuple[str, ...]
    network: Network
    catalogue: Catalogue
    concurrency: int
    chance: Callable[[], float]


def probe_all(
    items: Iterable[T], work: Callable[[KeyProber, T], Awaitable[R]], sink: Callable[[T, R], None], reach: GatewayAccess
) -> list[T]:
    """Do `work` for every item, several at a time; `sink` gets each result as it comes. Returns the items not asked about."""

    async def everything() -> list[T]:
        async with Client(reach.hosts, concurrency=reach.concurrency, network=reach.network) as client:
            asker, left, skipped = KeyProber(client, reach.chance), iter(items), []

            async def worker() -> None:
                for item in left:
                    if asker.hopeless:
                        skipped.append(item)
                    else:
                        sink(item, await work(asker, item))

            await asyncio.gather(*(worker() for _ in range(reach.concurrency)))
            return skipped

    return asyncio.run(everything())
