"""`provision report`: what is on the page without receipts, without an identity, and where it goes."""

from __future__ import annotations

import json
from pathlib import Path

import keysmith
import pytest

from provision.cli.context import Run
from provision.cli.main import run
from provision.cli.workspace.report import _machines
from provision.fleet.load import load_fleet
from provision.keys.vault.vault import Vault
from provision.receipts.fleet import Standing


def write(folder: Path, made: Vault) -> None:
    (folder / "keys.vault").write_bytes(made.serialised())


def test_without_receipts_no_machine_was_ever_heard(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace, keysmith.vault())
    opened = Run().open_workspace()
    states = load_fleet(opened).states
    silent = (Standing.NEVER, Standing.NOT_RENDERED)

    def standings() -> dict[str, tuple[Standing, ...]]:
        return {each.user: each.standings for each in _machines(opened, states, keysmith.NOW)}

    assert standings() == {"ada": silent, "bob": silent}
    (workspace / "receipts").mkdir()
    assert standings() == {"ada": silent, "bob": silent}
    assert run(["report", "-f", "json"]) == 10
    assert json.loads(capsys.readouterr().out)["attention"]["never heard"] == 2


def test_users_with_errors_are_counted_and_left_out(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace, keysmith.vault())
    (workspace / "inventory.yaml").write_text(
        "users:\n  - {id: ada, profile: taem, recipients: []}\n  - {id: bob, profile: team, recipients: []}\n"
    )
    assert run(["report", "-f", "json"]) == 10
    captured = capsys.readouterr()
    assert captured.err.startswith("1 user with errors in the inventory not included")
    assert "ada" not in captured.out
    assert json.loads(captured.out)["attention"]["inventory error"] == 1


def test_a_fleet_of_which_nothing_is_known_is_not_in_order(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace, keysmith.vault())
    (workspace / "inventory.yaml").write_text("users:\n  - {id: ada, profile: taem, recipients: []}\n")
    assert run(["report"]) == 10
    page = capsys.readouterr().out
    assert "Nothing needs attention" not in page
    assert "1 inventory error" in page


def test_a_file_of_results_that_is_not_there(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace, keysmith.vault())
    assert run(["report", "--validated", "none.json"]) == 1
    assert capsys.readouterr().err == "error: no such file: none.json\n"
