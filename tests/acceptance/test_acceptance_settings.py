"""The table of settings that Hermes reads against the installed release: read again from its code and its defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hermes_runner import HERMES, environment
from hermes_settings import TABLE, read_release
from hermes_venvs import hermes_release

pytestmark = [pytest.mark.deep_acceptance]


def test_the_table_is_that_of_the_installed_release(tmp_path: Path) -> None:
    """About 30 s of CPU: the whole code of Hermes is parsed."""
    (home := tmp_path / "home").mkdir()
    found = read_release(HERMES.with_name("python"), home, environment(tmp_path, None))
    table = json.loads(TABLE.read_text("utf-8"))
    assert found["version"] == hermes_release() in table["versions"]
    for kind in ("paths", "names", "env"):
        listed = {w for group, words in table[kind].items() if found["version"] in group.split() for w in words.split()}
        assert listed == found[kind], kind
