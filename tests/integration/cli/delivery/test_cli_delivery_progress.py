"""A line per machine while bundles are pushed."""

from __future__ import annotations

import pytest

from provision.cli.context import Run
from provision.cli.delivery.progress import push_progress
from provision.push.events import Started
from provision.push.outcomes import Failed, Installed


def test_every_outcome_is_a_line_and_a_start_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with push_progress(Run(), "deploy", 2) as observe:
        observe(Started("ada"))
        observe(Installed("ada", "ada-mbp", 7, "fp_a", "https://api.aisa.one", restart=("hermes chat (pid 3)",)))
        observe(Failed("eve", "eve-pc", "disk-full", "the disk is \x1b[2Jfull", "free some space"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ada (ada-mbp): installed; restart hermes chat (pid 3): it has the old settings"
    assert lines[1] == "eve (eve-pc): failed: the disk is \\x1b[2Jfull [disk-full]; free some space"
    assert lines[2].startswith("deploy 2/2 · ")
    assert len(lines) == 3


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with push_progress(Run(quiet=True), "deploy", 1) as observe:
        observe(Failed("eve", "eve-pc", "x", "y", "z"))
    assert capsys.readouterr().err == ""
