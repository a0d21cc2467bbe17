"""Track failing routes: which model answers 502 in which mode, and which model works there."""

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
class RouteComparison:
    """One failing route, and a model that works at the same gateway in the same mode."""

    base_url: str
    model: str
    mode: ApiMode
    users: int = 0
    working: str | None = None


@dataclass(slots=True)
class ComparisonTurn:
    """Whether the one paid comparison call at a gateway and in a mode was made. Hold `lock` while deciding."""

    made: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RouteComparisons:
    """The failing and the working routes of one run."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str], ComparisonTurn] = {}
        self._failing: dict[tuple[str, str, str], RouteComparison] = {}
        self._working: dict[tuple[str, str], str] = {}

    def works(self, root: str, mode: ApiMode, model: str) -> None:
        """Record a successful call."""
        self._working.setdefault((root, mode), model)

    def turn(self, root: str, mode: ApiMode) -> ComparisonTurn:
        """The comparison call of a gateway and a mode."""
        return self._turns.setdefault((root, mode), ComparisonTurn())

    def working(self, root: str, mode: ApiMode, model: str) -> str | None:
        """Another model than `model` that answered in this run."""
        proven = self._working.get((root, mode))
        return proven if proven != model else None

    def failing_route(self, root: str, base_url: str, model: str, mode: ApiMode) -> RouteComparison:
        """Return the entry of a route that answered 502, and create it if needed."""
        return self._failing.setdefault((root, model, mode), RouteComparison(base_url, model, mode))

    def candidate(self, root: str, mode: ApiMode, model: str, catalogue: Catalogue, live: Listing | None) -> str | None:
        """A model to compare with: one that worked in this run, else a listed one in the catalogue for this mode."""
        if proven := self.working(root, mode, model):
            return proven
        failing = {m for r, m, _ in self._failing if r == root}
        served = (m.id for m in catalogue.serving(mode) if live is None or m.id in live.models)
        return next((m for m in served if m not in failing), None)

    def failing(self) -> tuple[FailingRoute, ...]:
        """All failing routes, most affected users first."""
        routes = sorted(self._failing.values(), key=lambda r: (-r.users, r.model))
        return tuple(
            FailingRoute(r.model, r.mode, r.base_url, Verdict.UPSTREAM_ERROR, r.users, r.working) for r in routes
        )
