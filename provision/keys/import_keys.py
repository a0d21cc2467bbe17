"""Import keys into the vault: all or none. Reports the outcome of each key."""

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
    """`new`: the user had no current key. `replaced`: the old current key is now previous. `unchanged`: the key was current."""

    NEW = "new"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ImportedKey:
    """The outcome of one key. `before` is the version that was current before."""

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
    """Make each key its user\'s current one. Raises InvalidFilesError with all refusals, before any change."""
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
                hint = "use one key per user, or share it on purpose with --allow-shared"
                yield Problem(
                    "key-of-another", f"the key for {new.user} is the key of {known.user} ({which})", new.place, hint
                )
        elif known.stage is Stage.PENDING:
            hint = "finish its rotation, which makes it current"
            yield Problem("key-pending", f"{new.user} already has this key pending ({which})", new.place, hint)
        elif known.stage is not Stage.CURRENT:
            hint = "replaced keys cannot be used again: create a new one in the console"
            yield Problem("key-replaced", f"{new.user} had this key before ({which})", new.place, hint)
