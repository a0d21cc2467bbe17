"""Give orders to endpoints: sign them, keep them in the workspace (`orders/USER.order`), and let `publish` carry them.

The newest order of a user is the only one: it takes the place of the one before. Who publishes needs no right to give orders, so
a nightly job can carry what an operator signed. An order that no machine would obey is named and not carried.

    given = give_orders(workspace, "uninstall", ["ada"], reason="left", life=timedelta(days=90), now=now)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.feed.index import address_of, endpoint_id
from provision.files import read_optional
from provision.keys.age import load_identities
from provision.keys.events.log import Event, operator
from provision.keys.feed_secret import FILE, feed_secret
from provision.keys.vault.file import read_workspace_id
from provision.keys.vault.together import write_recorded
from provision.operators.act import NoTrustListError
from provision.signing.fields import moment
from provision.signing.signed_text import max_signed_bytes
from provision.signing.sshsig import load_signing_key
from provision.trust.orders import (
    MAX_ORDER_BYTES,
    ExpiredOrderError,
    Order,
    accept_order,
    read_order,
    sign_order,
)
from provision.trust.trust_list import Role
from provision.trust.workspace import workspace_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from provision.fleet.workspace import Workspace
    from provision.signing.allowed_signers import AllowedSigner
    from provision.trust.orders import OrderKind

FOLDER = "orders"
SUFFIX = ".order"
GIVEN = "order given"


@dataclass(frozen=True, slots=True)
class CarriedOrder:
    """A user's order as it is published: its signed bytes and their digest."""

    user: str
    address: str
    data: bytes
    digest: str


def give_orders(
    workspace: Workspace,
    kind: OrderKind,
    users: Sequence[str],
    *,
    reason: str,
    life: timedelta,
    now: datetime,
    dry_run: bool = False,
) -> tuple[Order, ...]:
    """Sign an order for each user with this operator's key, record them in the event log, and keep them in `orders/`: all
    of them or none.

    It takes effect with the next `publish`. `life`: how long machines may still obey it. Raises NoTrustListError,
    MayNotSignError and BadFeedSecretError before anything is written.
    """
    workspace_id = read_workspace_id(workspace.vault)
    trusted = workspace_trust(workspace, workspace_id, now)
    if trusted.current is None:
        raise NoTrustListError(
            "this workspace has no trust list, so no key may give orders", hint="provision operators upgrade"
        )
    key = load_signing_key(workspace.signing_key)
    trusted.require_may_sign(key, Role.ORDER, now, workspace.signing_key)
    secret = feed_secret(workspace.root / FILE, (), load_identities(workspace.identity), create=False)
    given = []
    for user in users:
        last = _last_count(workspace.root, user, trusted.signers, now)
        order = Order(
            workspace=workspace_id,
            endpoint=endpoint_id(address_of(secret, user)),
            kind=kind,
            count=max(last + 1, int(now.timestamp())),
            created=moment(now),
            expires=moment(now + life),
            reason=reason,
        )
        given.append((user, order, sign_order(order, key)))
    if not dry_run:
        who = operator()
        events = [
            Event(now, who, GIVEN, user, detail={"kind": kind, "count": order.count, "reason": reason})
            for user, order, _ in given
        ]
        files = {f"{FOLDER}/{user}{SUFFIX}": data for user, _, data in given}
        write_recorded(workspace.vault, workspace.root, files, events, f"order to {kind}")
    return tuple(order for _, order, _ in given)


def given_orders(root: Path) -> Mapping[str, bytes]:
    """The orders in a workspace, by user, unverified."""
    folder = root / FOLDER
    paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    found = {path.name.removesuffix(SUFFIX): read_optional(path, _MAX_BYTES) for path in paths}
    return {user: data for user, data in found.items() if data is not None}


def carried_orders(
    orders: Mapping[str, bytes], secret: bytes, workspace_id: str, signers: Sequence[AllowedSigner], now: datetime
) -> Iterator[CarriedOrder | tuple[str, ProvisionError]]:
    """Yield the orders that machines would obey now, user and error for one that they would refuse. Expired ones are skipped."""
    for user, data in orders.items():
        address = address_of(secret, user)
        try:
            accept_order(data, signers, now, workspace_id=workspace_id, endpoint=endpoint_id(address), last=0)
        except ExpiredOrderError:
            continue
        except ProvisionError as e:
            yield user, e
            continue
        yield CarriedOrder(user, address, data, hashlib.sha256(data).hexdigest())


_MAX_BYTES = max_signed_bytes(MAX_ORDER_BYTES)


def _path(root: Path, user: str) -> Path:
    return root / FOLDER / f"{user}{SUFFIX}"


def _last_count(root: Path, user: str, signers: Sequence[AllowedSigner], now: datetime) -> int:
    """The count of the user's order before; 0 without one whose signature still counts: who can push to git must not use up the
    numbers."""
    data = read_optional(_path(root, user), _MAX_BYTES)
    try:
        return read_order(data, signers, now).count if data is not None else 0
    except ProvisionError:
        return 0
