"""Merge two branches of one vault. Git cannot: the seal covers all lines, so a text merge is always invalid.

Both sides are opened and verified. Lines that only one side has are kept; if the stages differ, the later one wins. Conflicts
that need a decision are refused by name, without changes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.keys.age import parse_recipient
from provision.keys.vault.ledger import STAGES_HELD_ONCE, KeyVersion, Stage

if TYPE_CHECKING:
    from provision.detect.secret import Secret
    from provision.keys.vault.vault import Vault

_LATER = tuple(Stage)


class VaultMergeError(ProvisionError):
    """The two sides conflict. The message names the users or operators, the hint the fix."""


def merge_vaults(ours: Vault, theirs: Vault) -> tuple[str, ...]:
    """Add to `ours` what only `theirs` has. Returns one line per change. Raises VaultMergeError."""
    if ours.workspace_id != theirs.workspace_id:
        raise VaultMergeError(
            "these are two different vaults, not two branches of one", hint="use `provision keys import` instead"
        )
    notes = _operators(ours, theirs)
    wanted: dict[str, dict[int, KeyVersion]] = {}
    secrets: list[tuple[KeyVersion, Secret]] = []
    clashes: list[str] = []
    for their in theirs:
        rows = wanted.setdefault(their.user, {known.version: known for known in ours.versions(their.user)})
        mine = rows.get(their.version)
        if mine is None:
            rows[their.version] = their
            secrets.append((their, theirs.value(their.user, their.version)))
        elif mine.fingerprint != their.fingerprint:
            clashes.append(f"{their.user} (two different keys as version {their.version})")
        elif _LATER.index(their.stage) > _LATER.index(mine.stage):
            rows[their.version] = dataclasses.replace(mine, stage=their.stage)
    for user, rows in wanted.items():
        stages = [known.stage for known in rows.values()]
        clashes += [f"{user} (two {stage} keys)" for stage in STAGES_HELD_ONCE if stages.count(stage) > 1]
    if clashes:
        raise VaultMergeError(
            f"both sides changed: {', '.join(clashes)}",
            hint="revert one of the changes on its branch, then merge again",
        )
    notes += ours.absorb(wanted, secrets, generation=theirs.generation)
    return tuple(notes)


def _operators(ours: Vault, theirs: Vault) -> list[str]:
    mine = {parse_recipient(text).text for text in ours.operators}
    other = {parse_recipient(text).text for text in theirs.operators}
    if mine - other:
        raise VaultMergeError(
            "this side has operators that the other side does not have; they may have been removed there",
            hint="merge in the other direction: git checkout --theirs keys.vault, then merge this side into it",
        )
    return [f"operator only on the other side, not added: {text}" for text in sorted(other - mine)]
