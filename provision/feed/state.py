"""What an endpoint remembers between two pulls: whom it asks, what it has seen, and when it may ask again.

One file in the config folder, replaced in one step. Losing it costs a full download and the memory of the newest version;
the generation in the installed manifest then still stops a rollback.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provision.feed.backoff import LONGEST_DELAY_S, delay_after_failures
from provision.feed.index import FeedEntry
from provision.files import read_optional, write_atomic
from provision.signing.fields import Sha256, WorkspaceId

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = "pull.json"
SCHEMA: Final = "provision/pull-state/v1"
_MAX_BYTES = 64 << 10


class PullState(BaseModel):
    """The memory of one endpoint; times are Unix seconds. `version` 0 means that no index was accepted yet; `workspace` is
    that of the first accepted index."""

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
    home: Annotated[str, Field(max_length=4096)] | None = None
    failures: int = 0
    not_before: float = 0
    last_good: float | None = None
    last_error: Annotated[str, Field(max_length=2048)] | None = None
    receipt_sent: float = 0
    receipt_digest: Sha256 | None = None

    def wait(self, now: datetime) -> timedelta | None:
        """How long a scheduled pull still has to wait after failures; None when it may go ahead.

        A wait longer than any that is ever set means the clock was turned back: it is not obeyed.
        """
        left = self.not_before - now.timestamp()
        return timedelta(seconds=left) if 0 < left <= LONGEST_DELAY_S * 5 else None

    def failed(
        self, message: str, now: datetime, uniform: Callable[[float, float], float], after_s: float | None
    ) -> PullState:
        """Record one more failure, and how long scheduled pulls wait after it."""
        failures = self.failures + 1
        not_before = now.timestamp() + delay_after_failures(failures, after_s, uniform)
        return self.model_copy(update={"failures": failures, "not_before": not_before, "last_error": message[:2048]})

    def succeeded(self, now: datetime) -> PullState:
        """Back to normal."""
        return self.model_copy(
            update={"failures": 0, "not_before": 0, "last_error": None, "last_good": now.timestamp()}
        )

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


def read_state(folder: Path) -> PullState | None:
    """The memory, None when there is none. One that cannot be read counts as none: it is ours alone, and can be made again."""
    data = read_optional(folder / FILE, _MAX_BYTES)
    if data is None:
        return None
    try:
        return PullState.model_validate_json(data)
    except (ValidationError, ValueError):
        return None


def write_state(folder: Path, state: PullState) -> None:
    """Remember, in one step. The file holds the endpoint's address, so it is private."""
    text = json.dumps(state.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    write_atomic(folder / FILE, text.encode())
