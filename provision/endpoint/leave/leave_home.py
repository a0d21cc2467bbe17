"""Carry out an uninstall: one transaction over the user's files and `.provision/`, then remove the empty folder.

A kill at any instant leaves the old home or the new one; a repeated run finishes it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from provision.endpoint.apply import linked_files, modes_of
from provision.endpoint.leave.uninstall_plan import UninstallPlan, plan_uninstall
from provision.endpoint.privileges import as_owner
from provision.endpoint.state import FOLDER, JOURNAL, REMOVED, read_installed, require_installed
from provision.files import STAGED_SUFFIX, FileProblemError, read_optional
from provision.hermes.facts import names as facts
from provision.hermes.home import effective_home, home_or_profile_files, read_home

if TYPE_CHECKING:
    from pathlib import Path

    from provision.bundle.manifest import Manifest
    from provision.endpoint.apply import HomeWriter
    from provision.hermes.home import HermesFiles, HomeFiles

_MAX_NOTE_BYTES = 1 << 20
_NOT_OURS = (f"{FOLDER}/lock", JOURNAL)


def leave_home(
    root: Path, hermes_profile: str | None, writer: HomeWriter, *, dry_run: bool
) -> tuple[Manifest, UninstallPlan] | None:
    """Take out of a home what provision set; None if only the rest of a killed run was left to remove.

    Raises NotInstalledError, MergeError, LockedError and FileProblemError.
    """
    home = effective_home(root, hermes_profile)
    with as_owner(home):
        if not (home / FOLDER).is_dir():
            require_installed(home)  # before `opened` makes a folder
    with writer.opened(home) as finished:
        if read_installed(home) is None and (finished or not any(_own_files(home))):
            _remove_folder(home, dry_run=dry_run)
            return None
        installed = require_installed(home)
        files = read_home(root, managed_dir=None)
        notes = [read_optional(path, _MAX_NOTE_BYTES) or b"" for path in sorted((home / REMOVED).glob("*.json"))]
        plan = plan_uninstall(
            home_or_profile_files(files, hermes_profile, home),
            installed,
            notes=notes,
            own_files=_own_files(home),
            profiles=_profiles_of(files, home, hermes_profile),
            modes=modes_of(home),
            linked=linked_files(home),
        )
        writer.apply(home, plan.changes)
    with as_owner(home):
        _remove_folder(home, dry_run=dry_run)
    return installed.manifest, plan


def _remove_folder(home: Path, *, dry_run: bool) -> None:
    if dry_run:
        return
    try:
        shutil.rmtree(home / FOLDER)
    except OSError as e:
        raise FileProblemError(
            f"the settings are taken out, but {home / FOLDER} cannot be removed: {e.strerror or e}",
            hint="run the same command again",
        ) from e


def _own_files(home: Path) -> list[str]:
    """All files of `.provision/`, the manifest first: without it the home counts as not set up."""
    found = [path.relative_to(home).as_posix() for path in (home / FOLDER).rglob("*") if path.is_file()]
    found = [name for name in found if name not in _NOT_OURS and not name.endswith((STAGED_SUFFIX, ".holder"))]
    return sorted(found, key=lambda name: (not name.endswith("manifest.json"), name))


def _profiles_of(files: HermesFiles, home: Path, hermes_profile: str | None) -> dict[str, HomeFiles]:
    """The Hermes profiles in the home without an installation of their own; none if the installation is for a profile."""
    if hermes_profile not in (None, "default"):
        return {}
    folder = home / facts.PROFILES_FOLDER
    return {
        f"{facts.PROFILES_FOLDER}/{name}": profile
        for name, profile in files.profiles.items()
        if not profile.unreadable and not (folder / name / FOLDER).exists() and not (folder / name).is_symlink()
    }
