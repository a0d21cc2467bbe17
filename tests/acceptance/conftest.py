"""Fixtures for tests that drive the real Hermes against a gateway on loopback.

def test_it(gateway, hermes, tmp_path):
    url = gateway.open()                      # or any https host, unmodified
    ...write tmp_path / "home"...
    run = hermes(tmp_path / "home")           # the real program, one question
    sent = gateway.inference[0]
    assert (sent.host, sent.path, sent.model, sent.header, sent.key) == (...)
    assert {s.host for s in gateway.carrying(key)} == {...}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recording_gateway import Gateway

if TYPE_CHECKING:
    from hermes_runner import HermesRun


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path / "gateway") as opened:
        yield opened


@pytest.fixture
def hermes(tmp_path: Path, gateway: Gateway) -> Callable[..., HermesRun]:
    """`hermes(home, *args, env={…})` runs the real program behind the gateway; without args, one question."""
    from hermes_runner import HERMES, environment, run_hermes

    if not HERMES.exists():
        pytest.fail(f"no hermes at {HERMES}: install the extra `acceptance`")

    def run(home: Path, *args: str, env: dict[str, str] | None = None, **more: object) -> HermesRun:
        environ = environment(tmp_path, gateway, env)
        return run_hermes(home, environ, args, **more) if args else run_hermes(home, environ, **more)  # type: ignore[arg-type]

    return run
