"""The new keys of a rotation: one source, the chosen users, errors of the file."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import keysmith
import pytest

from provision.cli.context import Run
from provision.cli.rotate.read_keys import read_new_keys
from provision.errors import InvalidFilesError, UsageError
from provision.fleet.load import load_fleet


@pytest.fixture
def context(workspace: Path) -> Any:
    opened = Run().open_workspace()
    states = {state.user: state for state in load_fleet(opened).states}
    return cast(Any, SimpleNamespace(states=states, workspace=opened, gateway=SimpleNamespace(concurrency=2)))


def test_there_is_exactly_one_source(context: Any) -> None:
    for from_, command in ((None, None), ("new.csv", "echo")):
        with pytest.raises(UsageError, match="no source of new keys"):
            read_new_keys(Run(), context, from_, command, None)


def test_a_limit_chooses_from_the_file(context: Any, workspace: Path) -> None:
    (workspace / "new.csv").write_text(f"user,new_key\nada,{keysmith.key().reveal()}\nbob,{keysmith.key().reveal()}\n")
    assert [new.user for new in read_new_keys(Run(), context, "new.csv", None, None)] == ["ada", "bob"]
    assert [new.user for new in read_new_keys(Run(), context, "new.csv", None, ["bob"])] == ["bob"]


def test_one_error_refuses_the_whole_file(context: Any, workspace: Path) -> None:
    (workspace / "new.csv").write_text(f"ada,{keysmith.key().reveal()}\nbob,YOUR_API_KEY\n")
    with pytest.raises(InvalidFilesError) as error:
        read_new_keys(Run(), context, "new.csv", None, None)
    assert error.value.problems[0].place
    assert error.value.problems[0].place.line == 2


def test_a_command_prints_the_key_of_each_chosen_user(context: Any, workspace: Path) -> None:
    (workspace / "console.py").write_text("import sys\nprint('sk-aisa-TEST' + sys.argv[1] * 10)\n")
    found = read_new_keys(Run(), context, None, f"{sys.executable} console.py {{user}}", ["bob"])
    assert [(new.user, new.key.reveal()) for new in found] == [("bob", "sk-aisa-TEST" + "bob" * 10)]
