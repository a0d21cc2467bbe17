"""What a stage must produce, byte for byte; `pytest tests/golden --update-golden` rewrites it, and the diff is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[Path, bytes], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", default=False, help="rewrite the expected files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare bytes with a golden file, or rewrite it."""

    def compare(path: Path, data: bytes) -> None:
        if request.config.getoption("--update-golden", default=False):
            path.write_bytes(data)
        assert path.read_bytes() == data, f"{path} differs; look, then run with --update-golden"

    return compare
