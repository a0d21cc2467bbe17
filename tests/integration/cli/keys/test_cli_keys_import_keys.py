"""`provision keys import`: which lines of the file are imported, and what the summary advises."""

from __future__ import annotations

from pathlib import Path

import keysmith
import pytest

from provision.cli.context import Run
from provision.cli.keys.import_keys import _MAX_REMARKS, _chosen_keys, _say_remarks
from provision.cli.main import run
from provision.errors import Place, Problem
from provision.keys.import_file import NewKey


def keys(*users: str) -> list[NewKey]:
    return [NewKey(user, keysmith.key(), "", Place("keys.csv", n + 2)) for n, user in enumerate(users)]


def test_unknown_users_are_problems_with_the_nearest_name(workspace: Path) -> None:
    kept, problems = _chosen_keys(Run(), Run().open_workspace(), keys("ada", "bobb", "zoe"), None, allow_unknown=False)
    assert [new.user for new in kept] == ["ada", "bobb", "zoe"]
    assert [(p.message, p.hint, p.place and p.place.line) for p in problems] == [
        ("bobb is not in the inventory", "did you mean bob?", 3),
        ("zoe is not in the inventory", "add the user to the inventory, or use --allow-unknown", 4),
    ]


def test_a_user_whose_entry_has_an_error_is_known(workspace: Path) -> None:
    (workspace / "inventory.yaml").write_text("users:\n  - {id: ada, profile: taem, recipients: []}\n")
    assert _chosen_keys(Run(), Run().open_workspace(), keys("ada"), None, allow_unknown=False)[1] == []


def test_a_limit_skips_keys_of_others_and_says_so(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, problems = _chosen_keys(Run(), Run().open_workspace(), keys("ada", "bob"), ["ada"], allow_unknown=False)
    assert ([new.user for new in kept], problems) == (["ada"], [])
    assert capsys.readouterr().err == "skipped 1 key of other users (--limit)\n"


def test_remarks_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    _say_remarks(Run(), [Problem("rule", f"remark {n}") for n in range(_MAX_REMARKS + 2)])
    assert capsys.readouterr().err.splitlines()[_MAX_REMARKS:] == ["and 2 more remarks like these"]


def test_a_dry_run_changes_nothing(operator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (operator / "keys.vault").read_bytes()
    (operator / "keys.csv").write_text(f"ada,{keysmith.key().reveal()}\n")
    (operator / "keys.csv").chmod(0o644)
    assert run(["keys", "import", "keys.csv", "--dry-run"]) == 0
    assert "warning: other users of this machine can read these keys (chmod 600 keys.csv)" in capsys.readouterr().err
    (operator / "keys.csv").chmod(0o600)
    assert run(["keys", "import", "keys.csv", "--dry-run"]) == 0
    assert capsys.readouterr().err == "would be: 1 new, 0 replaced, 0 unchanged\n"
    assert (operator / "keys.vault").read_bytes() == before
    assert run(["keys", "import", "keys.csv"]) == 0
    assert "keys.csv holds these keys in clear text: delete it" in capsys.readouterr().err
