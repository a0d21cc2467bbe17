"""Fixtures for tests on simulated machines. They are slow to make, so a module shares one bed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bedcraft import Bed
from fleetcraft import Fleet, hermes_program


@pytest.fixture(scope="module")
def make_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Fleet]]:
    """`make_fleet(count)`: machines and an operator's workspace for them; all is gone when the module's tests have ended."""
    with ExitStack() as stack:

        def make(count: int) -> Fleet:
            folder = tmp_path_factory.mktemp("bed")
            readable = [Path(hermes_program()).parents[1]]
            bed = stack.enter_context(
                Bed(folder / "bed", count, readable=readable, hidden=[tmp_path_factory.getbasetemp()])
            )
            return Fleet(bed, folder / "operator")

        yield make
