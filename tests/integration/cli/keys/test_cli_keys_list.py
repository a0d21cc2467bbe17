"""`provision keys list`: which key versions are shown, without an identity."""

from __future__ import annotations

import json
from pathlib import Path

import keysmith
import pytest

from provision.cli.keys.list import parse_age_days
from provision.cli.main import run
from provision.errors import UsageError
from provision.keys.vault.ledger import Stage


@pytest.mark.parametrize(("text", "days"), [(None, None), ("90", 90), ("90d", 90), ("2W", 14), ("0d", 0)])
def test_ages(text: str | None, days: int | None) -> None:
    assert parse_age_days(text) == days


@pytest.mark.parametrize("text", ["d", "12h", "1.5d", "-1d", "123456d", "ten"])
def test_invalid_ages(text: str) -> None:
    with pytest.raises(UsageError, match="invalid age"):
        parse_age_days(text)


@pytest.fixture
def vault(workspace: Path) -> Path:
    made = keysmith.vault(ada=keysmith.key().reveal(), bob=keysmith.key().reveal())
    made.set_stage("bob", 1, Stage.RETIRED)
    (workspace / "keys.vault").write_bytes(made.serialised())
    return workspace


def _listed(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert run(["keys", "list", "-f", "json", *options]) == 0
    return [known["user"] for known in json.loads(capsys.readouterr().out)["keys"]]


def test_retired_keys_are_shown_with_all_and_have_no_age_that_matters(
    vault: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _listed(capsys) == ["ada"]
    assert _listed(capsys, "--all") == ["ada", "bob"]
    assert _listed(capsys, "--all", "--older-than", "1d") == ["ada"], "a retired key is not too old"
    assert _listed(capsys, "--older-than", "99999d") == []
    assert _listed(capsys, "--all", "--limit", "bob") == ["bob"]


def test_the_table_says_how_many(vault: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "list"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("1 of 2 key versions; generation ")
    assert "sk-" not in captured.out


def test_verification_needs_an_identity(vault: Path) -> None:
    assert run(["keys", "list", "--verify"]) == 1
