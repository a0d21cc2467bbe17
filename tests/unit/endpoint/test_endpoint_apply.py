"""Carrying out a plan: on disk with modes and links, and as a dry run in memory."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provision.endpoint.apply import DiskWriter, DryRunWriter, ManagedScopeError, modes_of
from provision.endpoint.plan import FileChange, InstallPlan
from provision.endpoint.privileges import LinkedHomeError
from provision.endpoint.state import FOLDER
from provision.files import FileProblemError
from provision.hermes.home import HermesFiles, HomeFiles

CONFIG = FileChange("config.yaml", b"model: x\n", 0o644)
ENV = FileChange(".env", b"A=b\n")


def test_files_get_their_bytes_and_modes(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    writer = DiskWriter(tmp_path)
    with writer.opened(home) as finished:
        assert finished is False
        (home / "auth.json").write_text("{}")
        writer.apply(home, [ENV, CONFIG, FileChange("auth.json", None)])
    assert (home / ".env").read_bytes() == b"A=b\n"
    assert modes_of(home) == {".env": 0o600, "config.yaml": 0o644}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_users_own_link_is_written_through(tmp_path: Path) -> None:
    home, dotfiles = tmp_path / ".hermes", tmp_path / "dotfiles"
    for folder in (home, dotfiles):
        folder.mkdir()
    (dotfiles / "hermes.yaml").write_text("old")
    (home / "config.yaml").symlink_to(dotfiles / "hermes.yaml")
    writer = DiskWriter(tmp_path)
    with writer.opened(home):
        writer.apply(home, [ENV, CONFIG])
    assert (home / "config.yaml").is_symlink()
    assert (dotfiles / "hermes.yaml").read_bytes() == CONFIG.data


@pytest.mark.parametrize("writer_type", [DiskWriter, DryRunWriter])
def test_a_link_out_of_the_users_folder_stops_the_install(tmp_path: Path, writer_type: type[DiskWriter]) -> None:
    user, outside = tmp_path / "ada", tmp_path / "secret"
    (user / ".hermes").mkdir(parents=True)
    outside.write_text("x")
    (user / ".hermes" / "config.yaml").symlink_to(outside)
    with pytest.raises(LinkedHomeError), writer_type(user).opened(user / ".hermes"):
        pass


@pytest.mark.parametrize("inside", ["", FOLDER])
def test_a_home_that_cannot_be_made_is_named_and_not_called_unchanged(tmp_path: Path, inside: str) -> None:
    """The folder above may be new, and `pull` has written down by then which feed it saw."""
    broken = tmp_path / "home" / inside
    broken.parent.mkdir(exist_ok=True)
    broken.write_text("x")
    with pytest.raises(FileProblemError) as caught, DiskWriter(tmp_path).opened(tmp_path / "home"):
        pass
    assert caught.value.message.startswith(f"cannot create {broken}: ")
    assert caught.value.hint == "fix that and run the same command again"


def test_the_managed_scope_is_public_and_its_failure_named(tmp_path: Path) -> None:
    writer = DiskWriter(tmp_path)
    writer.apply_managed(tmp_path / "etc", [CONFIG])
    assert stat.S_IMODE((tmp_path / "etc" / "config.yaml").stat().st_mode) == 0o644
    with pytest.raises(ManagedScopeError, match="cannot write"):
        writer.apply_managed(tmp_path / "etc" / "config.yaml" / "x", [CONFIG])


def test_a_dry_run_changes_files_in_memory_only(tmp_path: Path) -> None:
    writer = DryRunWriter(tmp_path)
    files = HermesFiles(root=HomeFiles("/h", config=b"old: 1\n", env=b"B=c\n"), profiles={}, managed=None)
    plan = InstallPlan(home=(CONFIG,), managed=(FileChange("config.yaml", b"m: 1\n"),))
    with writer.opened(tmp_path / ".hermes"):
        writer.apply(tmp_path / ".hermes", plan.home)
    after = writer.after(files, plan, None)
    assert after is not None
    assert (after.root.config, after.root.env) == (CONFIG.data, b"B=c\n")
    assert after.managed is not None
    assert after.managed.config == b"m: 1\n"
    in_profile = writer.after(files, InstallPlan(home=(CONFIG,)), "work")
    assert in_profile is not None
    assert in_profile.root.config == b"old: 1\n"
    assert in_profile.profiles["work"].config == CONFIG.data
    assert not (tmp_path / ".hermes").exists()
