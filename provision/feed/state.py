"""The state that an endpoint keeps between pulls: the feed address, the last accepted index, and the back-off.

One file in the configuration folder, replaced atomically. Without it, the next pull downloads everything and accepts any
index version; the generation in the installed manifest still prevents a rollback.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provision.feed.backoff import LONGEST_DELAY_S, delay_after_failures
from provision.feed.index import FeedEntry
from provision.files import read_optional, write_atomic
from provision.signing.fields import Sha256, TrustNumber, WorkspaceId
from provision.trust.trust_list import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.trust.trust_list import TrustList

FILE = "pull.json"
SCHEMA: Final = "provision/pull-state/v1"
_MAX_BYTES = 64 << 10


class PullState(BaseModel):
    """The memory of one endpoint; times are Unix seconds. `version` 0 means that no index was accepted yet; `workspace` is
    that of the first accepted index, `order` the digest of the order that it lists, `trust` and `signer` are the trust list in
    force then and the key that signed it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_: Literal["provision/pull-state/v1"] = Field(default=SCHEMA, alias="schema")
    url: Annotated[str, Field(max_length=2048)]
    workspace: WorkspaceId | None = None
    version: Annotated[int, Field(ge=0, lt=2**53)] = 0
    digest: Sha256 | None = None
    expires: float = 0
    etag: str | None = None
    last_modified: str | None = None
    entry: FeedEntry | None = None
    order: Sha256 | None = None
    trust: TrustNumber | None = None
    signer: Annotated[str, Field(max_length=128)] | None = None
    home: Annotated[str, Field(max_length=4096)] | None = None
    failures: int = 0
    not_before: float = 0
    last_good: float | None = None
    last_error: Annotated[str, Field(max_length=2048)] | None = None
    receipt_sent: float = 0
    receipt_digest: Sha256 | None = None

    def wait(self, now: datetime) -> timedelta | None:
        """How long a scheduled pull still has to back off; None when it may run.

        A longer wait than any back-off means that the clock was set back, and is ignored.
        """
        left = self.not_before - now.timestamp()
        return timedelta(seconds=left) if 0 < left <= LONGEST_DELAY_S * 5 else None

    def under(self, trust: TrustList | None) -> PullState:
        """This state as it counts under a trust list. What a revoked key signed is forgotten, and all of it in a new epoch: a
        thief may have signed the highest possible version. An index by a key that may not sign the feed any more is fetched
        again.
        """
        if trust is None or self.digest is None:
            return self
        epoch = int(self.trust.partition("-")[0]) if self.trust else 1
        if epoch != trust.epoch or self.signer in trust.revoked_keys:
            gone = {
                "version": 0,
                "digest": None,
                "expires": 0.0,
                "entry": None,
                "order": None,
                "signer": None,
                "trust": None,
            }
            return self.model_copy(update={**gone, "etag": None, "last_modified": None})
        if self.signer not in trust.keys_with(Role.FEED):
            return self.model_copy(update={"etag": None, "last_modified": None, "expires": 0.0})
        return self

    def failed(
        self, message: str, now: datetime, uniform: Callable[[float, float], float], after_s: float | None
    ) -> PullState:
        """Record one more failure, and how long scheduled pulls wait after it."""
        failures = self.failures + 1
        not_before = now.timestamp() + delay_after_failures(failures, after_s, uniform)
        return self.model_copy(update={"failures": failures, "not_before": not_before, "last_error": message[:2048]})

    def succeeded(self, now: datetime) -> PullState:
        """Clear the failures."""
        return self.model_copy(
            update={"failures": 0, "not_before": 0, "last_error": None, "last_good": now.timestamp()}
        )

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


def read_state(folder: Path) -> PullState | None:
    """The state in `folder`; None when it is missing or invalid."""
    data = read_optional(folder / FILE, _MAX_BYTES)
    if data is None:
        return None
    try:
        return PullState.model_validate_json(data)
    except (ValidationError, ValueError):
        return None


def write_state(folder: Path, state: PullState) -> None:
    """Write the state atomically. The file holds the endpoint's address, so it is private."""
    text = json.dumps(state.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    write_atomic(folder / FILE, text.encode())
