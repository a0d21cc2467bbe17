"""Nothing that is open is renamed, replaced or removed: on Windows all of that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from share_modes import refuse_open_files

from provision import files
from provision.audit.fix import replace
from provision.audit.fix.replace import replace_unchanged
from provision.files import replace_file, write_atomic

ROOT = Path(__file__).parents[2]
FEW = (
    "unit/redact/test_redact_files_module.py",
    "unit/keys/vault",
    "unit/feed/test_feed_state.py",
    "unit/feed/test_feed_pull.py",
)
SUITES = (
    *("unit/endpoint", "unit/fleet", "unit/redact", "unit/keys", "unit/feed", "unit/rotate", "integration/cli"),
    *(
        "integration/test_files_transaction.py",
        "integration/test_bundle_install.py",
        "integration/test_bundle_commands.py",
    ),
    *("integration/test_feed_commands.py", "integration/test_feed_publish.py", "integration/test_redact_files.py"),
    *("integration/test_cli_checklist.py", "integration/test_cli_keys.py", "integration/test_keys_command.py"),
    *("integration/test_rotate_ways.py", "integration/test_uninstall.py"),
)
"""Without `audit --fix`: on Linux it exchanges files that it holds open. Its way on Windows is tested below, for text only."""
LINUX_ONLY = ("test_fix_needs_a_recipient_and_a_confirmation",)
"""`audit --fix` holds the file open while it exchanges both, which Windows cannot; what it does there is tested below."""


def test_the_shim_refuses_what_windows_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_open_files(monkeypatch)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    with (tmp_path / "a").open("rb"):
        with pytest.raises(PermissionError):
            (tmp_path / "a").replace(tmp_path / "c")
        with pytest.raises(PermissionError):
            (tmp_path / "b").replace(tmp_path / "a")
        with pytest.raises(PermissionError):
            (tmp_path / "a").unlink()
    (tmp_path / "b").replace(tmp_path / "a")


def passes(suites: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--share-modes"]
    chosen = [str(ROOT / "tests" / each) for each in suites]
    done = subprocess.run(
        [*command, "-k", " and ".join(f"not {name}" for name in LINUX_ONLY), *chosen],
        cwd=ROOT,
        env={**os.environ, "CI": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]


def test_replacing_and_locking_files_passes_under_it() -> None:
    passes(FEW)


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_everything_that_writes_files_passes_under_it() -> None:
    passes(SUITES)


@pytest.mark.parametrize("refusals", [0, 3])
def test_a_scanner_that_has_the_file_open_is_waited_for(
    refusals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [refusals]
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "sharing violation")
        return real(self, target)

    waits: list[float] = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files.time, "sleep", waits.append)
    (tmp_path / "a").write_text("old")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert len(waits) == refusals


def test_the_wait_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def refused(*_: object) -> None:
        raise PermissionError(13, "sharing violation")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(Path, "replace", refused)
    monkeypatch.setattr(files.time, "sleep", waits.append)
    with pytest.raises(PermissionError):
        replace_file(tmp_path / "a", tmp_path / "b")
    assert sum(waits) == 2.5


def test_audits_fix_replaces_a_file_that_it_has_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"old")
    refuse_open_files(monkeypatch)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(replace, "system_exchange", lambda: None)
    with replace.LateWriters() as late:
        replace_unchanged(path, b"old", b"new", 0o600, late)
        assert not late.finish()
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]
