"""What a killed run leaves is removed by the next one, and what a running one uses is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provision.files import STAGED_SUFFIX, staged_path, sweep_once, write_atomic
from provision.scratch import Scratch, scratch_folder

HOLDS = """
import os, signal, sys
from pathlib import Path
from provision.files import staged_file
from provision.scratch import Scratch, scratch_folder
with scratch_folder(Scratch(sys.argv[1])) as folder:
    (folder / "secret").write_text("sk-aisa-something")
    staged_file(Path(sys.argv[2]), b"half", 0o600)
    print(folder, flush=True)
    sys.stdin.read()
"""


def started(kind: Scratch, target: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that uses a folder and has staged a file."""
    words = [sys.executable, "-c", HOLDS, kind.value, str(target)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals and locks")
@pytest.mark.parametrize("kind", Scratch)
def test_a_temporary_folder_of_a_killed_run_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Scratch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    process, folder = started(kind, tmp_path / "file")
    try:
        assert folder.parent == tmp_path
        with scratch_folder(kind) as other:
            assert folder.is_dir(), "a folder in use stays"
            assert other.stat().st_mode & 0o777 == 0o700
        assert not other.exists()
    finally:
        ended(process)
    assert (folder / "secret").exists(), "this is what a kill leaves"
    with scratch_folder(kind):
        assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_staged_file_of_a_killed_run_is_removed_by_the_next_write_into_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    process, _ = started(Scratch.DRY_RUN, target)
    elsewhere = tmp_path / f".other.00000000-1-{'0' * 12}{STAGED_SUFFIX}"
    elsewhere.write_text("of another machine that shares the folder")
    try:
        sweep_once.cache_clear()
        write_atomic(tmp_path / "another", b"x")
        assert len(list(tmp_path.glob(f".report.html.*{STAGED_SUFFIX}"))) == 1, "its process is at work"
    finally:
        ended(process)
    sweep_once.cache_clear()
    write_atomic(tmp_path / "another", b"y")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(STAGED_SUFFIX)] == [elsewhere.name]


def test_no_other_code_makes_temporary_files() -> None:
    """All go through `scratch` and `files`, which say what may be left: else nothing would remove them."""
    source = Path(__file__).resolve().parents[2] / "provision"
    allowed = {
        "scratch.py",
        "files.py",
        "command.py",  # `demo --keep`: to look at
        "bundle_steps.py",  # runs on machines, without this package; holds sealed bundles only
    }
    words = ("mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile", "}{STAGED_SUFFIX}")
    found = {p.name: p.read_text() for p in source.rglob("*.py") if p.name not in allowed}
    found = {name: text.replace("*{STAGED_SUFFIX}", "") for name, text in found.items()}
    assert [name for name, text in found.items() if any(word in text for word in words)] == []


def test_names_of_staged_files_say_who_made_them(tmp_path: Path) -> None:
    assert f"-{os.getpid():x}-" in staged_path(tmp_path / "x").name
