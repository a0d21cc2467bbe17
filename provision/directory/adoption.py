"""Adopt what is there: find Hermes homes and whose they are, and put the keys in them into the vault under their users' names.

A home belongs to the account in whose folder it is. The account is a user of the inventory by the user id, by the mail address,
or by the id that `users import` would propose. Each key is taken or refused by itself: one shared or damaged key does not keep
the others out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.directory.user_ids import propose_id
from provision.errors import InvalidFilesError, Place, Severity
from provision.hermes.facts import names as facts
from provision.keys.import_file import check_keys
from provision.keys.import_keys import import_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.directory.pasted_key import PastedKey
    from provision.fleet.desired import DesiredState
    from provision.keys.import_file import NewKey
    from provision.keys.vault.vault import Vault

_INSIDE_ACCOUNT = (".hermes", "AppData/Local/hermes")
_MOST_ACCOUNTS = 100_000


@dataclass(frozen=True, slots=True)
class AccountHome:
    """A Hermes home, and the name of the account that it is of."""

    home: Path
    account: str


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that was found in a home: for which user, on which machine or in which folder."""

    user: str
    where: str
    pasted: PastedKey


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of one home. `fingerprint` is None if its key was refused, and `why` says why."""

    user: str
    where: str
    result: str
    fingerprint: str | None = None
    why: str = ""


def adopt_keys(
    vault: Vault, found: Sequence[FoundKey], *, now: datetime, allow_shared: bool, replace: bool
) -> list[Adoption]:
    """Make each found key its user's current one. A user who has another key in the vault keeps it unless `replace`."""
    values = {each.user: {f.pasted.key for f in found if f.user == each.user} for each in found}
    owners = Counter(key for keys in values.values() for key in keys)
    done: list[Adoption] = []
    checked = check_keys((each.user, each.pasted.key, Place(each.where)) for each in found)
    for each, (new, problems) in zip(found, checked, strict=True):
        key, current = each.pasted.key, vault.current(each.user)
        why = next((p.message for p in problems if p.severity is Severity.ERROR), "")
        if not why and len(values[each.user]) > 1:
            why = f"the homes of {each.user} have different keys: adopt the right one with PATH"
        elif not why and owners[key] > 1 and not allow_shared:
            others = sorted(user for user, keys in values.items() if key in keys and user != each.user)
            why = f"{', '.join(others[:5])} have the same key: give each a key of their own, or --allow-shared"
        elif not why and current is not None and current.fingerprint != vault.fingerprint(key) and not replace:
            why = f"the vault has another key for {each.user} ({current.fingerprint}): --replace takes this one"
        done.append(_imported(vault, each, new, why, now, allow_shared=allow_shared))
    return done


def _imported(
    vault: Vault, each: FoundKey, new: NewKey | None, why: str, now: datetime, *, allow_shared: bool
) -> Adoption:
    if why or new is None:
        return Adoption(each.user, each.where, "refused", None, why)
    try:
        (imported,) = import_keys(vault, [new], now=now, allow_shared=allow_shared)
    except InvalidFilesError as e:
        return Adoption(each.user, each.where, "refused", None, "; ".join(p.message for p in e.problems))
    return Adoption(each.user, each.where, imported.outcome.value, imported.key.fingerprint)


def homes_below(path: Path) -> list[AccountHome]:
    """The homes at a path: itself, that of an account, or those of all accounts in it, sorted. Empty if there is none."""
    if _is_home(path):
        return [AccountHome(path, _account_of(path))]
    if found := list(_of_account(path)):
        return found
    try:
        folders = sorted(each for each in path.iterdir() if each.is_dir() and not each.is_symlink())[:_MOST_ACCOUNTS]
    except OSError:
        return []
    homes: list[AccountHome] = []
    for each in folders:
        homes += [AccountHome(each, each.name)] if _is_home(each) else _of_account(each)
    return homes


def user_of(account: str, states: Iterable[DesiredState]) -> str | None:
    """The user of the inventory that an account is of; None if there is none, or more than one."""
    wanted = {account.casefold(), propose_id(account)}
    by_id = {state.user for state in states if state.user in wanted}
    found = by_id or {s.user for s in states if s.email and s.email.partition("@")[0].casefold() in wanted}
    return found.pop() if len(found) == 1 else None


def _of_account(folder: Path) -> Iterator[AccountHome]:
    for inside in _INSIDE_ACCOUNT:
        if _is_home(folder / inside):
            yield AccountHome(folder / inside, folder.name)


def _is_home(path: Path) -> bool:
    try:
        return path.is_dir() and any((path / name).is_file() for name in (facts.CONFIG_NAME, facts.ENV_NAME))
    except OSError:
        return False


def _account_of(home: Path) -> str:
    for inside in _INSIDE_ACCOUNT:
        if home.as_posix().endswith(f"/{inside}"):
            return home.parents[inside.count("/")].name
    return home.name
