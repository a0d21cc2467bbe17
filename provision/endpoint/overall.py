"""The overall state of a home: one word for everything that was checked."""

from __future__ import annotations

from enum import StrEnum


class OverallState(StrEnum):
    """`ok-unverified`: ok as far as known, for a Hermes that the model was not verified with."""

    OK = "ok"
    OK_UNVERIFIED = "ok-unverified"
    PROBLEM = "problem"
    UNKNOWN = "unknown"

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the home, as far as known."""
        return self in {OverallState.OK, OverallState.OK_UNVERIFIED}


def overall_state(*, problem: bool, unknown: bool, verified: bool) -> OverallState:
    """Return the state: a problem outranks what is unknown, and only a verified Hermes makes it `ok`."""
    if problem:
        return OverallState.PROBLEM
    if unknown:
        return OverallState.UNKNOWN
    return OverallState.OK if verified else OverallState.OK_UNVERIFIED
