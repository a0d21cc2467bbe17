"""A rotation in memory: a real vault and real entries, no disk and no gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import keysmith

from provision.aisa.answers import GatewayAnswer
from provision.aisa.catalogue import builtin
from provision.aisa.client import Client, Request
from provision.aisa.verdicts import ProbedRoute
from provision.detect.secret import Secret
from provision.fleet.desired import ApiMode
from provision.keys.vault.ledger import Stage
from provision.keys.vault.vault import Vault
from provision.rotate.context import RotationContext
from provision.rotate.journal import Journal
from provision.rotate.model import RotationKind, RotationUser, Terms
from provision.rotate.probes import GatewayRoute, KeyProber
from provision.rotate.recorder import Recorder
from provision.rotate.rotation import event_entries, plan_entries, replay
from provision.rotate.states import Course, RotationEvent, State

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROUTE = GatewayRoute(
    "http://127.0.0.1", ProbedRoute("gpt-5.2", ApiMode.CHAT_COMPLETIONS, "http://127.0.0.1/v1", builtin())
)
BALANCE = b'{"balance_micros_usd": 5000000}'
ACCEPTED = GatewayAnswer(200, body=BALANCE)
REFUSED = GatewayAnswer(401, body=b'{"error": {"code": "revoked_api_key"}}')

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class FakeClient:
    """Answers by key; `paths` has what was asked."""

    answers: Mapping[str, GatewayAnswer]
    paths: list[str] = field(default_factory=list)

    async def send(self, request: Request, key: Secret | None) -> GatewayAnswer:
        self.paths.append(request.url.removeprefix(ROUTE.root).partition("?")[0])
        return self.answers[key.reveal()] if key else GatewayAnswer(401)


def prober(**answers: GatewayAnswer) -> KeyProber:
    """A prober whose gateway gives these answers by key."""
    return KeyProber(cast(Client, FakeClient(answers)), lambda: 0.5)


def probe_all_with(**answers: GatewayAnswer) -> Callable[..., list[Any]]:
    """Takes the place of `probes.probe_all`."""

    def probe_all(
        items: Iterable[T], work: Callable[[KeyProber, T], Awaitable[R]], sink: Callable[[T, R], None], _access: object
    ) -> list[T]:
        async def one(item: T) -> R:
            return await work(prober(**answers), item)

        for item in items:
            sink(item, asyncio.run(one(item)))
        return []

    return probe_all


@dataclass
class MemoryJournal:
    entries: list[dict[str, Any]] = field(default_factory=list)

    def append(self, entries: Iterable[dict[str, Any]]) -> None:
        self.entries += entries


@dataclass
class MemoryContext:
    """What a recorder needs of a RotationContext."""

    vault: Vault
    events: list[tuple[str, str, str, Any]] = field(default_factory=list)
    time: datetime = NOW
    gateway: object = None
    edits: list[str] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.time

    def key(self, user: str, fingerprint: str) -> Secret | None:
        known = self.vault.version_of(user, fingerprint)
        return self.vault.value(user, known.version) if known else None

    def route(self, _user: str) -> GatewayRoute:
        return ROUTE

    @contextlib.contextmanager
    def editing(self, doing: str) -> Iterator[Vault]:
        self.edits.append(doing)
        yield self.vault

    def record(self, events: Iterable[tuple[str, str, str, Any]]) -> None:
        self.events += events


def vault_with(*users: str, stage: Stage = Stage.PENDING) -> Vault:
    """A vault where each user has the current key `old-USER` and the new key `new-USER` in `stage`."""
    made = keysmith.vault(**{user: f"old-{user}" for user in users})
    for user in users:
        made.add(user, Secret(f"new-{user}"), now=NOW, stage=stage)
    return made


def rotating(
    vault: Vault,
    *users: str,
    kind: RotationKind = RotationKind.SCHEDULED,
    course: Course = Course.SCHEDULED,
    **terms: Any,
) -> Recorder:
    """A recorder of a rotation from the keys `old-USER` to `new-USER`, in its first state."""
    given = Terms("2026-06-01-01", kind, "ada@desk", NOW, vault.workspace_id, **terms)
    members = [
        RotationUser(
            user,
            "team",
            0,
            course,
            vault.fingerprint(Secret(f"new-{user}")) if course is Course.SCHEDULED else "",
            vault.fingerprint(Secret(f"old-{user}")),
            State.PLANNED if course is Course.SCHEDULED else State.EXPOSED,
            NOW,
            NOW,
        )
        for user in users
    ]
    rotation = replay(iter([given.entry(1), *plan_entries(members, given)]), Path("journal"))
    assert rotation is not None
    return Recorder(cast(RotationContext, MemoryContext(vault)), rotation, cast(Journal, MemoryJournal()))


def advance(recorder: Recorder, *events: RotationEvent) -> Recorder:
    """Move all users through these events."""
    for event in events:
        users: Any = list(recorder.rotation.people)
        more = {"idle": "yes"} if event is RotationEvent.LISTED else {}
        users = dict.fromkeys(users, 7) if event is RotationEvent.BUILT else users
        recorder.write(event_entries(event, users, NOW, **more))
    return recorder


def entries(recorder: Recorder) -> list[dict[str, Any]]:
    """What the recorder wrote to its journal."""
    return cast(MemoryJournal, recorder._journal).entries


def context(recorder: Recorder) -> MemoryContext:
    """The recorder's context, as it is here."""
    return cast(MemoryContext, recorder.context)
