"""Field types that signed documents have in common: times, digests, counters and names."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Counter = Annotated[int, Field(ge=1, lt=2**53)]
"""A number that only grows; below 2**53, so that every JSON parser reads it exactly."""
UserId = Annotated[str, Field(pattern=r"^[a-z0-9_-][a-z0-9._-]{0,127}$")]
MachineName = Annotated[str, Field(pattern=r"^[a-z0-9_-][a-z0-9._-]{0,127}$")]
WorkspaceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""16 random bytes in hex, made once by `provision init` and kept in the vault's header."""
TrustNumber = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$")]
"""Epoch and version of a trust list, such as `1-3`."""


class SignedPart(BaseModel):
    """A part of a signed document: strict types, no unknown fields. Built when first used: no command reads all kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class LogHead(SignedPart):
    """The end of the event log at some time: the number of its lines and the hash of the last one."""

    count: Counter
    sha256: Sha256


@functools.lru_cache(maxsize=64)
def moment(when: datetime) -> str:
    """A time as signed documents write it: UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_moment(text: str) -> datetime:
    """The time in that notation. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
