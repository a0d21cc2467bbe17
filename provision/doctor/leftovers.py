"""What killed runs and other programs leave: locks, temporary files, unfinished changes, files that others can read."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from provision.doctor.health import HealthFinding, failed, fine, skipped, warning
from provision.files import FileProblemError, is_abandoned, is_running, read_bounded
from provision.keys.vault.together import JOURNAL
from provision.scratch import left_folders
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HOLDER = ".holder"
_DEPTH = 3
_SMALL_BYTES = 16 << 10
_SECRET_MARKS = {
    b"AGE-SECRET-KEY-1": "an age identity",
    b"-----BEGIN OPENSSH PRIVATE KEY-----": "a private key",
    b"RECOVERY KEY of a provision workspace": "a recovery page",
}
_BUILT = {"dist", "receipts", "trust"}
"""Folders that provision fills: one folder or file for each user."""
_SKIPPED = {".git", "node_modules", ".venv"}


def lock_findings(roots: Sequence[Path]) -> Iterator[HealthFinding]:
    """Yield locks that are held, and notes of holders that do not run any more. A leftover note locks nothing."""
    nothing = True
    for path in _files(roots):
        if not path.name.endswith(_HOLDER):
            continue
        nothing = False
        try:
            holder = json.loads(read_bounded(path, 4096))
            who = f"{holder['who']}@{holder['host']} (pid {int(holder['pid'])}, {holder['doing']})"
            here = holder["host"] == socket.gethostname()
            alive = is_running(int(holder["pid"])) if here else None
        except (FileNotFoundError, FileProblemError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            who, alive = "an unknown process", False
        remove = f"remove the note: rm {shell_path(path)}"
        if alive:
            yield fine("locks.held", f"{path} is held by {who}")
        elif alive is None:
            yield warning(
                "locks.stale", f"{path}: {who} holds it, or was ended there", f"ask there; {remove}", str(path)
            )
        else:
            yield warning("locks.stale", f"{path}: {who} does not run any more", remove, str(path))
    if nothing:
        yield fine("locks.stale", "no lock is held")


def leftover_findings(roots: Sequence[Path]) -> Iterator[HealthFinding]:
    """Yield temporary files and folders of killed runs."""
    found = [path for path in _files(roots) if is_abandoned(path.name)]
    for path in found:
        yield warning("files.left", f"{path} was left by a killed run", f"remove it: rm {shell_path(path)}", str(path))
    for folder in left_folders():
        text = f"{folder} was left by a killed run"
        yield warning("files.left", text, f"remove it: rm -r {shell_path(folder)}", str(folder))
        found.append(folder)
    if not found:
        yield fine("files.left", "no temporary file of a killed run")


def journal_finding(root: Path) -> Iterator[HealthFinding]:
    """Yield whether a change of the operators was interrupted after its commit."""
    path = root / JOURNAL
    if path.exists():
        fix = "the next command finishes it, or says what is missing: provision operators list"
        yield warning("files.unfinished", f"{path}: a change of the operators was interrupted", fix, str(path))
    else:
        yield fine("files.unfinished", "no interrupted change")


def private_findings(id_: str, paths: Sequence[Path], folder: Path) -> Iterator[HealthFinding]:
    """Yield whether private files are private, and their folder is not writable by others."""
    if os.name == "nt":
        yield skipped(id_, "permissions are not checked on Windows")
        return
    bad = False
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0
        if mode & 0o077:
            bad = True
            fix = f"then replace the key if others may have read it: chmod 600 {shell_path(path)}"
            yield failed(id_, f"{path} is readable by other users (mode {mode:04o})", fix, str(path))
    mode = stat.S_IMODE(folder.stat().st_mode) if folder.is_dir() else 0
    if mode & 0o022:
        bad = True
        fix = f"take that right away: chmod go-w {shell_path(folder)}"
        yield failed(id_, f"{folder} is writable by other users (mode {mode:04o})", fix, str(folder))
    if not bad:
        yield fine(id_, "private keys are private")


def secret_file_findings(root: Path) -> Iterator[HealthFinding]:
    """Yield small files of the workspace with a private key or a recovery page in them: all of it is committed."""
    bad = False
    for path in _files([root]):
        folder = path.relative_to(root).parts[0]
        if folder in _BUILT or path.is_symlink() or not path.is_file() or path.stat().st_size > _SMALL_BYTES:
            continue
        what = next((what for mark, what in _SECRET_MARKS.items() if mark in read_bounded(path, _SMALL_BYTES)), None)
        if what is not None:
            bad = True
            fix = "move it out, and replace the key if it was ever committed: git log --oneline -- " + shell_path(path)
            yield failed("keys.workspace", f"{path} has {what} in it, and the workspace is shared", fix, str(path))
    if not bad:
        yield fine("keys.workspace", "no private key and no recovery page in the workspace's own files")


def _files(roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the files below the roots, a few folders deep, without following links."""
    for root in roots:
        for at, folders, names in os.walk(root):
            depth = len(Path(at).relative_to(root).parts)
            folders[:] = [name for name in folders if depth < _DEPTH and name not in _SKIPPED]
            for name in names:
                yield Path(at) / name
