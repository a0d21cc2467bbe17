"""Carry out the plan of an install: on disk, or not at all (`--dry-run`).

On disk: under the home's lock, with the owner's rights, after an interrupted change was finished. All files go through one
transaction, so that a kill at any instant leaves the old or the new home.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from provision.endpoint.privileges import as_owner, link_target, refuse_linked_folder
from provision.endpoint.state import FOLDER, JOURNAL, REMOVED
from provision.errors import ProvisionError
from provision.files import STAGED_SUFFIX, FileProblemError, locked, write_atomic
from provision.hermes.facts import names as facts
from provision.hermes.facts.memory import MEMORY_FILES
from provision.hermes.home import HomeFiles
from provision.hermes.session_store import reset_session_choices
from provision.transaction import Transaction, recover

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from provision.endpoint.plan import FileChange, InstallPlan
    from provision.hermes.home import HermesFiles

_JOBS_WAIT_S = 5.0
USER_FILES = (facts.ENV_NAME, facts.AUTH_NAME, facts.CONFIG_NAME)


class ManagedScopeError(ProvisionError):
    """Hermes' managed scope is not writable."""


class HomeWriter(Protocol):
    """Opens a home for an install and applies the planned changes."""

    def opened(self, home: Path) -> AbstractContextManager[bool]:
        """Open the home for reading; yields whether a change that a crash interrupted was finished."""

    def apply(self, home: Path, changes: Sequence[FileChange]) -> None:
        """Change files of the home. Raises FileProblemError; the old files then stay."""

    def reset_conversations(self, home: Path, conversations: Sequence[str]) -> None:
        """Reset what conversations chose. Raises FileProblemError; the check of the route then reports what is left."""

    def apply_managed(self, folder: Path, changes: Sequence[FileChange]) -> None:
        """Change files of the managed scope."""

    def after(self, files: HermesFiles, plan: InstallPlan, hermes_profile: str | None) -> HermesFiles | None:
        """The home's files as they are after the plan; None if they must be read again."""


class DiskWriter:
    """Applies plans to the disk. The user's own symbolic links may lead only to files below `user_home`."""

    def __init__(self, user_home: Path | None) -> None:
        self._user_home = user_home

    @contextmanager
    def opened(self, home: Path) -> Iterator[bool]:
        """Lock and recover; yields whether an interrupted change was finished."""
        with as_owner(home) as for_another:
            if for_another:
                self._user_home = None
            refuse_linked_folder(home / FOLDER)
            try:
                for folder in (home, home / FOLDER):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as e:
                hint = "fix that and run the same command again"
                raise FileProblemError(f"cannot create {folder}: {e.strerror or e}", hint=hint) from e
            with locked(home / FOLDER / "lock", "install"), _jobs_locked(home):
                finished = recover(home, journal=JOURNAL, folders=[*_profile_folders(home), *_folders_of_files(home)])
                _sweep(home / REMOVED)
                _linked(home, self._user_home)
                yield finished

    def apply(self, home: Path, changes: Sequence[FileChange]) -> None:
        """Files behind the user's own links are written first, in order; the rest is one transaction."""
        linked = _linked(home, self._user_home)
        written = []
        try:
            with Transaction(home, journal=JOURNAL) as transaction:
                for change in changes:
                    if change.name in linked:
                        continue
                    if change.data is None:
                        transaction.remove(change.name)
                    else:
                        transaction.write(change.name, change.data, mode=change.mode)
                for change in changes:
                    if change.name in linked and change.data is not None:
                        _write_through(linked[change.name], change.data, change.mode)
                        written.append(change.name)
        except (OSError, FileProblemError) as e:
            problem = (
                e if isinstance(e, FileProblemError) else FileProblemError(f"cannot write to {home}: {e.strerror or e}")
            )
            if written:
                done = f"{', '.join(written)} (behind a link) is already changed"
                raise FileProblemError(problem.message, hint=f"{done}; run the same command again") from e
            raise problem from e

    def reset_conversations(self, home: Path, conversations: Sequence[str]) -> None:
        """Remove the choices from `state.db` and `sessions.json`, each as a whole."""
        if conversations:
            reset_session_choices(home, conversations)

    def apply_managed(self, folder: Path, changes: Sequence[FileChange]) -> None:
        """Change the managed scope, which belongs to root and is readable by all users; it never holds a secret."""
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            for change in changes:
                if change.data is not None:
                    write_atomic(folder / change.name, change.data, mode=change.mode)
        except (OSError, FileProblemError) as e:
            raise ManagedScopeError(
                f"cannot write the managed scope {folder}: {e}",
                hint="run as root, or name another with --managed-dir",
            ) from e

    def after(self, files: HermesFiles, plan: InstallPlan, hermes_profile: str | None) -> HermesFiles | None:
        """Return None: the files must be read again."""


class DryRunWriter:
    """Changes nothing; computes what the files would be. `user_home` is as in DiskWriter."""

    def __init__(self, user_home: Path | None) -> None:
        self._user_home = user_home

    @contextmanager
    def opened(self, home: Path) -> Iterator[bool]:
        """Open the home as it is."""
        with as_owner(home) as for_another:
            refuse_linked_folder(home / FOLDER)
            _linked(home, None if for_another else self._user_home)
            yield False

    def apply(self, home: Path, changes: Sequence[FileChange]) -> None:
        """Do nothing."""

    def reset_conversations(self, home: Path, conversations: Sequence[str]) -> None:
        """Do nothing."""

    def apply_managed(self, folder: Path, changes: Sequence[FileChange]) -> None:
        """Do nothing."""

    def after(self, files: HermesFiles, plan: InstallPlan, hermes_profile: str | None) -> HermesFiles | None:
        """The files with the planned changes applied in memory."""
        managed = files.managed
        if plan.managed:
            managed = _with_changes(managed or HomeFiles("the managed scope"), plan.managed)
        if hermes_profile is not None and hermes_profile != "default":
            path = f"{files.root.path}/{facts.PROFILES_FOLDER}/{hermes_profile}"
            folder = files.profiles.get(hermes_profile, HomeFiles(path))
            return replace(files, profiles={**files.profiles, hermes_profile: _over(folder, plan)}, managed=managed)
        return replace(files, root=_over(files.root, plan), managed=managed)


def _profile_folders(home: Path) -> list[str]:
    """Hermes profiles that an install of the home may write to: those without an installation, and so a lock, of their own."""
    folder = home / facts.PROFILES_FOLDER
    try:
        found = [each for each in folder.iterdir() if not each.is_symlink() and each.is_dir()]
    except OSError:
        return []
    return [f"{facts.PROFILES_FOLDER}/{each.name}" for each in found if not (each / FOLDER).exists()]


def linked_files(home: Path) -> frozenset[str]:
    """Which of the scheduled jobs, `gateway.json` and files of memory services are behind a link; such a file is not changed."""
    paths = {name: home / name for name in (facts.JOBS_NAME, facts.GATEWAY_NAME, *MEMORY_FILES)}
    return frozenset(
        name for name, path in paths.items() if path.is_symlink() or (path.parent != home and path.parent.is_symlink())
    )


def _folders_of_files(home: Path) -> list[str]:
    """The folders below the home in which an install may change a file."""
    return [
        folder
        for name in (facts.JOBS_NAME, *MEMORY_FILES)
        if (folder := Path(name).parent.as_posix()) != "." and name not in linked_files(home)
    ]


@contextmanager
def _jobs_locked(home: Path) -> Iterator[None]:
    """Hold Hermes' own lock of the scheduled jobs, if it uses one here: it reads, changes and writes that file as a whole.

    Hermes goes on without the lock after a while, and so does this: a process that hangs must not prevent an install.
    """
    path = home / facts.JOBS_LOCK_NAME
    if facts.JOBS_NAME in linked_files(home) or path.is_symlink() or not path.is_file():
        yield
        return
    import filelock  # noqa: PLC0415  imports asyncio; only commands that write pay for it

    lock = filelock.FileLock(path, timeout=_JOBS_WAIT_S)
    with suppress(filelock.Timeout, OSError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _over(folder: HomeFiles, plan: InstallPlan) -> HomeFiles:
    return replace(
        _with_changes(folder, plan.home),
        sessions=tuple(each for each in folder.sessions if each.conversation not in plan.conversations),
    )


def _with_changes(folder: HomeFiles, changes: Sequence[FileChange]) -> HomeFiles:
    new = {c.name: c.data for c in changes}
    return replace(
        folder,
        config=new.get(facts.CONFIG_NAME, folder.config),
        env=new.get(facts.ENV_NAME, folder.env),
        auth=new.get(facts.AUTH_NAME, folder.auth),
        jobs=new.get(facts.JOBS_NAME, folder.jobs),
        gateway=new.get(facts.GATEWAY_NAME, folder.gateway),
        memory={name: new.get(name) or data for name, data in folder.memory.items()},
    )


def _linked(home: Path, user_home: Path | None) -> dict[str, Path]:
    """The user's files that are symbolic links, and their targets. Raises LinkedHomeError for forbidden links."""
    targets = {name: link_target(home / name, user_home) for name in USER_FILES}
    return {name: target for name, target in targets.items() if target is not None}


def _write_through(target: Path, data: bytes, mode: int) -> None:
    for stray in target.parent.glob(f".{target.name}.*{STAGED_SUFFIX}"):
        stray.unlink(missing_ok=True)
    write_atomic(target, data, mode=mode)


def _sweep(folder: Path) -> None:
    if folder.is_dir():
        for stray in folder.glob(f".*{STAGED_SUFFIX}"):
            stray.unlink(missing_ok=True)


def modes_of(home: Path) -> Mapping[str, int]:
    """Permission bits of the user's existing files; empty on Windows."""
    if os.name == "nt":
        return {}
    found = {}
    for name in USER_FILES:
        try:
            found[name] = stat.S_IMODE((home / name).stat().st_mode)
        except OSError:
            continue
    return found
