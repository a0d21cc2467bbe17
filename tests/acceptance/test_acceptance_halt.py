"""A halted home in the real Hermes: it stops with an error and sends nothing, and goes on after the bundle is installed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hermes_runner import HermesRun
from installed_home import EnrolledHome
from recording_gateway import Gateway

from provision.endpoint.apply import DiskWriter
from provision.endpoint.halt import end_halt
from provision.endpoint.halt_home import halt_home

pytestmark = [pytest.mark.deep_acceptance]


def test_a_halted_hermes_sends_nothing(gateway: Gateway, hermes: Callable[..., HermesRun], tmp_path: Path) -> None:
    home = EnrolledHome(tmp_path)
    home.install()
    hermes(home.path)
    sent = len(gateway.inference)
    assert sent == 1
    halt_home(home.path, None, DiskWriter(tmp_path), reason="incident", until="2099-01-01T00:00:00Z")
    run = hermes(home.path)
    assert len(gateway.inference) == sent
    assert run.exit_code == 1, run
    assert "halted-by-it" in run.stdout + run.stderr
    home.install()
    assert end_halt(home.path)
    hermes(home.path)
    assert len(gateway.inference) == sent + 1
