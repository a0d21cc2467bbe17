"""Failing routes apart from failing users: which model answers 502 in which mode, and which one answers beside it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.aisa.results import FailingRoute
from provision.aisa.verdicts import Verdict

if TYPE_CHECKING:
    from provision.aisa.answers import Listing
    from provision.aisa.catalogue import Catalogue
    from provision.fleet.desired import ApiMode


@dataclass(slots=True)
class Route:
    """One failing route, being compared with a working one under `lock`, once."""

    base_url: str
    model: str
    mode: ApiMode
    users: int = 0
    compared: bool = False
    working: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Routes:
    """What the run has learnt about routes."""

    def __init__(self) -> None:
        self._failing: dict[tuple[str, str, str], Route] = {}
        self._working: dict[tuple[str, str], str] = {}

    def works(self, root: str, mode: ApiMode, model: str) -> None:
        """A call was answered."""
        self._working.setdefault((root, mode), model)

    def failing_route(self, root: str, base_url: str, model: str, mode: ApiMode) -> Route:
        """The entry of a route that answered 502."""
        return self._failing.setdefault((root, model, mode), Route(base_url, model, mode))

    def candidate(self, root: str, mode: ApiMode, model: str, catalogue: Catalogue, live: Listing | None) -> str | None:
        """A model to compare with: one that worked in this run, else a listed one that the catalogue has for this mode."""
        proven = self._working.get((root, mode))
        if proven is not None and proven != model:
            return proven
        failing = {m for r, m, _ in self._failing if r == root}
        served = (m.id for m in catalogue.serving(mode) if live is None or m.id in live.models)
        return next((m for m in served if m not in failing), None)

    def failing(self) -> tuple[FailingRoute, ...]:
        """All failing routes, worst first."""
        routes = sorted(self._failing.values(), key=lambda r: (-r.users, r.model))
        return tuple(
            FailingRoute(r.model, r.mode, r.base_url, Verdict.UPSTREAM_ERROR, r.users, r.working) for r in routes
        )
