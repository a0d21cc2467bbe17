"""The page of a new recovery key when a run was interrupted: it is used, unless a list ever named its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.main import run
from provision.keys.vault.file import read_workspace_id
from provision.trust.recovery import RecoverySeed, recovery_page


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    assert run(["-q", "init", str(tmp_path / "ws")]) == 0
    monkeypatch.chdir(tmp_path / "ws")
    return tmp_path / "ws"


def test_the_page_of_an_interrupted_run_is_used_and_a_used_one_is_not(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page"
    seed = RecoverySeed.new(read_workspace_id(workspace / "keys.vault"))
    page.write_text(recovery_page(seed, "2026-01-01"))
    capsys.readouterr()
    assert run(["operators", "upgrade", "--name", "op", "--recovery-to", str(page)]) == 0
    assert "which an interrupted run wrote" in capsys.readouterr().err
    assert run(["recovery", "test", str(page)]) == 0
    assert run(["recovery", "use", str(page), "--name", "op", "--recovery-to", str(page)]) == 2
    assert f"{page} exists already" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["half a pa", ""])
def test_another_file_is_not_replaced(workspace: Path, tmp_path: Path, content: str) -> None:
    page = tmp_path / "page"
    page.write_text(content)
    assert run(["operators", "upgrade", "--recovery-to", str(page)]) == 2
    assert page.read_text() == content
    assert not (workspace / "trust").exists()


def test_no_page_is_written_for_a_workspace_that_has_a_recovery_key(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be printed and kept, and open nothing."""
    page, other = tmp_path / "page", tmp_path / "other"
    assert run(["operators", "upgrade", "--name", "op", "--recovery-to", str(page)]) == 0
    for again in (page, other):
        capsys.readouterr()
        assert run(["operators", "upgrade", "--name", "op", "--recovery-to", str(again)]) == 1
        assert "the workspace has trust list 1-1 already" in capsys.readouterr().err
    assert not other.exists()
    assert run(["recovery", "test", str(page)]) == 0
