"""Where a fleet stands, as a pure fold over what should be, what was rendered, what endpoints certified, and the time.

Nobody's word is taken for more than it is: a user who was never heard of is `never heard`, not `behind`; a route that could
not be resolved is `cannot tell`, not wrong. A user may deserve several of these at once; only who deserves none is
`current`. Items stream through, so a fleet's size costs no memory here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime, timedelta

    from provision.bundle.peek import Released
    from provision.fleet.desired import DesiredState
    from provision.receipts.receipt import Receipt
    from provision.receipts.store import KnownEndpoints, ReceiptStore


class Standing(StrEnum):
    """What keeps an endpoint from being current, worst first; `docs/receipts.md` says what to do about each."""

    NEVER = "never heard"
    UNBELIEVED = "not believed"
    OTHER = "other bundle"
    MISROUTED = "misrouted"
    HAZARDS = "hazards"
    BEHIND = "behind"
    NOT_RENDERED = "not rendered"
    EXPIRED = "expired"
    DRIFTED = "drifted"
    UNKNOWN_ROUTE = "cannot tell"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class UnverifiedReceipt:
    """The kept receipt does not verify any more, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class EndpointStanding:
    """One user's endpoint as far as it is known."""

    user: str
    profile: str
    standings: tuple[Standing, ...]
    released: Released | None
    receipt: Receipt | None
    remark: str = ""

    @property
    def current(self) -> bool:
        """Whether it certified exactly what dist/ holds, recently, with nothing in the way."""
        return not self.standings


def verified_receipts(
    store: ReceiptStore, endpoints: KnownEndpoints
) -> Callable[[str], Receipt | UnverifiedReceipt | None]:
    """Look up a user's kept receipt; one that fails verification is returned as Unbelieved."""

    def receipt_of(user: str) -> Receipt | UnverifiedReceipt | None:
        try:
            return store.receipt_of(user, endpoints)
        except ProvisionError as e:
            return UnverifiedReceipt(e.message)

    return receipt_of


def fleet_standing(
    states: Iterable[DesiredState],
    released: Callable[[str], Released | None],
    receipts: Callable[[str], Receipt | UnverifiedReceipt | None],
    *,
    now: datetime,
    silent_after: timedelta,
) -> Iterator[EndpointStanding]:
    """Each user's standing, in the order of `states`; `released` and `receipts` are asked once per user."""
    for state in states:
        yield standing(
            state.user,
            state.profile.name,
            released(state.user),
            receipts(state.user),
            now=now,
            silent_after=silent_after,
        )


def standing(
    user: str,
    profile: str,
    released: Released | None,
    receipt: Receipt | UnverifiedReceipt | None,
    *,
    now: datetime,
    silent_after: timedelta,
) -> EndpointStanding:
    """One user's standing. Pure."""
    if receipt is None or isinstance(receipt, UnverifiedReceipt):
        first = Standing.NEVER if receipt is None else Standing.UNBELIEVED
        remark = receipt.why if receipt else ""
        bare = (first,) if released else (first, Standing.NOT_RENDERED)
        return EndpointStanding(user, profile, bare, released, None, remark)
    found = set(_against_release(released, receipt))
    if receipt.route.as_expected == "no":
        found.add(Standing.MISROUTED)
    elif receipt.route.as_expected == "cannot tell":
        found.add(Standing.UNKNOWN_ROUTE)
    if receipt.dangers:
        found.add(Standing.HAZARDS)
    if receipt.drift:
        found.add(Standing.DRIFTED)
    if now - receipt.made_at >= silent_after:
        found.add(Standing.SILENT)
    if receipt.expires <= f"{now:%Y-%m-%dT%H:%M:%SZ}":
        found.add(Standing.EXPIRED)
    ordered = tuple(each for each in Standing if each in found)
    return EndpointStanding(user, profile, ordered, released, receipt, _remark(receipt, released))


def _against_release(released: Released | None, receipt: Receipt) -> Iterator[Standing]:
    if released is None:
        yield Standing.NOT_RENDERED
    elif receipt.generation < released.generation:
        yield Standing.BEHIND
    elif receipt.generation > released.generation or receipt.bundle != released.digest:
        yield Standing.OTHER


def _remark(receipt: Receipt, released: Released | None) -> str:
    parts = []
    if receipt.route.as_expected == "no":
        parts.append(f"sends to {receipt.route.url or 'nowhere'}, model {receipt.route.model or 'none'}")
    parts += receipt.dangers
    parts += [f"{d.file}: {d.what}" if d.file else d.what for d in receipt.drift[:2]]
    if released is not None and receipt.generation > released.generation:
        parts.append("installed from a newer dist/ than this one")
    return "; ".join(parts)


class StandingCounts:
    """Counts standings as endpoints stream past."""

    def __init__(self) -> None:
        self.users = 0
        self.current = 0
        self._counts: Counter[Standing] = Counter()

    def add(self, endpoint: EndpointStanding) -> EndpointStanding:
        """Count one endpoint, and hand it on."""
        self.users += 1
        self.current += endpoint.current
        self._counts.update(endpoint.standings)
        return endpoint

    def by_name(self) -> dict[str, int]:
        """How many are current, and how many deserve each other word; words that fit nobody are left out."""
        return {
            "users": self.users,
            "current": self.current,
            **{s.value: self._counts[s] for s in Standing if self._counts[s]},
        }
