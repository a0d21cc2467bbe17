"""A whole fleet against the gateway: every key, model, mode and base URL asked once, and one verdict per user.

Users are grouped by key and gateway, so a shared key is asked once and one key's questions come one after another. Results
go to the journal as they arrive and are not kept. When a gateway's host turns out to be out of reach for nearly everybody,
the rest is not asked: that is the network's fault. Paid questions are journaled the moment they are answered.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provision.aisa import advice
from provision.aisa.answers import Probe
from provision.aisa.catalogue import effective_mode
from provision.aisa.endpoint import root
from provision.aisa.pacing import TokenBucket, wait_before_retry
from provision.aisa.probes import request_for
from provision.aisa.results import Asking, FailingRoute, Result, digest
from provision.aisa.routes import Routes
from provision.aisa.verdicts import Asked, Judgement, Verdict, combine, judge_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provision.aisa.answers import Answer, Listing
    from provision.aisa.catalogue import Catalogue
    from provision.aisa.client import Client
    from provision.aisa.journal import Journal
    from provision.aisa.results import Subject
    from provision.detect.secret import Secret
    from provision.fleet.desired import ApiMode

KEY_RATE = 1.0  # a free key's limit is 60 requests a minute
KEY_BURST = 10
_STOP_WINDOW = 20
_STOP_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask and how fast. `rate` bounds all requests together, per second."""

    probes: tuple[Probe, ...] = (Probe.KEY, Probe.MODELS)
    concurrency: int = 8
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch ended. Results are in the journal."""

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
    """All users of one key at one gateway, by what they ask of it."""

    root: str
    key: Secret
    fingerprint: str
    users: dict[tuple[str, ApiMode], list[int]] = field(default_factory=dict)
    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(KEY_RATE, KEY_BURST))


@dataclass(slots=True)
class _Health:
    """Whether a gateway's host can be reached at all: the last verdicts there, and whether anything ever answered."""

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
        """Whether the network is at fault: given up, or of at least three nobody got through."""
        return self.dead or (not self.answered and len(self.recent) >= 3)

    @property
    def hopeless(self) -> bool:
        """Nothing has answered yet and several have failed: asking each three times would only take longer."""
        return not self.answered and len(self.recent) >= 5


def paid_calls(subjects: Sequence[Subject], probes: Sequence[Probe]) -> int:
    """How many paid calls these probes make if nothing fails: one for each distinct key, model, mode and base URL."""
    if Probe.CHAT not in probes:
        return 0
    return len({s.question() for s in subjects if s.key is not None and s.url_mistake is None})


class Batch:
    """One run. `observe` is called with each result as it arrives; `chance` gives random numbers in [0, 1)."""

    def __init__(
        self,
        client: Client,
        plan: Plan,
        *,
        catalogue: Catalogue,
        journal: Journal,
        chance: Callable[[], float],
        observe: Callable[[Result], None] = lambda _: None,
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
        self._routes = Routes()
        self._subjects: Sequence[Subject] = ()
        self._requests = self._paid = self._asked = 0

    async def run(self, subjects: Sequence[Subject]) -> Outcome:
        """Ask about all subjects that the journal has no result for. Being cancelled ends the run, with an outcome."""
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
        return Outcome(
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
        """Users by key and gateway; those that cannot be asked get their result at once."""
        groups: dict[tuple[str, str], _Group] = {}
        for index in left:
            subject = self._subjects[index]
            offline = _offline(subject)
            if offline is not None or subject.key is None:
                self._settle(index, {}, offline or Judgement(Verdict.UNKNOWN))
                continue
            place = root(subject.base_url)
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
                await self._ask_group(group, health)

    async def _ask_group(self, group: _Group, health: _Health) -> None:
        shared: dict[Probe, tuple[Answer, int]] = {}
        first = next(iter(group.users))
        judged_first: dict[Probe, tuple[Judgement, Asking]] = {}
        for probe in (Probe.KEY, Probe.MODELS):
            if probe in self._plan.probes:
                shared[probe] = await self._ask(group, probe, *first)
                judged_first[probe] = self._judged(group, probe, *first, shared)
                if judged_first[probe][0].verdict in {Verdict.KEY_INVALID, Verdict.UNREACHABLE}:
                    break
        for (model, mode), users in group.users.items():
            if health.dead:
                return
            judged = judged_first
            if (model, mode) != first:
                judged = {p: self._judged(group, p, model, mode, shared) for p in shared}
            if Probe.CHAT in self._plan.probes and self._worth_a_call(judged, model):
                judged[Probe.CHAT] = await self._call(group, model, mode)
            verdict = combine({p: j for p, (j, _) in judged.items()})
            health.note(verdict.verdict)
            if Probe.CHAT in judged and verdict.verdict is Verdict.UPSTREAM_ERROR and verdict.http_status == 502:
                live = shared[Probe.MODELS][0].listing() if Probe.MODELS in shared else None
                verdict = await self._compared(group, (model, mode), verdict, live)
            for index in users:
                self._settle(index, judged, verdict)

    def _asked_about(self, group: _Group, model: str, mode: ApiMode) -> Asked:
        base_url = group.root if mode == "anthropic_messages" else f"{group.root}/v1"
        return Asked(model, mode, base_url, self._catalogue)

    def _judged(
        self, group: _Group, probe: Probe, model: str, mode: ApiMode, shared: dict[Probe, tuple[Answer, int]]
    ) -> tuple[Judgement, Asking]:
        answer, tries = shared[probe]
        judged = judge_answer(probe, answer, self._asked_about(group, model, mode))
        return judged, Asking(probe, judged.verdict, judged.http_status, judged.code, tries, answer.elapsed_ms)

    def _worth_a_call(self, judged: dict[Probe, tuple[Judgement, Asking]], model: str) -> bool:
        """No money for a call that cannot work: a refused key, a dead network, a wrong URL, a model that draws."""
        hopeless = {Verdict.KEY_INVALID, Verdict.UNREACHABLE, Verdict.MODEL_UNSUITABLE}
        if any(j.verdict in hopeless for j, _ in judged.values()):
            return False
        listed = judged.get(Probe.MODELS)
        if listed is not None and listed[0].verdict is Verdict.BASE_URL_WRONG:
            return False
        found = self._catalogue.classify(model)
        if listed is None and found.suitable is False:
            unsuitable = Judgement(Verdict.MODEL_UNSUITABLE, advice.unsuitable(model, found.kind))
            judged[Probe.MODELS] = (unsuitable, Asking(Probe.MODELS, unsuitable.verdict, None, "", 0, 0))
            return False
        return True

    async def _call(self, group: _Group, model: str, mode: ApiMode) -> tuple[Judgement, Asking]:
        question = digest(group.fingerprint, group.root, model, mode, Probe.CHAT)
        known = self._journal.paid(question)
        if known is not None:
            return known
        answer, tries = await self._ask(group, Probe.CHAT, model, mode)
        judged, asking = self._judged(group, Probe.CHAT, model, mode, {Probe.CHAT: (answer, tries)})
        if tries > 1:
            judged = replace(judged, advice=f"{judged.advice} (called {tries} times)")
        if judged.verdict is not Verdict.UNREACHABLE:
            self._journal.note_paid(question, judged, asking)
        if judged.verdict is Verdict.OK:
            self._routes.works(group.root, mode, model)
        return judged, asking

    async def _compared(
        self, group: _Group, about: tuple[str, ApiMode], judged: Judgement, live: Listing | None
    ) -> Judgement:
        """After a call's 502: ask a model that is known to be good once, to tell a failing route from a failing gateway."""
        model, mode = about
        route = self._routes.failing_route(group.root, self._asked_about(group, model, mode).base_url, model, mode)
        route.users += len(group.users[about])
        async with route.lock:
            if not route.compared:
                other = self._routes.candidate(group.root, mode, model, self._catalogue, live)
                if other is not None and (await self._call(group, other, mode))[0].verdict is Verdict.OK:
                    route.working = other
                route.compared = True
        working = (route.working,) if route.working else ()
        return replace(judged, advice=advice.failing_route(model, route.working), suggestions=working)

    async def _ask(self, group: _Group, probe: Probe, model: str, mode: ApiMode) -> tuple[Answer, int]:
        request = request_for(probe, group.root, model, mode)
        tries = 0
        while True:
            await self._pace(group)
            async with self._open:
                self._requests += 1
                self._paid += request.paid
                answer = await self._client.ask(request, group.key)
            tries += 1
            if answer.status is None and self._health[group.root].hopeless:
                return answer, tries
            now = dt.datetime.now(dt.UTC)
            wait_s = wait_before_retry(answer, tries, paid=request.paid, now=now, chance=self._chance())
            if wait_s is None:
                return answer, tries
            await asyncio.sleep(wait_s)

    async def _pace(self, group: _Group) -> None:
        now = time.monotonic()
        wait_s = max(group.bucket.take(now), self._bucket.take(now))
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def _settle(self, index: int, judged: dict[Probe, tuple[Judgement, Asking]], verdict: Judgement) -> None:
        """Journal and report one user's result."""
        subject = self._subjects[index]
        askings = tuple(asking for _, asking in judged.values())
        same = (a for a in reversed(askings) if (a.http_status, a.verdict) == (verdict.http_status, verdict.verdict))
        deciding = next(same, askings[-1] if askings else None)
        secret = subject.key.reveal() if subject.key else ""
        result = Result(
            user=subject.user,
            profile=subject.profile,
            model=subject.model,
            api_mode=subject.mode,
            base_url=subject.base_url,
            key_fingerprint=subject.fingerprint,
            verdict=verdict.verdict,
            http_status=verdict.http_status,
            code=_without(verdict.code, secret),
            request_id=_without(verdict.request_id, secret),
            attempts=deciding.attempts if deciding else 0,
            elapsed_ms=deciding.elapsed_ms if deciding else 0,
            advice=_without(verdict.advice, secret),
            suggestions=tuple(_without(s, secret) for s in verdict.suggestions),
            probes=tuple(replace(a, code=_without(a.code, secret)) for a in askings),
        )
        self._journal.note_result(index, subject, result)
        self._asked += 1
        self._observe(result)


def _without(text: str, secret: str) -> str:
    """`text` with the key masked, in either case, should a server have echoed it into what we show."""
    if not secret or secret.lower() not in text.lower():
        return text
    at = text.lower().index(secret.lower())
    return _without(text[:at] + "****" + text[at + len(secret) :], secret)


def _offline(subject: Subject) -> Judgement | None:
    """The verdict of a user that need not be asked about."""
    if subject.url_mistake is not None:
        message, suggested = subject.url_mistake
        return Judgement(Verdict.BASE_URL_WRONG, message, code="not_asked", suggestions=(suggested,))
    if subject.key is None:
        return Judgement(Verdict.UNKNOWN, subject.key_problem or advice.NO_KEY, code="no_key")
    return None
