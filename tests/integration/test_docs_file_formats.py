"""What docs/file-formats.md shows loads, and it names every key there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provision.fleet.load import load_fleet
from provision.fleet.models import ProfileFile, UserEntry
from provision.fleet.settings import Settings
from provision.fleet.workspace import load_workspace

PAGE = (Path(__file__).parents[2] / "docs" / "file-formats.md").read_text()
EXAMPLES = dict(zip(("profile", "yaml", "csv"), re.findall(r"```(?:yaml|csv)\n(.*?)```", PAGE, re.DOTALL), strict=True))


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_the_examples_load(tmp_path: Path, form: str) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "base.yaml").write_text("provider: aisa\n")
    (tmp_path / "profiles" / "engineering.yaml").write_text(EXAMPLES["profile"])
    (tmp_path / "provision.toml").write_text(f'inventory = "users.{form}"\n')
    (tmp_path / f"users.{form}").write_text(EXAMPLES[form])
    fleet = load_fleet(load_workspace(tmp_path))
    assert fleet.problems == ()
    assert [(s.user, s.profile.model) for s in fleet.states] == [("ada", "claude-sonnet-5")]


def test_every_key_is_described() -> None:
    for name in {*ProfileFile.model_fields, *UserEntry.model_fields, *Settings.model_fields}:
        assert f"`{name}`" in PAGE, name
