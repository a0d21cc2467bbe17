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

import pytest
from hermes_runner import HERMES, HermesRun, environment, run_hermes
from recording_gateway import Gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path / "gateway") as opened:
        yield opened


@pytest.fixture
def hermes(tmp_path: Path, gateway: Gateway) -> Callable[..., HermesRun]:
    """`hermes(home, *args, env={…})` runs the real program behind the gateway; without args, one question."""
    if not HERMES.exists():
        pytest.fail(f"no hermes at {HERMES}: install the extra `acceptance`")

    def run(home: Path, *args: str, env: dict[str, str] | None = None, **more: object) -> HermesRun:
        environ = environment(tmp_path, gateway, env)
        return run_hermes(home, environ, args, **more) if args else run_hermes(home, environ, **more)  # type: ignore[arg-type]

    return run
