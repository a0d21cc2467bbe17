"""Links in a workspace that lead out of it. git brings links, and commands would write through them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import Place, Problem
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.settings import Settings

_WRITTEN = ("feed.secret", "orders", "profiles", "receipts/left", "templates", "trust")
WRITTEN_SETTINGS = ("allowed_signers", "catalogue", "dist", "inventory", "vault")
"""Settings that name a place to write to."""
_JOURNALS = (".provision", "rotations")
"""Folders of files that commands open to add to them: a write through a link, where others rename a new file onto it."""


def outward_links(folder: Path, settings: Settings) -> Iterator[Problem]:
    """Links among what commands write that lead out of the workspace, or into its `.git`. Those inside are followed.

    Settings that name a place outside wait for approval: see `fleet.approvals`.
    """
    root = str(folder)
    journals = (*_JOURNALS, f"{settings.dist}/.provision")
    log = str(settings.vault.with_name("events.jsonl"))
    names = [log, *_WRITTEN, *journals, *(str(getattr(settings, name)) for name in WRITTEN_SETTINGS)]
    links = {link for name in names for link in _links_to(root, name)}
    for name in journals:
        links |= _links_in(os.path.join(root, name))  # noqa: PTH118  each command pays for this
    for link in sorted(links):
        if is_outside(root, link):
            name = os.path.relpath(link, root).replace(os.sep, "/")
            message = "it is a link out of the workspace, and commands would write through it"
            hint = f"see who added it, then remove it: rm {shell_path(link)}"
            yield Problem("outward-link", message, Place(name), hint)


def is_outside(root: str, path: str) -> bool:
    """Whether a path leads out of a workspace, or into its git folder."""
    real_root, real = os.path.realpath(root), os.path.realpath(path)
    inside = os.path.relpath(real, real_root) if real.startswith(real_root.rstrip(os.sep) + os.sep) else ".."
    return inside.split(os.sep, 1)[0].lower() in {"..", ".git"}


def _links_to(root: str, name: str) -> Iterator[str]:
    """The links on the way from the root to a name below it."""
    path = root
    if os.path.isabs(name):  # noqa: PTH117
        return
    for part in Path(os.path.normpath(name)).parts:
        path = os.path.join(path, part)  # noqa: PTH118
        if part == "..":
            return
        if os.path.islink(path):  # noqa: PTH114
            yield path


def _links_in(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.path for entry in entries if entry.is_symlink()}
    except OSError:
        return set()
