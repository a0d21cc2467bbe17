"""Putting a file of keys into the vault: everything or nothing, and what happened to each key said by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.errors import InvalidFilesError, Problem
from provision.keys.vault.ledger import KeyVersion, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from provision.keys.import_file import NewKey
    from provision.keys.vault.vault import Vault


class ImportOutcome(StrEnum):
    """`new`: the user had no current key. `replaced`: the one that was is now previous. `unchanged`: it was there."""

    NEW = "new"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ImportedKey:
    """What became of one key; `before` is the version that was current until now."""

    key: KeyVersion
    outcome: ImportOutcome
    before: KeyVersion | None = None


def import_keys(
    vault: Vault,
    keys: Sequence[NewKey],
    *,
    now: datetime,
    allow_shared: bool = False,
    demo_until: date | None = None,
) -> tuple[ImportedKey, ...]:
    """Add each key as its user's current one. Raises InvalidFilesError with every refusal, having changed nothing."""
    problems = [problem for new in keys for problem in _refusals(vault, new, allow_shared=allow_shared)]
    if problems:
        raise InvalidFilesError(problems)
    return tuple(_import(vault, keys, now, demo_until))


def _import(vault: Vault, keys: Iterable[NewKey], now: datetime, demo_until: date | None) -> Iterator[ImportedKey]:
    for new in keys:
        before = vault.current(new.user)
        if before is not None and before.fingerprint == vault.fingerprint(new.key):
            yield ImportedKey(before, ImportOutcome.UNCHANGED)
            continue
        added = vault.add(new.user, new.key, now=now, label=new.label, demo_until=demo_until, allow_shared=True)
        yield ImportedKey(added, ImportOutcome.REPLACED if before else ImportOutcome.NEW, before)


def _refusals(vault: Vault, new: NewKey, *, allow_shared: bool) -> Iterator[Problem]:
    for known in vault.find(vault.fingerprint(new.key)):
        which = f"version {known.version}, {known.stage}"
        if known.user != new.user:
            if not allow_shared:
                hint = "one key per person; if it is meant to be shared: --allow-shared"
                yield Problem(
                    "key-of-another", f"the key for {new.user} is the key of {known.user} ({which})", new.place, hint
                )
        elif known.stage is Stage.PENDING:
            hint = "its rotation makes it current"
            yield Problem("key-pending", f"{new.user} is already about to get this key ({which})", new.place, hint)
        elif known.stage is not Stage.CURRENT:
            hint = "a key that was replaced does not come back; make a new one in the console"
            yield Problem("key-replaced", f"{new.user} had this key before ({which})", new.place, hint)
