"""Merge two branches of one vault. Git cannot: the seal covers all lines, so a text merge is always invalid.

Both sides are opened and verified. Lines that only one side has are kept. Where both have one, each field has a rule: the later
stage, the earlier creation, a demo mark of either side with the earlier last day, and the label that one side has (of two, the
last in the alphabet, so that the direction does not matter). Conflicts that need a decision are refused by name, without
changes: among them every user who would lose the current key that a side has, unless the other side retired that key, and
every key that would be of two users, as after a user got a new id on one side.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.keys.age import parse_recipient
from provision.keys.vault.ledger import STAGES_HELD_ONCE, KeyVersion, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    notes = [
        *_readers(ours.operators, theirs.operators, "operator"),
        *_readers(ours.recovery, theirs.recovery, "recovery key"),
    ]
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
        else:
            rows[their.version] = _merged(mine, their)
            if their.created < mine.created:  # the encrypted key is bound to its time
                secrets.append((rows[their.version], theirs.value(their.user, their.version)))
    for user, rows in wanted.items():
        stages = [known.stage for known in rows.values()]
        clashes += [f"{user} (two {stage} keys)" for stage in STAGES_HELD_ONCE if stages.count(stage) > 1]
        if Stage.CURRENT not in stages and (lost := _lost_current(user, rows, ours, theirs)):
            clashes.append(lost)
    clashes += _of_two_users(ours, theirs)
    if clashes:
        raise VaultMergeError(
            f"both sides changed: {'; '.join(clashes)}",
            hint="keep one side (git checkout --ours keys.vault events.jsonl, or --theirs), and repeat there what the other"
            " side did: provision rotate, or provision keys import",
        )
    notes += ours.absorb(wanted, secrets, generation=theirs.generation)
    return tuple(notes)


def _merged(mine: KeyVersion, their: KeyVersion) -> KeyVersion:
    """One line of both sides, field by field."""
    last_days = [day for day in (mine.demo_until, their.demo_until) if day is not None]
    return dataclasses.replace(
        mine,
        stage=max(mine.stage, their.stage, key=_LATER.index),
        created=min(mine.created, their.created),
        label=max(mine.label, their.label),
        demo_until=min(last_days, default=None),
    )


def _lost_current(user: str, rows: dict[int, KeyVersion], ours: Vault, theirs: Vault) -> str:
    """Why a user would have no current key after the merge, although a side has one; empty if that key was retired."""
    here, there = ours.current(user), theirs.current(user)
    if not any(known and rows[known.version].stage is not Stage.RETIRED for known in (here, there)):
        return ""
    named = [f"version {known.version} is current" if known else "no key is current" for known in (here, there)]
    return f"{user} (on this side {named[0]}, on the other side {named[1]}, and merged none would be)"


def _of_two_users(ours: Vault, theirs: Vault) -> Iterator[str]:
    """Name the keys that the merged vault would hold for two users, although no side does."""
    mine, other = _owners(ours), _owners(theirs)
    for name in mine.keys() & other.keys():
        if mine[name] != other[name] and len(mine[name]) == len(other[name]) == 1:
            (here,), (there,) = mine[name], other[name]
            yield f"{name} is the key of {here} on this side, and of {there} on the other side"


def _owners(vault: Vault) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for known in vault:
        found.setdefault(known.fingerprint, set()).add(known.user)
    return found


def _readers(ours: Sequence[str], theirs: Sequence[str], what: str) -> list[str]:
    """Compare who opens the vault; what only the other side has is noted, not added. Raises VaultMergeError."""
    mine = {parse_recipient(text).text for text in ours}
    other = {parse_recipient(text).text for text in theirs}
    if mine - other:
        raise VaultMergeError(
            f"this side has {what}s that the other side does not have; they may have been removed there",
            hint="merge in the other direction: git checkout --theirs keys.vault, then merge this side into it; if both"
            " sides changed them, keep one side and repeat the other's change",
        )
    return [f"{what} only on the other side, not added: {text}" for text in sorted(other - mine)]
