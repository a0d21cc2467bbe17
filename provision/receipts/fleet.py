"""The standing of each endpoint, from the inventory, `dist/`, the receipts and the time. Pure.

Unknown is not wrong: a user without a receipt is `never heard`, not `behind`, and an unresolved route is `unknown route`, not
`misrouted`. An endpoint may have several standings; one without any is `current`. Endpoints are processed one by one, so
memory does not grow with the fleet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.fleet.desired import machine_label
from provision.fleet.version_range import is_in_range, parse_version
from provision.receipts.receipt import UNKNOWN_TO_IT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Set
    from datetime import datetime, timedelta

    from provision.bundle.peek import Released
    from provision.fleet.desired import DesiredState
    from provision.receipts.receipt import Receipt
    from provision.receipts.store import KnownEndpoints, ReceiptStore


UNKNOWN_VERSION = "unknown"
"""For an endpoint whose receipt names no version of Hermes."""
NO_LIST = "none"
"""For an endpoint whose receipt names no trust list."""


class Standing(StrEnum):
    """A reason why an endpoint is not current, worst first; `docs/receipts.md` describes the fix for each."""

    NEVER = "never heard"
    UNBELIEVED = "not believed"
    OTHER = "other bundle"
    MISROUTED = "misrouted"
    LEAVES = "sends elsewhere"
    HAZARDS = "hazards"
    BEHIND = "behind"
    NOT_RENDERED = "not rendered"
    EXPIRED = "expired"
    DRIFTED = "drifted"
    UNKNOWN_ROUTE = "unknown route"
    UNKNOWN_DESTINATION = "unknown destination"
    OTHER_HERMES = "other Hermes version"
    UNVERIFIED = "unverified Hermes"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class UnverifiedReceipt:
    """The stored receipt fails verification, with the reason."""

    why: str


@dataclass(frozen=True, slots=True)
class EndpointStanding:
    """The standing of one endpoint: a user's only machine, or the one named `machine`."""

    user: str
    profile: str
    standings: tuple[Standing, ...]
    released: Released | None
    receipt: Receipt | None
    remark: str = ""
    machine: str | None = None

    @property
    def label(self) -> str:
        """How messages call this endpoint."""
        return machine_label(self.user, self.machine)

    @property
    def current(self) -> bool:
        """Whether a recent receipt certifies the bundle in dist/, without any problem."""
        return not self.standings

    @property
    def verified(self) -> bool:
        """Whether the receipt's verdict is that of a verified version of Hermes. An older receipt does not say."""
        return self.receipt is not None and self.receipt.hermes_verified is True


def verified_receipts(
    store: ReceiptStore, endpoints: KnownEndpoints
) -> Callable[[str], Receipt | UnverifiedReceipt | None]:
    """Look up an endpoint's kept receipt; one that fails verification is returned as Unbelieved."""

    def receipt_of(endpoint: str) -> Receipt | UnverifiedReceipt | None:
        try:
            return store.receipt_of(endpoint, endpoints)
        except ProvisionError as e:
            return UnverifiedReceipt(e.message)

    return receipt_of


def fleet_standings(
    states: Iterable[DesiredState],
    released: Callable[[str], Released | None],
    receipts: Callable[[str], Receipt | UnverifiedReceipt | None],
    *,
    now: datetime,
    silent_after: timedelta,
    require_verified: bool = False,
) -> Iterator[EndpointStanding]:
    """Yield the standing of each machine of the users in `states`; `receipts` is called once per machine.

    `require_verified`: a verdict for an unverified version of Hermes is not enough.
    """
    for state in states:
        bundle = released(state.user)
        for machine in state.machines:
            found = endpoint_standing(
                state.user,
                state.profile.name,
                bundle,
                receipts(machine_label(state.user, machine.name)),
                now=now,
                silent_after=silent_after,
                hermes_version=state.profile.hermes_version,
                require_verified=require_verified,
            )
            yield replace(found, machine=machine.name) if machine.name else found


def endpoint_standing(
    user: str,
    profile: str,
    released: Released | None,
    receipt: Receipt | UnverifiedReceipt | None,
    *,
    now: datetime,
    silent_after: timedelta,
    hermes_version: str | None = None,
    require_verified: bool = False,
) -> EndpointStanding:
    """The standing of one user. Pure. `hermes_version` is the range of the profile."""
    if receipt is None or isinstance(receipt, UnverifiedReceipt):
        first = Standing.NEVER if receipt is None else Standing.UNBELIEVED
        remark = receipt.why if receipt else ""
        bare = (first,) if released else (first, Standing.NOT_RENDERED)
        return EndpointStanding(user, profile, bare, released, None, remark)
    found = set(_against_release(released, receipt))
    if receipt.route.as_expected == "no":
        found.add(Standing.MISROUTED)
    elif receipt.route.as_expected == "unknown":
        found.add(Standing.UNKNOWN_ROUTE)
    if receipt.dangers:
        found.add(Standing.HAZARDS)
    if receipt.destinations and receipt.destinations.problem:
        found.add(Standing.LEAVES)
    if receipt.destinations and receipt.destinations.unknown:
        found.add(Standing.UNKNOWN_DESTINATION)
    if receipt.drift:
        found.add(Standing.DRIFTED)
    if hermes_version and receipt.hermes_version and is_in_range(receipt.hermes_version, hermes_version) is False:
        found.add(Standing.OTHER_HERMES)
    if require_verified and receipt.hermes_verified is not True:
        found.add(Standing.UNVERIFIED)
    if now - receipt.made_at >= silent_after:
        found.add(Standing.SILENT)
    if receipt.expires <= f"{now:%Y-%m-%dT%H:%M:%SZ}":
        found.add(Standing.EXPIRED)
    ordered = tuple(each for each in Standing if each in found)
    return EndpointStanding(user, profile, ordered, released, receipt, _remark(receipt, released, found))


def _against_release(released: Released | None, receipt: Receipt) -> Iterator[Standing]:
    if released is None:
        yield Standing.NOT_RENDERED
    elif receipt.generation < released.generation:
        yield Standing.BEHIND
    elif receipt.generation > released.generation or receipt.bundle != released.digest:
        yield Standing.OTHER


def _remark(receipt: Receipt, released: Released | None, found: Set[Standing]) -> str:
    parts = []
    if receipt.route.as_expected == "no":
        parts.append(f"sends to {receipt.route.url or 'nowhere'}, model {receipt.route.model or 'none'}")
    if receipt.destinations and (worst := receipt.destinations.worst):
        parts.append(f"{' and '.join(worst.sends) or 'something'} to {worst.host}")
    parts += receipt.dangers
    if {Standing.OTHER_HERMES, Standing.UNVERIFIED} & found:
        parts.append(f"Hermes {receipt.hermes_version or 'of an unknown version'}")
    parts += [f"{d.file}: {d.what}" if d.file else d.what for d in receipt.drift[:2]]
    if released is not None and receipt.generation > released.generation:
        parts.append("installed from a newer dist/ than this one")
    return "; ".join(parts)


def _list_order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split("-"))) if number != NO_LIST else ()


POLICY_HAZARD = "policy-"


class StandingCounts:
    """Counts standings, one endpoint at a time."""

    def __init__(self, newest_list: str | None = None) -> None:
        self.newest_list = newest_list
        """The number of the workspace's trust list; None without one."""
        self.users = 0
        self.current = 0
        self.unverified = 0
        """Current endpoints whose verdict is for an unverified version of Hermes: right as far as known."""
        self.noun = "user"
        """What is counted: users, or machines once a user has a named one."""
        self._counts: Counter[Standing] = Counter()
        self._versions: Counter[str] = Counter()
        self._lists: Counter[str] = Counter()
        self.guardrails: Counter[str] = Counter()
        """How many endpoints reported each hazard of the policy (`policy-approvals`): a rule that is not in force there."""
        self.unknown_to_it: Counter[str] = Counter()
        """How many endpoints have what their policy does not name: `MCP server unknown to IT: git (git-mcp)`."""

    def add(self, endpoint: EndpointStanding) -> EndpointStanding:
        """Count one endpoint and return it."""
        self.users += 1
        self.noun = "machine" if endpoint.machine else self.noun
        self.current += endpoint.current
        self.unverified += endpoint.current and not endpoint.verified
        self._counts.update(endpoint.standings)
        if endpoint.receipt:
            self._versions[endpoint.receipt.hermes_version or UNKNOWN_VERSION] += 1
            self._lists[endpoint.receipt.trust or NO_LIST] += 1
            summary = endpoint.receipt.policy.summary if endpoint.receipt.policy else ""
            self.unknown_to_it.update(part for part in summary.split("; ") if UNKNOWN_TO_IT in part)
            self.guardrails.update(h.id for h in endpoint.receipt.hazards if h.id.startswith(POLICY_HAZARD))
        return endpoint

    @property
    def versions(self) -> Mapping[str, int]:
        """How many endpoints have each version of Hermes, the newest first; those without a receipt are not counted."""
        ordered = sorted(self._versions, key=lambda version: parse_version(version) or (), reverse=True)
        return {version: self._versions[version] for version in ordered}

    @property
    def lists(self) -> Mapping[str, int]:
        """How many endpoints reported each trust list, the newest first; empty in a workspace without one."""
        if self.newest_list is None:
            return {}
        return {number: self._lists[number] for number in sorted(self._lists, key=_list_order, reverse=True)}

    def by_name(self) -> dict[str, int]:
        """The number of users, of current ones, of these with an unverified Hermes, and of users with each standing.

        Zero counts of the last two are left out.
        """
        return {
            "users": self.users,
            "current": self.current,
            **({"unverified": self.unverified} if self.unverified else {}),
            **{s.value: self._counts[s] for s in Standing if self._counts[s]},
        }
