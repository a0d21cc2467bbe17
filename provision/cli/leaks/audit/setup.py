"""Where an audit looks by default, and how it inspects Hermes homes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli.context import Run
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from provision.audit.homes import HomeContext
    from provision.detect.known import KnownKeys
    from provision.fleet.workspace import Workspace
    from provision.signing.allowed_signers import AllowedSigner

OTHER_PROGRAMS = (".aisa", ".claude", ".claude.json", ".codex", ".config/opencode")
"""Places outside Hermes, below the user's home, where keys of the gateway are found."""


def default_targets() -> list[Path]:
    """This user's Hermes home and its backups, provision's own folder, and folders of other programs that use the gateway."""
    from provision.cli.endpoint.machine import this_platform
    from provision.errors import NothingMatchedError
    from provision.fleet.config_folder import config_dir
    from provision.hermes.home import default_home

    home = Path(default_home(this_platform(), os.environ))
    user = user_home()
    others = [*(user / name for name in OTHER_PROGRAMS), *sorted(user.glob("hermes-backup-*.zip"))] if user else []
    found = [path for path in (home, config_dir(os.environ), *others) if path.exists()]
    if not found:
        raise NothingMatchedError(f"no Hermes home found at {home}", hint="name what to audit: `provision audit PATH…`")
    return found


def user_home() -> Path | None:
    """The user's home folder; None if the system knows none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def home_inspection(
    run: Run, workspace: Workspace | None, known: KnownKeys | None, name: Callable[[str], str], now: datetime
) -> HomeContext:
    """How homes are inspected: this user's own home with this environment, others with a minimal one."""
    from provision.audit.homes import HomeContext
    from provision.cli.endpoint.machine import this_platform
    from provision.hermes.home import default_home

    def environ_of(root: Path, profile: str | None) -> Mapping[str, str]:
        own = Path(default_home(this_platform(), os.environ)).absolute()
        if root == own:
            from provision.cli.endpoint.status import hermes_environment

            quiet = Run(run.workspace, quiet=True)
            return hermes_environment(quiet, root, profile, None, None, now)
        return minimal_environment(root)

    return HomeContext(_signers(workspace), environ_of, now, known, name)


def minimal_environment(root: Path) -> dict[str, str]:
    """The environment of another user's home, as far as its place gives it: on Windows it is `…\\AppData\\Local\\hermes`."""
    windows = {"USERPROFILE": str(root.parents[2])} if root.parts[-3:-1] == ("AppData", "Local") else {}
    return {"HOME": str(root.parent), facts.HOME_ENV: str(root)} | windows


def _signers(workspace: Workspace | None) -> Sequence[AllowedSigner]:
    """The signers that this machine or the workspace trusts."""
    from provision.errors import ProvisionError
    from provision.fleet.config_folder import config_dir

    found: list[AllowedSigner] = []
    own = config_dir(os.environ) / "allowed_signers"  # `EndpointFolder` without its imports
    for path in (own, workspace.allowed_signers if workspace else None):
        if path is None or not path.is_file():
            continue
        from provision.endpoint.identity import load_signers

        try:
            found += load_signers(path)
        except ProvisionError:
            continue  # an empty or unreadable file adds no trusted signer
    return found
