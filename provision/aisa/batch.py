"""Validate a fleet against the gateway: probe each key, model, mode and base URL once, with one verdict per user.

Users are grouped by key and gateway: a shared key is probed once, and requests with one key run one after another. Results go
to the journal as they arrive and are not kept in memory. If nearly all recent requests to a host failed to connect, the
remaining users are skipped: the network is at fault. Answers to paid calls are journaled as soon as they arrive.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provision.aisa import advice
from provision.aisa.answers import Probe
from provision.aisa.base_url import gateway_root
from provision.aisa.echoes import without_echoes
from provision.aisa.failing_routes import RouteComparisons
from provision.aisa.model_kinds import effective_mode
from provision.aisa.pages import read_on
from provision.aisa.probes import request_for, usage_request
from provision.aisa.rate_limit import TokenBucket
from provision.aisa.results import FailingRoute, ProbeOutcome, ValidationResult, digest
from provision.aisa.sending import send_with_retries
from provision.aisa.spend import read_spend
from provision.aisa.verdicts import Diagnosis, ProbedRoute, Verdict, combine_diagnoses, diagnose_answer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from provision.aisa.answers import GatewayAnswer, Listing
    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Client, Request
    from provision.aisa.journal import ValidationJournal
    from provision.aisa.results import Subject
    from provision.aisa.spend import KeySpend
    from provision.detect.secret import Secret
    from provision.fleet.desired import ApiMode

KEY_RATE = 1.0  # a free key's limit is 60 requests a minute
KEY_BURST = 10
_STOP_WINDOW = 20
_STOP_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Which probes to run and how fast. `rate` limits all requests together, per second."""

    probes: tuple[Probe, ...] = (Probe.KEY, Probe.MODELS)
    concurrency: int = 8
    rate: float | None = None
    usage_days: tuple[dt.date, dt.date] | None = None
    """Read what each key has spent as well: its usage from the first to the last day."""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """Counts of a finished batch. The results are in the journal."""

    asked: int
    not_asked: int
    requests: int
    paid_calls: int
    routes: tuple[FailingRoute, ...]
    elapsed_s: float
    interrupted: bool = False
    network_at_fault: bool = False


@dataclass(slots=True)
class _Group:
    """All users of one key at one gateway, by model and mode."""

    root: str
    key: Secret
    fingerprint: str
    users: dict[tuple[str, ApiMode], list[int]] = field(default_factory=dict)
    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(KEY_RATE, KEY_BURST))


@dataclass(slots=True)
class _Health:
    """Whether a gateway's host is reachable: the latest verdicts, and whether it ever answered."""

    recent: deque[bool]
    answered: bool = False
    dead: bool = False

    def note(self, verdict: Verdict) -> None:
        out_of_reach = verdict is Verdict.UNREACHABLE
        self.answered = self.answered or not out_of_reach
        self.recent.append(out_of_reach)
        if len(self.recent) == self.recent.maxlen and sum(self.recent) >= _STOP_SHARE * len(self.recent):
            self.dead = True

    @property
    def out_of_reach(self) -> bool:
        """Whether the network is at fault: the host was given up, or at least three failed and none succeeded."""
        return self.dead or (not self.answered and len(self.recent) >= 3)

    @property
    def hopeless(self) -> bool:
        """Whether to skip retries: at least five failed and none succeeded."""
        return not self.answered and len(self.recent) >= 5


def paid_calls(subjects: Sequence[Subject], probes: Sequence[Probe]) -> int:
    """Number of paid calls if nothing fails: one per distinct key, model, mode and base URL."""
    if Probe.CHAT not in probes:
        return 0
    return len({s.question() for s in subjects if s.key is not None and s.url_mistake is None})


class Batch:
    """One run. `observe` gets each result as it arrives. `chance` returns random numbers in [0, 1)."""

    def __init__(
        self,
        client: Client,
        plan: BatchPlan,
        *,
        catalogue: Catalogue,
        journal: ValidationJournal,
        chance: Callable[[], float],
        observe: Callable[[ValidationResult], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._plan = plan
        self._catalogue = catalogue
        self._journal = journal
        self._chance = chance
        self._observe = observe
        self._open = asyncio.Semaphore(plan.concurrency)
        self._bucket = TokenBucket(plan.rate, max(1, min(plan.concurrency, int(plan.rate or 1))))
        self._health: dict[str, _Health] = {}
        self._routes = RouteComparisons()
        self._subjects: Sequence[Subject] = ()
        self._requests = self._paid = self._asked = 0

    async def run(self, subjects: Sequence[Subject]) -> BatchOutcome:
        """Validate all subjects without a result in the journal. Cancellation ends the run with an outcome."""
        began = time.monotonic()
        self._subjects = subjects
        left = self._journal.begin(subjects)
        groups = self._grouped(left)
        interrupted = False
        tasks = [asyncio.create_task(self._work(groups)) for _ in range(2 * self._plan.concurrency)]
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            interrupted = True
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return BatchOutcome(
            asked=self._asked,
            not_asked=len(left) - self._asked,
            requests=self._requests,
            paid_calls=self._paid,
            routes=self._routes.failing(),
            elapsed_s=time.monotonic() - began,
            interrupted=interrupted,
            network_at_fault=any(h.out_of_reach for h in self._health.values()),
        )

    def _grouped(self, left: Sequence[int]) -> Iterator[_Group]:
        """Group users by key and gateway. Users that cannot be probed get their result here."""
        groups: dict[tuple[str, str], _Group] = {}
        for index in left:
            subject = self._subjects[index]
            offline = _offline(subject)
            if offline is not None or subject.key is None:
                self._settle(index, {}, offline or Diagnosis(Verdict.NO_KEY, advice.NO_KEY))
                continue
            place = gateway_root(subject.base_url)
            group = groups.get((subject.fingerprint, place))
            if group is None:
                group = groups[subject.fingerprint, place] = _Group(place, subject.key, subject.fingerprint)
            group.users.setdefault((subject.model, effective_mode(subject.mode)), []).append(index)
        while groups:
            yield groups.pop(next(iter(groups)))

    async def _work(self, groups: Iterator[_Group]) -> None:
        for group in groups:
            health = self._health.get(group.root)
            if health is None:
                window = max(_STOP_WINDOW, 2 * self._plan.concurrency)
                health = self._health[group.root] = _Health(deque(maxlen=window))
            if not health.dead:
                await self._probe_group(group, health)

    async def _probe_group(self, group: _Group, health: _Health) -> None:
        shared: dict[Probe, tuple[GatewayAnswer, int]] = {}
        first = next(iter(group.users))
        spend: KeySpend | None = None
        found_first: dict[Probe, tuple[Diagnosis, ProbeOutcome]] = {}
        for probe in (Probe.KEY, Probe.MODELS):
            if probe in self._plan.probes:
                shared[probe] = await self._free(group, probe, *first)
                found_first[probe] = self._diagnosed(group, probe, *first, shared)
                if found_first[probe][0].verdict in {Verdict.KEY_INVALID, Verdict.UNREACHABLE}:
                    break
        else:
            spend = await self._spend(group, shared)
        for (model, mode), users in group.users.items():
            if health.dead:
                return
            found = found_first
            if (model, mode) != first:
                found = {p: self._diagnosed(group, p, model, mode, shared) for p in shared}
            if Probe.CHAT in self._plan.probes and self._should_call(found, model):
                found[Probe.CHAT] = await self._call(group, model, mode)
            verdict = combine_diagnoses({p: j for p, (j, _) in found.items()})
            health.note(verdict.verdict)
            if Probe.CHAT in found and verdict.verdict is Verdict.UPSTREAM_ERROR and verdict.http_status == 502:
                live = shared[Probe.MODELS][0].listing() if Probe.MODELS in shared else None
                verdict = await self._compared(group, (model, mode), verdict, live)
            for index in users:
                self._settle(index, found, verdict, spend)

    async def _spend(self, group: _Group, shared: dict[Probe, tuple[GatewayAnswer, int]]) -> KeySpend | None:
        if self._plan.usage_days is None or Probe.KEY not in shared:
            return None
        usage, _ = await self._send(group, usage_request(group.root, *self._plan.usage_days))
        return read_spend(shared[Probe.KEY][0], usage)

    def _probed_route(self, group: _Group, model: str, mode: ApiMode) -> ProbedRoute:
        base_url = group.root if mode == "anthropic_messages" else f"{group.root}/v1"
        return ProbedRoute(model, mode, base_url, self._catalogue)

    def _diagnosed(
        self, group: _Group, probe: Probe, model: str, mode: ApiMode, shared: dict[Probe, tuple[GatewayAnswer, int]]
    ) -> tuple[Diagnosis, ProbeOutcome]:
        answer, tries = shared[probe]
        found = _masked(diagnose_answer(probe, answer, self._probed_route(group, model, mode)), group.key.reveal())
        return found, ProbeOutcome(probe, found.verdict, found.http_status, found.code, tries, answer.elapsed_ms)

    def _should_call(self, found: dict[Probe, tuple[Diagnosis, ProbeOutcome]], model: str) -> bool:
        """Whether a paid call makes sense: not for a refused key, no network, a wrong URL or an unsuitable model."""
        excluded = {Verdict.KEY_INVALID, Verdict.UNREACHABLE, Verdict.MODEL_UNSUITABLE}
        if any(j.verdict in excluded for j, _ in found.values()):
            return False
        listed = found.get(Probe.MODELS)
        if listed is not None and listed[0].verdict is Verdict.BASE_URL_WRONG:
            return False
        classified = self._catalogue.classify(model)
        if listed is None and classified.suitable is False:
            unsuitable = Diagnosis(Verdict.MODEL_UNSUITABLE, advice.unsuitable(model, classified.kind))
            found[Probe.MODELS] = (unsuitable, ProbeOutcome(Probe.MODELS, unsuitable.verdict, None, "", 0, 0))
            return False
        return True

    async def _call(
        self, group: _Group, model: str, mode: ApiMode, *, retried: bool = True
    ) -> tuple[Diagnosis, ProbeOutcome]:
        question = digest(group.fingerprint, group.root, model, mode, Probe.CHAT)
        known = self._journal.paid(question)
        if known is not None:
            return known
        answer, tries = await self._send(group, request_for(Probe.CHAT, group.root, model, mode), retried=retried)
        found, outcome = self._diagnosed(group, Probe.CHAT, model, mode, {Probe.CHAT: (answer, tries)})
        if tries > 1:
            found = replace(found, advice=f"{found.advice} (called {tries} times)")
        if found.verdict is not Verdict.UNREACHABLE and (retried or found.verdict is Verdict.OK):
            self._journal.note_paid(question, found, outcome)
        if found.verdict is Verdict.OK:
            self._routes.works(group.root, mode, model)
        return found, outcome

    async def _compared(
        self, group: _Group, about: tuple[str, ApiMode], found: Diagnosis, live: Listing | None
    ) -> Diagnosis:
        """After a 502, call another model, to distinguish a failing route from a failing gateway.

        At most one such call is made at a gateway in a mode, and it is not retried: it was not agreed for each failing model.
        """
        model, mode = about
        route = self._routes.failing_route(group.root, self._probed_route(group, model, mode).base_url, model, mode)
        route.users += len(group.users[about])
        turn = self._routes.turn(group.root, mode)
        async with turn.lock:
            other = None if turn.made else self._routes.candidate(group.root, mode, model, self._catalogue, live)
            if other is not None:
                turn.made = True
                await self._call(group, other, mode, retried=False)
            route.working = self._routes.working(group.root, mode, model)
        working = (route.working,) if route.working else ()
        return replace(found, advice=advice.failing_route(model, route.working), suggestions=working)

    async def _free(self, group: _Group, probe: Probe, model: str, mode: ApiMode) -> tuple[GatewayAnswer, int]:
        """Run a free probe. A list of models is read on until it has the models of all users of the group."""
        request = request_for(probe, group.root, model, mode)
        answer, tries = await self._send(group, request)

        async def more(page: Request) -> GatewayAnswer:
            return (await self._send(group, page))[0]

        if probe is Probe.MODELS:
            answer = await read_on(more, request, answer, {model for model, _ in group.users})
        return answer, tries

    async def _send(self, group: _Group, request: Request, *, retried: bool = True) -> tuple[GatewayAnswer, int]:
        async def attempt() -> GatewayAnswer:
            await self._pace(group)
            async with self._open:
                self._requests += 1
                self._paid += request.paid
                return await self._client.send(request, group.key)

        def is_last(answer: GatewayAnswer) -> bool:
            return not retried or (answer.status is None and self._health[group.root].hopeless)

        return await send_with_retries(attempt, self._chance, paid=request.paid, stop=is_last)

    async def _pace(self, group: _Group) -> None:
        now = time.monotonic()
        wait_s = max(group.bucket.take(now), self._bucket.take(now))
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def _settle(
        self,
        index: int,
        found: dict[Probe, tuple[Diagnosis, ProbeOutcome]],
        verdict: Diagnosis,
        spend: KeySpend | None = None,
    ) -> None:
        """Write one user's result to the journal and report it."""
        subject = self._subjects[index]
        outcomes = tuple(outcome for _, outcome in found.values())
        same = (a for a in reversed(outcomes) if (a.http_status, a.verdict) == (verdict.http_status, verdict.verdict))
        deciding = next(same, outcomes[-1] if outcomes else None)
        verdict = _masked(verdict, subject.key.reveal() if subject.key else "")
        result = ValidationResult(
            user=subject.user,
            profile=subject.profile,
            model=subject.model,
            api_mode=subject.mode,
            base_url=subject.base_url,
            key_fingerprint=subject.fingerprint,
            verdict=verdict.verdict,
            http_status=verdict.http_status,
            code=verdict.code,
            request_id=verdict.request_id,
            attempts=deciding.attempts if deciding else 0,
            elapsed_ms=deciding.elapsed_ms if deciding else 0,
            advice=verdict.advice,
            suggestions=verdict.suggestions,
            probes=outcomes,
            spend=spend,
        )
        self._journal.note_result(index, subject, result)
        self._asked += 1
        self._observe(result)


def _masked(found: Diagnosis, secret: str) -> Diagnosis:
    """The verdict without what the gateway echoed of the key."""
    return replace(
        found,
        advice=without_echoes(found.advice, secret),
        code=without_echoes(found.code, secret),
        request_id=without_echoes(found.request_id, secret),
        suggestions=tuple(without_echoes(each, secret) for each in found.suggestions),
    )


def _offline(subject: Subject) -> Diagnosis | None:
    """The verdict of a user that is not probed."""
    if subject.url_mistake is not None:
        message, suggested = subject.url_mistake
        return Diagnosis(Verdict.BASE_URL_WRONG, message, code="not_asked", suggestions=(suggested,))
    if subject.key is None:
        if subject.key_problem:  # a source failed: whether there is a key is unknown
            return Diagnosis(Verdict.UNKNOWN, subject.key_problem, code="key_not_read")
        return Diagnosis(Verdict.NO_KEY, advice.NO_KEY, code="no_key")
    return None
