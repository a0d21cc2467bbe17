"""Advice holds the fix, and nothing that a server could have put into it."""

from __future__ import annotations

import pytest

from provision.aisa import advice
from provision.aisa.answers import Failure


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_advice(failure: Failure) -> None:
    assert len(advice.FAILURES[failure]) > 20


@pytest.mark.parametrize("value", ["soon", "3 s; rm -rf", "\x1b[31m", "-1", "\u0663"])
def test_a_retry_after_that_is_not_a_number_is_not_shown(value: str) -> None:
    assert advice.rate_limited(value) == advice.rate_limited("")


def test_a_number_of_seconds_is_shown_and_bounded() -> None:
    assert "says 7 s" in advice.rate_limited("7")
    assert len(advice.rate_limited("9" * 500)) < 200


def test_a_failing_route_names_the_model_that_works_if_there_is_one() -> None:
    assert "use gpt-b" in advice.failing_route("gpt-a", "gpt-b")
    assert advice.failing_route("gpt-a", None) == advice.BAD_GATEWAY
