"""What the commands of `rotate` share: the lock, the vault without an identity, exit codes, formats."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import keysmith
import pytest
import typer

from provision.cli.context import Run
from provision.cli.rotate.session import locked_rotations, open_or_read_vault, print_and_exit, print_rotations
from provision.errors import Exit, ProvisionError
from provision.keys.age import generate_identity, identity_file
from provision.keys.vault.text import SealedVault
from provision.report.formats import Format
from provision.report.rotation import RotationView
from provision.rotate.model import Blocker, Grade, RotationKind, RotationUser, Terms
from provision.rotate.rotation import Rotation, blocker_entry, plan_entries, replay
from provision.rotate.states import Course, State

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TERMS = Terms("2026-06-01-01", RotationKind.SCHEDULED, "ada@desk", NOW, "0" * 32)


def rotation(*blockers: Blocker) -> Rotation:
    user = RotationUser("ada", "team", 0, Course.SCHEDULED, "fp_new", "fp_old", State.PLANNED, NOW, NOW)
    more = [blocker_entry(blocker, ["ada"], NOW) for blocker in blockers]
    found = replay(iter([TERMS.entry(3), *plan_entries([user], TERMS), *more]), Path("journal"))
    assert found is not None
    return found


def _silent_workspace() -> SimpleNamespace:
    """A workspace that notifies nobody."""
    return SimpleNamespace(settings=SimpleNamespace(notify=()))


@pytest.mark.parametrize(
    ("blockers", "doubts", "refused", "code"),
    [
        ((), (), 0, Exit.OK),
        ((), (), 1, Exit.PARTIAL),
        ((), (Blocker("x", "silent", "", Grade.UNSURE),), 0, Exit.PARTIAL),
        ((Blocker("x", "dead", "", Grade.FAILED),), (), 1, Exit.FINDINGS),
    ],
)
def test_exit_codes(
    blockers: tuple[Blocker, ...], doubts: tuple[Blocker, ...], refused: int, code: Exit, tmp_path: Path
) -> None:
    context = cast(Any, SimpleNamespace(clock=lambda: NOW, vault=keysmith.vault(), workspace=_silent_workspace()))
    with pytest.raises(typer.Exit) as ended:
        print_and_exit(
            Run(quiet=True), context, [(rotation(*blockers), doubts)], Format.TABLE, tmp_path / "out", refused=refused
        )
    assert ended.value.exit_code == code
    assert "2026-06-01-01" in (tmp_path / "out").read_text()


@pytest.mark.parametrize("format_", [Format.TABLE, Format.JSON, Format.HTML])
def test_each_format_is_written(format_: Format, tmp_path: Path) -> None:
    print_rotations([RotationView(rotation(), NOW)], format_, tmp_path / "out")
    text = (tmp_path / "out").read_text()
    assert "2026-06-01-01" in text
    assert (format_ is Format.HTML) == text.startswith("<!")
    if format_ is Format.JSON:
        assert json.loads(text)["rotations"][0]["id"] == "2026-06-01-01"


def test_without_an_identity_the_public_part_of_the_vault_is_read(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "keys.vault").write_bytes(keysmith.vault(ada=keysmith.key().reveal()).serialised())
    found = open_or_read_vault(Run(), Run().open_workspace())
    assert isinstance(found, SealedVault)
    assert capsys.readouterr().err.startswith("the last four characters of keys are not shown: ")


def test_only_one_command_works_on_rotations_at_a_time(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "identity.txt").write_bytes(identity_file(*generate_identity(), "now"))
    (tmp_path / "config" / "identity.txt").chmod(0o600)
    with locked_rotations(Run(), "rotate start", forks=3) as context:
        assert (context.forks, sorted(context.states)) == (3, ["ada", "bob"])
        with pytest.raises(ProvisionError, match="rotate start"), locked_rotations(Run(), "rotate resume"):
            pass
    with locked_rotations(Run(), "rotate resume"):
        pass
