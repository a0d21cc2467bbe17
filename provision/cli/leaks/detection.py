"""What `audit`, `redact` and `checklist` detect with: the workspace, the fleet's known keys, and the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.cli.context import Run
from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.bundle.manifest import Manifest
    from provision.detect.known import KnownKeys
    from provision.detect.rule import Rule
    from provision.fleet.workspace import Workspace

MAX_KNOWN_BYTES = 256 << 20
AISA_KEY_SHAPES = frozenset({("sk-aisa-", 51)})
"""Prefix and length of the gateway's usual keys: candidates to compare when only fingerprints are known."""


def workspace_or_none(run: Run) -> Workspace | None:
    """Open the workspace; None if there is none here. Raises NoWorkspaceError if --workspace named one."""
    if not run.may_have_workspace():
        return None
    from provision.fleet.workspace import NoWorkspaceError

    try:
        return run.open_workspace()
    except NoWorkspaceError:
        if run.workspace is not None:
            raise
        return None


def load_known_keys(
    run: Run, workspace: Workspace | None, file: Path | None, installed: Manifest | None
) -> KnownKeys | None:
    """The fleet's keys: from a file of fingerprints, else the workspace's vault, else this machine's own manifest."""
    from provision.detect.known import KnownKeys
    from provision.detect.known_key import KnownKey

    if file is not None:
        return read_known_file(file)
    if workspace is not None and workspace.vault.exists():
        try:
            return _vault_keys(workspace)
        except ProvisionError as e:
            run.say(f"cannot open the vault, so no key can be assigned to a user: {e}")
    if installed is not None:
        own = KnownKey(installed.user, installed.key_fingerprint, "current", installed.created_at)
        return KnownKeys(installed.salt, AISA_KEY_SHAPES, {own.fingerprint: own})
    return None


def load_known_fingerprints(run: Run, workspace: Workspace | None, file: Path | None) -> KnownKeys | None:
    """The fleet's keys: from a file of fingerprints, else the vault. A vault that cannot be opened gives fingerprints.

    With fingerprints alone only keys of the usual shape are recognized.
    """
    from provision.detect.known import KnownKeys
    from provision.detect.known_key import KnownKey
    from provision.keys.vault.file import read_vault

    if file is not None:
        return read_known_file(file)
    if workspace is None or not workspace.vault.exists():
        return None
    try:
        return _vault_keys(workspace)
    except ProvisionError as e:
        run.detail(f"cannot open the vault, so only keys of the usual shape are recognized: {e}")
    sealed = read_vault(workspace.vault)
    by_fingerprint = {k.fingerprint: KnownKey(k.user, k.fingerprint, k.stage.value, k.created, k.label) for k in sealed}
    return KnownKeys(sealed.salt, AISA_KEY_SHAPES, by_fingerprint)


def read_known_file(file: Path) -> KnownKeys:
    """Read a file from `audit --write-known`. Raises UsageError if it is missing."""
    from provision.detect.known_file import parse_known_keys
    from provision.files import read_bounded
    from provision.formats.shell_output import shell_bytes

    try:
        return parse_known_keys(shell_bytes(read_bounded(file, MAX_KNOWN_BYTES)))
    except FileNotFoundError:
        raise UsageError(f"file not found: {file}", hint="`provision audit --write-known FILE` writes one") from None


def write_known_keys(run: Run, workspace: Workspace | None, path: Path) -> None:
    """Write the fingerprints in the vault to a file, for an audit on another machine."""
    from provision.fleet.workspace import NoWorkspaceError
    from provision.report.terminal import plural

    if workspace is None:
        raise NoWorkspaceError("--write-known needs a workspace", hint="run it in one, or name it: -w DIR")
    found = _vault_keys(workspace)
    run.data(found.dump().decode(), path)
    run.say(f"{plural(len(found.by_fingerprint), 'key')} by fingerprint, none in clear text")


def installed_manifest() -> Manifest | None:
    """The manifest installed in this user's home, if any."""
    from provision.cli.endpoint.machine import chosen_home
    from provision.hermes.home import HomePaths, effective_home

    try:
        root, profile = chosen_home(None, None)
        home = effective_home(root, profile)
        if not HomePaths(home).manifest.exists():
            return None
        from provision.endpoint.state import read_installed

        found = read_installed(home)
    except (ProvisionError, OSError):
        return None
    return found.manifest if found else None


def load_all_rules(file: Path | None, say: Callable[[str], None] = lambda _: None) -> tuple[Rule, ...]:
    """The built-in rules, and those of a gitleaks file. `say` gets a line for each part of that file that is ignored."""
    from provision.detect.rules.builtin import BUILTIN

    if file is None:
        return BUILTIN
    from provision.detect.rules.gitleaks import load_rules

    return (*BUILTIN, *load_rules(file, lambda problem: say(str(problem))))


def _vault_keys(workspace: Workspace) -> KnownKeys:
    from provision.keys.identities import load_identities
    from provision.keys.known_keys import known_keys
    from provision.keys.vault.file import open_vault

    return known_keys(open_vault(workspace.vault, load_identities(workspace.identity)))
