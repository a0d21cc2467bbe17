"""What `audit` is done with: where to look, whose keys are known, which rules, in which surroundings. Not a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli.context import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from provision.audit.homes import Looking
    from provision.bundle.manifest import Manifest
    from provision.detect.known import KnownKeys
    from provision.detect.rule import Rule
    from provision.fleet.workspace import Workspace
    from provision.signing.allowed_signers import AllowedSigner

MAX_KNOWN_BYTES = 256 << 20
OTHER_PROGRAMS = (".aisa", ".claude", ".claude.json", ".codex", ".config/opencode")
"""Where keys of the gateway turn up outside Hermes, below the user's home."""


def default_targets() -> list[Path]:
    """This user's Hermes home and backups of it, provision's own folder, and other programs' that use the gateway's keys."""
    from provision.cli.endpoint.machine import this_platform
    from provision.errors import NothingMatchedError
    from provision.fleet.settings import config_dir
    from provision.hermes.home import default_home

    home = Path(default_home(this_platform(), os.environ))
    user = user_home()
    others = [*(user / name for name in OTHER_PROGRAMS), *sorted(user.glob("hermes-backup-*.zip"))] if user else []
    found = [path for path in (home, config_dir(os.environ), *others) if path.exists()]
    if not found:
        raise NothingMatchedError(f"there is no Hermes home {home}", hint="name what to audit: `provision audit PATH…`")
    return found


def user_home() -> Path | None:
    """The user's own folder."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def load_known_keys(
    run: Run, workspace: Workspace | None, file: Path | None, installed: Manifest | None
) -> KnownKeys | None:
    """The fleet's keys: from a file of fingerprints, else the workspace's vault, else this machine's own manifest."""
    from provision.detect.known import KnownKeys
    from provision.detect.known_key import KnownKey
    from provision.detect.known_file import parse_known_keys
    from provision.errors import ProvisionError, UsageError
    from provision.files import read_bounded
    from provision.keys.identities import load_identities
    from provision.keys.known_keys import known_keys
    from provision.keys.vault.file import open_vault

    if file is not None:
        try:
            return parse_known_keys(read_bounded(file, MAX_KNOWN_BYTES))
        except FileNotFoundError:
            raise UsageError(
                f"there is no file {file}", hint="`provision audit --write-known FILE` makes one"
            ) from None
    if workspace is not None and workspace.vault.exists():
        try:
            return known_keys(open_vault(workspace.vault, load_identities(workspace.identity)))
        except ProvisionError as e:
            run.say(f"without the vault, so nobody's keys are known: {e}")
    if installed is not None:
        own = KnownKey(installed.user, installed.key_fingerprint, "current", installed.created_at)
        return KnownKeys(installed.salt, frozenset({("sk-aisa-", 51)}), {own.fingerprint: own})
    return None


def installed_manifest() -> Manifest | None:
    """The manifest that is installed in this user's home, if any."""
    from provision.cli.endpoint.machine import chosen_home
    from provision.endpoint.state import read_installed
    from provision.errors import ProvisionError
    from provision.hermes.home import effective_home

    try:
        root, profile = chosen_home(None, None)
        found = read_installed(effective_home(root, profile))
    except (ProvisionError, OSError):
        return None
    return found.manifest if found else None


def load_all_rules(file: Path | None, say: Callable[[str], None] = lambda _: None) -> tuple[Rule, ...]:
    """The built-in rules, and those of a file in gitleaks' form; `say` hears what of that file is not honoured."""
    from provision.detect.rules.builtin import BUILTIN

    if file is None:
        return BUILTIN
    from provision.detect.rules.gitleaks import load_rules

    return (*BUILTIN, *load_rules(file, lambda problem: say(str(problem))))


def home_inspection(
    run: Run, workspace: Workspace | None, known: KnownKeys | None, name: Callable[[str], str], now: datetime
) -> Looking:
    """How homes are judged: this user's own with this environment, others as if started with a bare one."""
    from provision.audit.homes import Looking
    from provision.cli.endpoint.machine import this_platform
    from provision.hermes.home import default_home

    def environ_of(root: Path, profile: str | None) -> Mapping[str, str]:
        own = Path(default_home(this_platform(), os.environ)).absolute()
        if root == own:
            from provision.cli.endpoint.status import hermes_environment

            quiet = Run(run.workspace, quiet=True)
            return hermes_environment(quiet, root, profile, None, None, now)
        return {"HOME": str(root.parent), "HERMES_HOME": str(root)}

    return Looking(_signers(workspace), environ_of, now, known, name)


def _signers(workspace: Workspace | None) -> Sequence[AllowedSigner]:
    """Whoever this machine or the workspace trusts to sign."""
    from provision.cli.endpoint.machine import endpoint_folder
    from provision.endpoint.identity import load_signers
    from provision.errors import ProvisionError

    found: list[AllowedSigner] = []
    for path in (endpoint_folder().allowed_signers, workspace.allowed_signers if workspace else None):
        if path is None or not path.is_file():
            continue
        try:
            found += load_signers(path)
        except ProvisionError:
            continue  # it names nobody, or nobody who can be read: then nobody of it is trusted
    return found
