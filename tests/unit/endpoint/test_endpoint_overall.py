"""The overall state: what outranks what."""

from __future__ import annotations

import pytest

from provision.endpoint.overall import OverallState, overall_state


@pytest.mark.parametrize(
    ("problem", "unknown", "verified", "state"),
    [
        (True, True, True, OverallState.PROBLEM),
        (True, False, False, OverallState.PROBLEM),
        (False, True, True, OverallState.UNKNOWN),
        (False, False, True, OverallState.OK),
        (False, False, False, OverallState.OK_UNVERIFIED),
    ],
)
def test_the_worst_counts(problem: bool, unknown: bool, verified: bool, state: OverallState) -> None:
    found = overall_state(problem=problem, unknown=unknown, verified=verified)
    assert found is state
    assert found.good == (state in {OverallState.OK, OverallState.OK_UNVERIFIED})
