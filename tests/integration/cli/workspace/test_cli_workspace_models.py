"""`provision models`: one row per model, and the models in use that are gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.aisa.answers import Listing
from provision.aisa.catalogue import builtin
from provision.cli.context import Run
from provision.cli.main import run
from provision.cli.workspace.models import model_rows
from provision.fleet.load import load_fleet


def test_rows_join_catalogue_live_list_and_users(workspace: Path) -> None:
    states = load_fleet(Run().open_workspace()).states
    live = Listing({"brand-new": ("image_generation",)})
    rows = {row.model: row for row in model_rows(states, builtin(), live)}
    assert (rows["gpt-5.2"].users, rows["gpt-5.2"].live) == (2, False), "in use, but not served"
    assert (rows["brand-new"].kind, rows["brand-new"].live, rows["brand-new"].users) == ("image", True, 0)
    assert rows["brand-new"].status == "not in the catalogue"
    assert {row.live for row in model_rows(states, builtin(), None)} == {None}


def test_used_models_only(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--used", "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(model["id"], model["users"]) for model in found["models"]] == [("gpt-5.2", 2)]
    assert run(["models", "--used"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(": 1 model")
