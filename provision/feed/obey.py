"""Follow the order that came for this endpoint, by feed or pushed: fetch, verify, call the function of its kind, remember it.

`OrderHandlers` is the table of what this machine can do: order kind -> function. A function must be idempotent, because a kill
after it and before the order is remembered repeats it; when it raises, the order is tried again at the next pull. It returns one
line about what was done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.endpoint.obeyed_order import ObeyedOrder, read_obeyed, write_obeyed
from provision.signing.fields import moment
from provision.trust.orders import (
    ExpiredOrderError,
    Order,
    OrderRefusedError,
    RepeatedOrderError,
    accept_order,
    order_signer,
    read_order,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provision.endpoint.trust_store import TrustInForce

OrderHandlers = Mapping[str, Callable[[Order], str]]


@dataclass(frozen=True, slots=True)
class Followed:
    """The last order obeyed, and what happened now: `done` is what was done for a new one, `note` why one was not obeyed."""

    last: ObeyedOrder | None = None
    done: str = ""
    note: str = ""

    def keeps_bundles_away(self, now: datetime) -> bool:
        """Whether an order is in force under which nothing is installed."""
        return self.last is not None and self.last.in_force(now)


@dataclass(frozen=True, slots=True)
class OrderFollower:
    """This machine as orders see it: its workspace and names (an order is remembered under the first), the configuration folder
    that keeps the last order, whose signatures count, and what it does for an order of each kind."""

    workspace_id: str
    endpoints: tuple[str, ...]
    folder: Path
    force: TrustInForce
    handlers: OrderHandlers
    now: datetime

    def follow(self, digest: str | None, fetch: Callable[[str], bytes], *, dry_run: bool = False) -> Followed:
        """Obey the order with this digest, once. `fetch` gets its bytes. Raises OrderRefusedError and what its handler raises."""
        last = self._last()
        if digest is None or (last is not None and last.digest == digest):
            return Followed(last)
        data = fetch(digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise OrderRefusedError(
                "the order is not the one that the feed's index lists", hint="try again later; then report it to IT"
            )
        try:
            order = accept_order(
                data,
                self.force.signers,
                self.now,
                workspace_id=self.workspace_id,
                endpoints=self.endpoints,
                last=last.count if last is not None else 0,
            )
        except ExpiredOrderError as e:
            return Followed(last, note=e.message)
        except RepeatedOrderError:
            if last is None or not self._by_another_way(data, last):
                raise
            if not dry_run:
                write_obeyed(self.folder, last.model_copy(update={"digest": digest}))
            return Followed(last)
        if order.kind not in self.handlers:
            raise OrderRefusedError(
                f"this version of provision cannot obey the order to {order.kind}",
                hint="update provision on this machine",
            )
        obeyed = self._obeyed(order, data, digest)
        if dry_run:
            return Followed(obeyed, done=f"would obey the order to {order.kind}: {order.reason}")
        done = self.handlers[order.kind](order)
        write_obeyed(self.folder, obeyed)
        return Followed(obeyed, done=done)

    def _last(self) -> ObeyedOrder | None:
        found = read_obeyed(self.folder)
        if found is None or found.workspace != self.workspace_id or found.endpoint not in self.endpoints:
            return None
        return found.under(self.force.trust)

    def _by_another_way(self, data: bytes, last: ObeyedOrder) -> bool:
        """Whether this is the order obeyed last, signed for another name of this machine: by feed and pushed."""
        order = read_order(data, self.force.signers, self.now)
        return (order.count, order.kind, order.reason, order.expires) == (
            last.count,
            last.kind,
            last.reason,
            last.expires,
        )

    def _obeyed(self, order: Order, data: bytes, digest: str) -> ObeyedOrder:
        return ObeyedOrder(
            workspace=order.workspace,
            endpoint=self.endpoints[0],
            kind=order.kind,
            count=order.count,
            digest=digest,
            reason=order.reason,
            expires=order.expires,
            obeyed=moment(self.now),
            signer=order_signer(data),
            trust=self.force.trust.number if self.force.trust else None,
        )
