"""Orders to endpoints: halt, resume, uninstall. Signed by a key that has the role order; a feed key alone cannot give one.

An order names its workspace and endpoint, is counted, and expires. Pure: bytes and the time in, an order or a refusal out.
`feed.give_orders` signs them, `publish` and Ansible carry them, `feed.obey` follows them on the machine.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from provision.errors import ProvisionError
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer
from provision.signing.fields import Counter, Moment, SignedPart, WorkspaceId, parse_moment
from provision.signing.signed_json import DocumentForm
from provision.signing.signed_text import sign_text, verify_text
from provision.signing.sshsig import BadSignatureError, blob_fingerprint
from provision.trust.trust_list import NAMESPACES, Role, key_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORDER_SCHEMA: Final = "provision/order/v1"
MAX_ORDER_BYTES = 16 << 10
ORDERS_FOLDER: Final = "orders"
"""In a workspace."""


CLOCK_SLACK = timedelta(days=1)


class OrderRefusedError(ProvisionError):
    """An order is not obeyed; the message says why."""


class ExpiredOrderError(OrderRefusedError):
    """An order expired before it was obeyed."""


class RepeatedOrderError(OrderRefusedError):
    """The order, or a newer one, was obeyed already: an old order is sent again."""


OrderKind = Literal["halt", "resume", "uninstall"]


class Order(SignedPart):
    """An order, version 1. `endpoint` is its name in the feed's index, or its `pushed_name`; `count` only grows for it."""

    schema_: Literal["provision/order/v1"] = Field(default=ORDER_SCHEMA, alias="schema")
    workspace: WorkspaceId
    endpoint: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    kind: OrderKind
    count: Counter
    created: Moment
    expires: Moment
    reason: Annotated[str, Field(min_length=1, max_length=500)]


def pushed_name(workspace_id: str, user: str) -> str:
    """The name of a user's endpoints in orders that do not come from a feed: a machine knows its user from its bundle."""
    text = f"hermes-provision/pushed-endpoint/v1\0{workspace_id}\0{user}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def sign_order(order: Order, key: Ed25519PrivateKey) -> bytes:
    """The order as signed text."""
    text = json.dumps(order.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    return sign_text(text.encode(), key, NAMESPACES[Role.ORDER])


def accept_order(
    data: bytes,
    signers: Sequence[AllowedSigner],
    now: datetime,
    *,
    workspace_id: str,
    endpoints: Collection[str],
    last: int,
) -> Order:
    """Accept an order for one of these names that is newer than the `last` one obeyed. Raises OrderRefusedError."""
    order = read_order(data, signers, now)
    if order.workspace != workspace_id:
        raise OrderRefusedError(
            f"the order belongs to workspace {order.workspace}, expected {workspace_id}", hint=_REPORT
        )
    if order.endpoint not in endpoints:
        raise OrderRefusedError("the order is for another endpoint", hint=_REPORT)
    if order.count <= last:
        raise RepeatedOrderError(f"the order has number {order.count}, number {last} was already obeyed", hint=_REPORT)
    if parse_moment(order.created) > now + CLOCK_SLACK:
        raise OrderRefusedError(
            f"the order was made in the future, on {order.created}", hint="set this machine's clock"
        )
    if now >= parse_moment(order.expires):
        raise ExpiredOrderError(f"the order expired on {order.expires}", hint="IT can give it again")
    return order


def read_order(data: bytes, signers: Sequence[AllowedSigner], now: datetime) -> Order:
    """Parse an order that a key with the role order signed, whomever it is for. Raises OrderRefusedError."""
    try:
        text, blob = verify_text(data, NAMESPACES[Role.ORDER])
    except BadSignatureError as e:
        raise OrderRefusedError(f"the order is not signed as an order: {e.message}", hint=_REPORT) from e
    signer = find_trusted_signer(signers, blob, now, NAMESPACES[Role.ORDER])
    if isinstance(signer, str):
        raise OrderRefusedError(f"{blob_fingerprint(blob)} may not give orders: {signer}", hint=_REPORT)
    return _FORM.parse(text)


_REPORT = "report it to IT"


def _in_order(order: Order) -> None:
    if parse_moment(order.expires) <= parse_moment(order.created):
        raise ValueError("it expires before it was created")
    if not order.reason.isprintable():
        raise ValueError("the reason is not printable")


def order_signer(data: bytes) -> str:
    """The key that signed an order, `ssh-ed25519 …`. Raises BadSignatureError; whether it may, `accept_order` says."""
    return key_text(verify_text(data, NAMESPACES[Role.ORDER])[1])


_FORM = DocumentForm(
    model=Order,
    schema=ORDER_SCHEMA,
    name="the order",
    limit_bytes=MAX_ORDER_BYTES,
    error=OrderRefusedError,
    sound=_in_order,
    hint=_REPORT,
    other_version="update provision on this machine",
)
