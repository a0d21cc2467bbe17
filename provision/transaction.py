"""Change several files together: after a crash, all are old or all are new.

All are staged, then one journal is renamed into place (the commit), then each file is renamed. After a crash, `recover` finishes
a committed change and removes an uncommitted one. Journals hold only relative names and digests and no secrets, and recovery
never leaves its folder: a journal in a user's home must not control a process that runs as root.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from provision.files import (
    STAGED_BY_PROCESS,
    STAGED_SUFFIX,
    FileProblemError,
    is_abandoned,
    read_bounded,
    read_optional,
    replace_file,
    staged_file,
    sync_directory,
    write_atomic,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LIMIT_BYTES = 256 << 20


class Transaction:
    """Change several files below `root` together. A context manager; leaving it without an exception commits."""

    def __init__(self, root: Path, *, journal: str, durable: bool = True) -> None:
        self._root = root
        self._journal = root / journal
        self._durable = durable
        self._steps: list[dict[str, str | None]] = []

    def __enter__(self) -> Transaction:
        return self

    def write(self, name: str, data: bytes, *, mode: int = 0o600) -> None:
        """Stage new content for `name`, relative to the root, as a POSIX path."""
        target = self._root / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = staged_file(target, data, mode, durable=self._durable, in_journal=True)
        was = _digest(target)
        differs = was != hashlib.sha256(data).hexdigest()
        self._steps.append({"target": name, "staged": staged.name, "was": was if differs else None})

    def remove(self, name: str) -> None:
        """Stage the removal of `name`. The file may be missing."""
        self._steps.append({"target": name, "staged": None})

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self._sweep()
            return
        if not self._steps:
            return
        try:
            self._journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in {(self._root / str(step["target"])).parent for step in self._steps}:
                if self._durable and folder.is_dir():
                    sync_directory(folder)
            write_atomic(self._journal, json.dumps({"steps": self._steps}).encode(), durable=self._durable)
        except BaseException:
            with contextlib.suppress(OSError):
                self._journal.unlink(missing_ok=True)  # it may be in place, with its folder not flushed
                self._sweep()  # a journal that stays needs them
            raise
        _apply(self._root, self._journal, self._steps, durable=self._durable)

    def _sweep(self) -> None:
        for step in self._steps:
            if step["staged"]:
                with contextlib.suppress(OSError):
                    (self._root / str(step["target"])).with_name(step["staged"]).unlink(missing_ok=True)


def recover(root: Path, *, journal: str, folders: Iterable[str] = ()) -> bool:
    """Finish a committed transaction after a crash, and remove the staged files of an uncommitted one.

    The caller holds the transaction's lock. Staged files are searched in the root, in the journal's folder and in `folders`,
    relative to the root. Returns whether a committed change was finished. An invalid journal, or one that leads through a
    symbolic link, is refused.
    """
    path = root / journal
    data = read_optional(path, 64 << 20)
    steps = _journal_steps(path, root, data) if data is not None else []
    if steps:
        _apply(root, path, steps, durable=True)
    for folder in {root, path.parent, *(root / name for name in folders)}:
        if folder.is_dir() and not _through_link(root, folder / "any"):
            for stray in folder.glob(f".*{STAGED_SUFFIX}"):
                with contextlib.suppress(OSError):  # what a running process stages stays
                    if is_abandoned(stray.name) or not STAGED_BY_PROCESS.search(stray.name):
                        stray.unlink()
    return bool(steps)


def _journal_steps(path: Path, root: Path, data: bytes) -> list[dict[str, str | None]]:
    try:
        steps = json.loads(data)["steps"]
        for step in steps:
            if not (_safe_target(step["target"]) and _safe_staged(step["staged"])):
                raise ValueError(step)
            if _through_link(root, root / step["target"]):
                raise ValueError(step)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise FileProblemError(
            f"{path} is not a valid journal, or leads outside its folder",
            hint="inspect it; if it is not needed, remove it and run the same command again",
        ) from e
    return list(steps)


def _safe_target(name: str) -> bool:
    bad = {"..", ".git"} & set(name.lower().split("/")) or set(name) & set("\\:\0")  # git can bring a journal
    return bool(PurePosixPath(name).name) and name[0] != "/" and not bad


def _safe_staged(name: str | None) -> bool:
    return name is None or (name.startswith(".") and name.endswith(STAGED_SUFFIX) and not set(name) & set("/\\:\0"))


def _through_link(root: Path, path: Path) -> bool:
    """Whether a folder between `root` and `path` is a symbolic link, which could lead anywhere."""
    folder = path.parent
    while folder != root and folder.is_relative_to(root):
        if folder.is_symlink():
            return True
        folder = folder.parent
    return False


def _apply(root: Path, journal: Path, steps: list[dict[str, str | None]], *, durable: bool) -> None:
    if lost := [str(step["target"]) for step in steps if _is_lost(root, step)]:
        raise FileProblemError(
            f"an interrupted change of {root} cannot be finished: the new content of {', '.join(lost)} is gone",
            hint=f"compare with git or a backup, remove {journal}, and run the same command again",
        )
    folders = set()
    for step in steps:
        target = root / str(step["target"])
        folders.add(target.parent)
        try:
            if step["staged"] is None:
                target.unlink(missing_ok=True)
            else:
                staged = target.with_name(step["staged"])
                if staged.exists():  # missing if a crash happened after this rename
                    replace_file(staged, target)
        except OSError as e:
            raise FileProblemError(
                f"cannot write {target}: {e.strerror or e}",
                hint="fix that and run the same command again; it continues from here",
            ) from e
    try:
        if durable:
            for folder in folders:
                if folder.is_dir():
                    sync_directory(folder)
        journal.unlink(missing_ok=True)
        if durable:
            sync_directory(journal.parent)
    except OSError as e:
        raise FileProblemError(
            f"the change is made, but cannot be flushed to the disk: {e.strerror or e}",
            hint="check the disk, then run the same command again",
        ) from e


def _is_lost(root: Path, step: dict[str, str | None]) -> bool:
    """Whether a staged file is missing, but was not renamed: the target is as before. Journals once did not say how that was.

    A target with content that is neither old nor new was renamed, and changed since, such as a log that grew.
    """
    target, staged, was = root / str(step["target"]), step["staged"], step.get("was")
    return staged is not None and was is not None and not target.with_name(staged).exists() and _digest(target) == was


def _digest(path: Path) -> str | None:
    """The SHA-256 of a file, empty if it is missing; None for a link and what cannot be read."""
    try:
        return hashlib.sha256(read_bounded(path, _LIMIT_BYTES, follow=False)).hexdigest()
    except FileNotFoundError:
        return ""
    except FileProblemError:
        return None
