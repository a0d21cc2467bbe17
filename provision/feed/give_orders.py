"""Give orders to endpoints: sign them, keep them in the workspace (`orders/`), and let `publish` and `deploy` carry them.

`USER.order` is for the feed. `USER.push` is the same halt or resume for machines that are pushed to, signed for another name:
they need no address of a feed. Both have one number, so that a machine that gets both obeys once.

The newest order of a user is the only one: it takes the place of the one before. Who publishes needs no right to give orders, so
a nightly job can carry what an operator signed. An order that no machine would obey is named and not carried.

    given = give_orders(workspace, "uninstall", ["ada"], reason="left", life=timedelta(days=90), now=now)
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
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
    ORDERS_FOLDER,
    ExpiredOrderError,
    Order,
    accept_order,
    pushed_name,
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

SUFFIX, PUSHED_SUFFIX = ".order", ".push"
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

    It takes effect with the next `publish` or `deploy`. `life`: how long machines may still obey it. Raises NoTrustListError and
    MayNotSignError before anything is written, and BadFeedSecretError for an order to uninstall, which travels by feed only.
    """
    workspace_id = read_workspace_id(workspace.vault)
    trusted = workspace_trust(workspace, workspace_id, now)
    if trusted.current is None:
        raise NoTrustListError(
            "this workspace has no trust list, so no key may give orders", hint="provision operators upgrade"
        )
    key = load_signing_key(workspace.signing_key)
    trusted.require_may_sign(key, Role.ORDER, now, workspace.signing_key)
    pushed, secret = kind != "uninstall", None
    if not pushed or (workspace.root / FILE).exists():
        secret = feed_secret(workspace.root / FILE, (), load_identities(workspace.identity), create=False)
    given, files = [], {}
    for user in users:
        names = {PUSHED_SUFFIX: pushed_name(workspace_id, user)} if pushed else {}
        if secret is not None:
            names[SUFFIX] = endpoint_id(address_of(secret, user))
        last = _last_count(workspace.root, user, trusted.signers, now)
        order = Order(
            workspace=workspace_id,
            endpoint=next(iter(names.values())),
            kind=kind,
            count=max(last + 1, int(now.timestamp())),
            created=moment(now),
            expires=moment(now + life),
            reason=reason,
        )
        for suffix, name in names.items():
            files[f"{ORDERS_FOLDER}/{user}{suffix}"] = sign_order(order.model_copy(update={"endpoint": name}), key)
        given.append((user, order))
    if not dry_run:
        who = operator()
        events = [
            Event(now, who, GIVEN, user, detail={"kind": kind, "count": order.count, "reason": reason})
            for user, order in given
        ]
        write_recorded(workspace.vault, workspace.root, files, events, f"order to {kind}")
    return tuple(order for _, order in given)


def given_orders(root: Path, suffix: str = SUFFIX) -> Mapping[str, bytes]:
    """The orders in a workspace, by user, unverified: those for the feed, or those that are pushed."""
    folder = root / ORDERS_FOLDER
    paths = sorted(folder.glob(f"*{suffix}")) if folder.is_dir() else []
    found = {path.name.removesuffix(suffix): read_optional(path, _MAX_BYTES) for path in paths}
    return {user: data for user, data in found.items() if data is not None}


def pushed_orders(workspace: Workspace, now: datetime) -> Mapping[str, Order]:
    """The orders that machines would obey now when they are pushed to, by user. Those that they would refuse are left out."""
    workspace_id, found = read_workspace_id(workspace.vault), {}
    orders = given_orders(workspace.root, PUSHED_SUFFIX)
    signers = workspace_trust(workspace, workspace_id, now).signers if orders else ()
    for user, data in orders.items():
        names = [pushed_name(workspace_id, user)]
        with suppress(ProvisionError):
            found[user] = accept_order(data, signers, now, workspace_id=workspace_id, endpoints=names, last=0)
    return found


def carried_orders(
    orders: Mapping[str, bytes], secret: bytes, workspace_id: str, signers: Sequence[AllowedSigner], now: datetime
) -> Iterator[CarriedOrder | tuple[str, ProvisionError]]:
    """Yield the orders that machines would obey now, user and error for one that they would refuse. Expired ones are skipped."""
    for user, data in orders.items():
        address = address_of(secret, user)
        try:
            accept_order(data, signers, now, workspace_id=workspace_id, endpoints=[endpoint_id(address)], last=0)
        except ExpiredOrderError:
            continue
        except ProvisionError as e:
            yield user, e
            continue
        yield CarriedOrder(user, address, data, hashlib.sha256(data).hexdigest())


_MAX_BYTES = max_signed_bytes(MAX_ORDER_BYTES)


def _last_count(root: Path, user: str, signers: Sequence[AllowedSigner], now: datetime) -> int:
    """The count of the user's order before; 0 without one whose signature still counts: who can push to git must not use up the
    numbers."""
    counts = [0]
    for suffix in (SUFFIX, PUSHED_SUFFIX):
        data = read_optional(root / ORDERS_FOLDER / f"{user}{suffix}", _MAX_BYTES)
        with suppress(ProvisionError):
            counts += [read_order(data, signers, now).count] if data is not None else []
    return max(counts)
