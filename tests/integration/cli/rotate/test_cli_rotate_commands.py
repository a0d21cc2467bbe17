"""`provision rotate status`, `resume`, `rollback` and `finish` in a workspace without a rotation, and with an unknown one."""

from __future__ import annotations

from pathlib import Path

import keysmith
import pytest

from provision.cli.main import run
from provision.cli.rotate.app import rotate_app


def test_the_group_has_one_module_per_command() -> None:
    import provision.cli.rotate.finish
    import provision.cli.rotate.leaked
    import provision.cli.rotate.resume
    import provision.cli.rotate.rollback
    import provision.cli.rotate.start
    import provision.cli.rotate.status  # noqa: F401

    modules = {info.callback.__module__.rpartition(".")[2] for info in rotate_app.registered_commands if info.callback}
    assert modules == {info.name for info in rotate_app.registered_commands}


def test_status_needs_a_rotation_and_no_identity(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "keys.vault").write_bytes(keysmith.vault().serialised())
    assert run(["rotate", "status"]) == 3
    assert capsys.readouterr().err == "error: no rotation is in progress\nhint: provision rotate start --from FILE\n"
    assert run(["rotate", "status", "--all"]) == 3


@pytest.mark.parametrize("command", ["resume", "rollback", "finish"])
def test_without_a_rotation_nothing_is_changed(
    operator: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (operator / "keys.vault").read_bytes()
    assert run(["rotate", command]) == 3
    assert run(["rotate", command, "2026-01-01-01"]) == 3
    assert "2026-01-01-01" in capsys.readouterr().err
    assert (operator / "keys.vault").read_bytes() == before


def test_resume_checks_the_rotation_before_it_imports_receipts(operator: Path) -> None:
    (operator / "drop").mkdir()
    (operator / "drop" / "ada.receipt").write_text("no receipt")
    assert run(["rotate", "resume", "2026-01-01-01", "--receipts", "drop"]) == 3
