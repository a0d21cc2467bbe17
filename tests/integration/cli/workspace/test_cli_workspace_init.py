"""`provision init`: the settings it writes show the real defaults."""

from __future__ import annotations

import errno
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import provision.operators.acts
import provision.transaction
from provision.cli.main import run
from provision.cli.workspace.init import settings_text
from provision.files import STAGED_SUFFIX, FileProblemError
from provision.fleet.settings import Settings

DOCS = Path(__file__).parents[4] / "docs" / "file-formats.md"
EXAMPLES = {"contact", "key_command", "tls_bundle"}


def test_the_settings_show_the_defaults(tmp_path: Path) -> None:
    uncommented = re.sub(r"^# (?=\w+ = )", "", settings_text(tmp_path), flags=re.MULTILINE)
    shown = tomllib.loads(uncommented)
    assert "bundle_days" in shown
    for name in shown.keys() - EXAMPLES:
        default = Settings.model_fields[name].default
        assert shown[name] == (list(default) if isinstance(default, tuple) else default), name


def test_what_is_not_commented_out_is_valid(tmp_path: Path) -> None:
    assert set(tomllib.loads(settings_text(tmp_path))) == set()


@pytest.mark.parametrize("name", ["bundle_days", "gateway", "signer"])
def test_the_documentation_has_the_same_default(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|.*\| ([^|]*) \|$", DOCS.read_text(), re.MULTILINE)
    assert row
    assert row[1].strip("`") == str(Settings.model_fields[name].default)


def test_nothing_is_written_into_a_folder_with_a_workspace(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    assert run(["init", str(workspace)]) == 1
    assert "inventory.yaml, provision.toml; nothing was changed" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before


def test_an_existing_gitignore_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / ".gitignore").write_text("build/\n")
    assert run(["init", str(folder)]) == 0
    assert (folder / ".gitignore").read_text() == "build/\n"
    assert "signing_key" in capsys.readouterr().err


def test_a_new_workspace_has_no_users_and_gets_the_first_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    workspace = ["-w", str(tmp_path / "ws")]
    assert run(["init", str(tmp_path / "ws")]) == 0
    assert run([*workspace, "check"]) == 0
    assert "0 users" in capsys.readouterr().out
    assert run([*workspace, "users", "add", "ada"]) == 2
    assert "pass --profile NAME, one of engineering" in capsys.readouterr().err
    assert run([*workspace, "users", "add", "ada", "--profile", "engineering"]) == 0
    text = (tmp_path / "ws" / "inventory.yaml").read_text()
    assert text.startswith("# Who gets what.")
    assert text.endswith("users:\n  - id: ada\n    profile: engineering\n    recipients: []\n")
    assert (tmp_path / "ws" / "inventory.example.yaml").exists()


def test_what_a_killed_init_staged_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "ws"
    for part in ("profiles", "templates", "templates/de"):
        (folder / part).mkdir(parents=True)
        (folder / part / f".a.change-0123456789abcdef{STAGED_SUFFIX}").touch()
    assert run(["init", str(folder)]) == 0
    assert list(folder.rglob(f"*{STAGED_SUFFIX}")) == []
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_dir()} == {"0o755"}


def test_what_another_command_staged_in_a_workspace_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the vault that runs at this moment, or that was killed behind its commit, would lose its new vault."""
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    words = ["init", str(tmp_path / "ws")]
    assert run(words) == 0
    staged = tmp_path / "ws" / f".keys.vault.change-0123456789abcdef{STAGED_SUFFIX}"
    staged.write_text("the next vault")
    assert run(words) == 1
    assert staged.read_text() == "the next vault"


def test_an_interrupted_init_goes_on_to_the_recovery_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    words = ["init", str(tmp_path / "ws"), "--recovery-to", str(tmp_path / "page")]
    with monkeypatch.context() as patched:
        patched.setattr(provision.transaction, "replace_file", _full_disk_behind(5))
        assert run(words) == 1
    assert (tmp_path / "ws" / ".provision-init.json").exists()
    assert run(words) == 0
    assert (tmp_path / "page").exists()
    assert list((tmp_path / "ws" / "trust").glob("*.json")) != []
    assert "no recovery key" not in capsys.readouterr().err


def test_an_init_that_failed_at_the_recovery_key_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    words = ["init", str(tmp_path / "ws"), "--recovery-to", str(tmp_path / "page")]

    def fails(*_: object) -> None:
        raise FileProblemError("cannot write: no space left")

    with monkeypatch.context() as patched:
        patched.setattr(provision.operators.acts, "upgrade", fails)
        assert run(words) == 1
    assert run(words) == 1
    hint = capsys.readouterr().err.rpartition("hint: provision ")[2]
    assert run(shlex.split(hint)) == 0
    assert list((tmp_path / "ws" / "trust").glob("*.json")) != []


def _full_disk_behind(count: int) -> Callable[[Path, Path], None]:
    """Renames that succeed so many times, and then no more."""
    left = iter(range(count))

    def rename(staged: Path, target: Path) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        staged.replace(target)

    return rename
