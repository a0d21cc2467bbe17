"""The demo runs real `provision` processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.demo.stage import OPERATOR, DemoFailedError, DemoStage


def test_a_command_with_an_unexpected_exit_code_stops_the_demo(tmp_path: Path) -> None:
    lines: list[str] = []
    made = DemoStage(tmp_path, lines.append)
    assert made.run(OPERATOR, "--version").startswith("provision ")
    assert lines[0] == "$ provision --version"
    with pytest.raises(DemoFailedError, match=r"`provision chekc` exited with 2, expected 0") as error:
        made.run(OPERATOR, "chekc")
    assert "no such command" in error.value.hint
