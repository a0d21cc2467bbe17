"""Where an audit looks by default, and the environment it assumes for a home."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.cli.context import Run
from provision.cli.leaks.audit.setup import default_targets, home_inspection
from provision.errors import NothingMatchedError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("HERMES_HOME", raising=False)
    return tmp_path


def test_only_what_exists_is_audited(home: Path) -> None:
    with pytest.raises(NothingMatchedError, match="no Hermes home found"):
        default_targets()
    for name in (".hermes", ".codex", "config"):
        (home / name).mkdir()
    for name in (".claude.json", "hermes-backup-2.zip", "hermes-backup-1.zip", "notes.txt"):
        (home / name).touch()
    assert default_targets() == [
        home / name
        for name in (".hermes", "config", ".claude.json", ".codex", "hermes-backup-1.zip", "hermes-backup-2.zip")
    ]


def test_other_homes_do_not_inherit_this_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://evil.example/v1")
    context = home_inspection(Run(), None, None, str, datetime(2026, 6, 1, tzinfo=UTC))
    assert context.environ_of(home / ".hermes", None) is os.environ
    other = context.environ_of(home / "backup/.hermes", None)
    assert other == {"HOME": str(home / "backup"), "HERMES_HOME": str(home / "backup/.hermes")}
    windows = context.environ_of(home / "bob/AppData/Local/hermes", None)
    assert windows["USERPROFILE"] == str(home / "bob"), "where the Desktop app's folder is looked for"


def test_signers_that_cannot_be_read_are_not_trusted(home: Path) -> None:
    (home / "config").mkdir()
    (home / "config/allowed_signers").write_text("not a signer\n")
    assert list(home_inspection(Run(), None, None, str, datetime(2026, 6, 1, tzinfo=UTC)).signers) == []
