"""The last order that this machine obeyed: one file in the configuration folder, replaced atomically.

It holds the number that the next order must exceed, and says whether the order is still in force. Without the file an order in
the feed is obeyed again; what orders do is idempotent.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, ValidationError

from provision.files import read_optional, write_atomic
from provision.signing.fields import Counter, Moment, Sha256, SignedPart, TrustNumber, WorkspaceId, parse_moment

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provision.trust.trust_list import TrustList

FILE = "order.json"
SCHEMA: Final = "provision/obeyed-order/v1"
_MAX_BYTES = 64 << 10


class ObeyedOrder(SignedPart):
    """An order as it was obeyed. `signer` is the key that signed it, `trust` the trust list in force then, `obeyed` the time."""

    schema_: Literal["provision/obeyed-order/v1"] = Field(default=SCHEMA, alias="schema")
    workspace: WorkspaceId
    endpoint: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    kind: Literal["halt", "resume", "uninstall"]
    count: Counter
    digest: Sha256
    reason: Annotated[str, Field(max_length=500)]
    expires: Moment
    obeyed: Moment
    signer: Annotated[str, Field(max_length=128)]
    trust: TrustNumber | None

    def in_force(self, now: datetime) -> bool:
        """Whether it keeps bundles away: an uninstall until the next order, a halt until it expires."""
        return self.kind == "uninstall" or (self.kind == "halt" and now < parse_moment(self.expires))

    def under(self, trust: TrustList | None) -> ObeyedOrder | None:
        """This order as it counts under a trust list; None, forgotten, if its signer is revoked, and in a new epoch: a thief may
        have given the highest possible number."""
        if trust is None:
            return self
        epoch = int(self.trust.partition("-")[0]) if self.trust else 1
        return None if epoch != trust.epoch or self.signer in trust.revoked_keys else self


def read_obeyed(folder: Path) -> ObeyedOrder | None:
    """The order in the configuration folder; None when there is none or the file is damaged."""
    data = read_optional(folder / FILE, _MAX_BYTES)
    try:
        return ObeyedOrder.model_validate_json(data) if data is not None else None
    except (ValidationError, ValueError):
        return None


def write_obeyed(folder: Path, order: ObeyedOrder) -> None:
    """Keep an order that was obeyed, durably."""
    text = json.dumps(order.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    write_atomic(folder / FILE, text.encode())
