"""What operators do: add, remove, revoke, renew, raise the threshold, make the first list, and recover.

Each function fills one `OperatorAct`; nothing is written before the act ends. It raises before that if the act is not possible.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provision.errors import NothingMatchedError, ProvisionError
from provision.keys.recipients import parse_recipient
from provision.signing.sshsig import KEY_TYPE, public_line
from provision.trust.recovery import RECOVERY_NAME
from provision.trust.trust_list import ALL_ROLES, NAMESPACES, Role, TrustList, key_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from provision.operators.act import OperatorAct
    from provision.signing.allowed_signers import AllowedSigner
    from provision.trust.recovery import RecoveryPublic, RecoverySeed


class LastOperatorError(ProvisionError):
    """The last operator cannot be removed, nor the set of trust keys fall below the threshold."""


class KnownOperatorError(ProvisionError):
    """The name, recipient or key is already an operator's."""


class TrustKeyRevocationError(ProvisionError):
    """A key with the role trust can only be revoked by the recovery key."""


def add(act: OperatorAct, name: str, recipient: str, key: str | None, roles: Collection[Role]) -> None:
    """Add an operator: recipient of the vault and of the feed secret, and with a key a signer."""
    vault = act.vault_act.vault
    if name.lower() in {known.lower() for known in (*operator_names(vault.operators), RECOVERY_NAME)}:
        raise KnownOperatorError(f"the name {name!r} is taken", hint="list them: provision operators list")
    vault.add_operator(f"{parse_recipient(recipient).text} {name}")
    act.seal()
    if key is not None:
        trust = act.trust
        if key in {each.key for each in trust.signers} or trust.signer_named(name):
            raise KnownOperatorError(f"{name} or this key signs already", hint="list them: provision operators list")
        if key in trust.revoked_keys:
            raise KnownOperatorError("this key is revoked", hint="make a new one: provision operators join")
        added = {"name": name, "key": key, "roles": [role.value for role in Role if role in roles]}
        act.follow(signers=[*_signers(trust), added])


def remove(act: OperatorAct, name: str) -> None:
    """Remove an operator whose keys are not stolen; the vault gets a new data key."""
    _remove_from_vault(act, name)
    trust = act.trusted.trust
    if trust is not None and trust.signer_named(name):
        act.follow(signers=_without(trust, name))


def revoke(act: OperatorAct, named: str, reason: str) -> str:
    """Revoke a key, by its signer's name or itself: nothing that it ever signed counts. Returns the signer's name.

    Raises TrustKeyRevocationError for a key with the role trust.
    """
    trust = act.trust
    signer = trust.signer_named(named) or next((each for each in trust.signers if each.key == named), None)
    key = signer.key if signer else named
    if not key.startswith(f"{KEY_TYPE} "):
        raise NothingMatchedError(f"no signer is named {named!r}", hint="list them: provision operators list")
    if key in trust.revoked_keys:
        raise KnownOperatorError("this key is revoked already", hint="list them: provision operators list")
    if signer is not None and Role.TRUST in signer.roles:
        raise TrustKeyRevocationError(
            f"the key of {signer.name} has the role trust: an operator cannot revoke it, or a thief could revoke all others",
            hint=f"use the recovery key: provision recovery use --revoke {signer.name}",
        )
    name = signer.name if signer else ""
    if name in operator_names(act.vault_act.vault.operators):
        _remove_from_vault(act, name)
    revoked = [each.model_dump() for each in trust.revoked]
    signers = [each for each in _signers(trust) if each["key"] != key]
    act.follow(signers=signers, revoked=[*revoked, {"key": key, "reason": reason}])
    act.record("signing key revoked", operator=name, key=key, reason=reason)
    return name


def renew(act: OperatorAct) -> None:
    """Make the same list again with a later expiry, and seal the feed secret again to all who open the vault."""
    act.follow()
    act.seal()


def set_threshold(act: OperatorAct, count: int) -> None:
    """Let the next lists need `count` signatures. It can only be raised, up to the number of trust keys."""
    trust = act.trust
    if count <= trust.threshold.trust:
        raise LastOperatorError(
            f"the threshold is {trust.threshold.trust} and can only be raised",
            hint="see `provision recovery use --help`",
        )
    if count > len(trust.keys_with(Role.TRUST)):
        raise LastOperatorError(
            f"only {len(trust.keys_with(Role.TRUST))} operators may sign trust lists",
            hint="add another operator first: provision operators join",
        )
    act.follow(threshold={"trust": count})
    act.record("threshold of trust lists raised", threshold=count)


def upgrade(act: OperatorAct, name: str, recovery: RecoveryPublic | None) -> None:
    """Make list 1-1 of a workspace out of its `allowed_signers`, or set the recovery of a list that has none."""
    require_no_recovery(act, recovery=recovery is not None)
    vault = act.vault_act.vault
    own_recipients = {identity.recipient for identity in act.identities}
    for at, text in enumerate(vault.operators, 1):
        parsed = parse_recipient(text)
        if parsed.text in own_recipients or not parsed.comment:
            vault.name_operator(text, name if parsed.text in own_recipients else f"operator-{at}")
    halves = [] if recovery is None else [{"name": RECOVERY_NAME, "key": recovery.key}]
    if act.trusted.trust is not None:
        act.follow(recovery=halves)
    else:
        own = public_line(act.key.public_key())
        act.found(
            signers=_from_file(act.trusted.signers, name, own), threshold={"trust": 1}, recovery=halves, revoked=[]
        )
    if recovery is not None:
        vault.set_recovery([f"{recovery.recipient} {RECOVERY_NAME}"])
        act.record("recovery key set", recipient=recovery.recipient)
    act.seal()


def require_no_recovery(act: OperatorAct, *, recovery: bool) -> None:
    """Raise KnownOperatorError if a list is there that needs no `upgrade`: before a page is written that would open nothing."""
    trust = act.trusted.trust
    if trust is not None and (trust.recovery or not recovery):
        raise KnownOperatorError(
            f"the workspace has trust list {trust.number} already",
            hint="nothing to upgrade; see `provision operators list`",
        )


def recover(
    act: OperatorAct,
    seed: RecoverySeed,
    name: str,
    recipient: str,
    new: tuple[RecoverySeed, RecoveryPublic],
    *,
    keep: Collection[str],
    revoke: Mapping[str, str],
) -> tuple[str, ...]:
    """Begin the next epoch with this machine's operator, those to `keep`, and a new recovery key; revoke those of `revoke`.

    Returns the names that were removed or revoked.
    """
    trust, vault = act.trust, act.vault_act.vault
    known = {each.name for each in trust.signers} | set(operator_names(vault.operators))
    for each in (*keep, *revoke):
        if each not in known:
            raise NothingMatchedError(f"no operator is named {each!r}", hint="list them: provision operators list")
    own = public_line(act.key.public_key())
    signers = [each for each in _signers(trust) if each["name"] in keep and each["key"] != own and each["name"] != name]
    signers.append({"name": name, "key": own, "roles": [role.value for role in ALL_ROLES]})
    revoked = [each.model_dump() for each in trust.revoked]
    revoked += [{"key": s.key, "reason": revoke[s.name]} for s in trust.signers if s.name in revoke and s.key != own]
    trusting = sum(Role.TRUST in each["roles"] for each in signers)
    new_seed, public = new
    act.begin_epoch(
        [seed.signing_key(), new_seed.signing_key()],
        signers=signers,
        threshold={"trust": min(trust.threshold.trust, trusting)},
        revoked=revoked,
        recovery=[{"name": RECOVERY_NAME, "key": public.key}],
    )
    kept = [text for text in vault.operators if parse_recipient(text).comment in keep]
    vault.set_recovery([f"{public.recipient} {RECOVERY_NAME}"])
    vault.replace_operators([*kept, f"{parse_recipient(recipient).text} {name}"])
    act.seal(was=[seed.identity()])
    gone = tuple(sorted(known - set(keep) - {name}))
    act.record("recovery key used", operator=name, gone=", ".join(gone), revoked=", ".join(sorted(revoke)))
    return gone


def operator_names(recipients: Sequence[str]) -> tuple[str, ...]:
    """The names in the comments of the vault's operators."""
    return tuple(parse_recipient(text).comment for text in recipients if parse_recipient(text).comment)


def _remove_from_vault(act: OperatorAct, name: str) -> None:
    vault = act.vault_act.vault
    mine = [text for text in vault.operators if parse_recipient(text).comment == name]
    trust = act.trusted.trust
    if not mine and not (trust and trust.signer_named(name)):
        raise NothingMatchedError(f"no operator is named {name!r}", hint="list them: provision operators list")
    if trust is not None and trust.signer_named(name):
        left = trust.keys_with(Role.TRUST) - {each.key for each in trust.signers if each.name == name}
        if len(left) < trust.threshold.trust:
            raise LastOperatorError(
                f"without {name} only {len(left)} of {trust.threshold.trust} required keys could sign trust lists",
                hint="add another operator first: provision operators join",
            )
    if len(mine) == len(vault.operators):
        raise LastOperatorError("the last operator cannot be removed", hint="add another operator first")
    for text in mine:
        vault.remove_operator(text)
    act.seal()


def _signers(trust: TrustList) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in trust.signers]


def _without(trust: TrustList, name: str) -> list[dict[str, Any]]:
    return [each for each in _signers(trust) if each["name"] != name]


def _from_file(lines: Sequence[AllowedSigner], name: str, own: str) -> list[dict[str, Any]]:
    """The signers of an allowed_signers file, each with the roles that its line allows; this operator has all."""
    found: list[dict[str, Any]] = [{"name": name, "key": own, "roles": [role.value for role in ALL_ROLES]}]
    seen, names = {own}, {name.lower()}
    for line in lines:
        key = key_text(line.blob)
        roles = list(_roles_of(line))
        if line.key_type != KEY_TYPE or line.authority or key in seen or not roles:
            continue
        plain = (
            "".join(c if c.isalnum() or c in "._@+-" else "-" for c in line.principals)[:50].lstrip("._@+-") or "signer"
        )
        unique, count = plain, 2
        while unique.lower() in names:
            unique, count = f"{plain}-{count}", count + 1
        seen.add(key)
        names.add(unique.lower())
        found.append({"name": unique, "key": key, "roles": roles})
    return found


def _roles_of(line: AllowedSigner) -> Iterator[str]:
    """The roles that a line without times allows. Without a list, a key for bundles may sign the feed too."""
    if line.valid_after is not None or line.valid_before is not None:
        return
    any_time = datetime(2000, 1, 1, tzinfo=UTC)
    bundle = line.refusal(NAMESPACES[Role.BUNDLE], any_time) is None
    for role in Role:
        if line.refusal(NAMESPACES[role], any_time) is None or (role is Role.FEED and bundle):
            yield role.value
