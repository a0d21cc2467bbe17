"""What a leaver's keys open or sign beside their own bundle: bundles of others, the vault, what machines trust. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.keys.recipients import parse_recipient
from provision.receipts.store import key_blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.fleet.desired import DesiredState
    from provision.fleet.users import FormerUser
    from provision.signing.allowed_signers import AllowedSigner


def opened_users(former: FormerUser, states: Iterable[DesiredState]) -> list[str]:
    """The other users whose bundles a machine of the leaver opens."""
    theirs = _recipients(former)
    others = (state for state in states if state.user != former.user)
    return [state.user for state in others if theirs & {parse_recipient(each).text for each in state.all_recipients}]


def operator_names(former: FormerUser, operators: Sequence[str], signers: Iterable[AllowedSigner]) -> list[str]:
    """The names under which the leaver opens the vault or signs: by the keys of their machines, or by their own name."""
    theirs = _recipients(former)
    blobs = {key_blob(machine.endpoint_key) for machine in former.machines} - {None}
    known = [parse_recipient(each) for each in operators]
    names = [each.comment or each.text for each in known if each.text in theirs or each.comment == former.user]
    active = (each for each in signers if each.revoked is None)
    names += [each.principals for each in active if each.blob in blobs or each.principals == former.user]
    return list(dict.fromkeys(names))


def _recipients(former: FormerUser) -> set[str]:
    return {parse_recipient(each).text for machine in former.machines for each in machine.recipients}
