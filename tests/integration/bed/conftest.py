"""Fixtures for tests on simulated machines. They are slow to make, so a module shares one bed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bedcraft import Bed
from fleetcraft import Fleet, hermes_program


@pytest.fixture(scope="module")
def make_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Bed]]:
    """`make_bed(count)`: machines; all is gone when the module's tests have ended."""
    with ExitStack() as stack:

        def make(count: int) -> Bed:
            readable = [Path(hermes_program()).parents[1]]
            hidden = [tmp_path_factory.getbasetemp()]
            return stack.enter_context(Bed(tmp_path_factory.mktemp("bed"), count, readable=readable, hidden=hidden))

        yield make


@pytest.fixture(scope="module")
def make_fleet(make_bed: Callable[[int], Bed], tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Fleet]:
    """`make_fleet(count)`: machines and an operator's workspace for them."""
    return lambda count: Fleet(make_bed(count), tmp_path_factory.mktemp("operator"))
