"""What needs attention: the one definition, which `report`, `status --fleet` and `rotate status` print and exit with. Pure.

A command passes what it looked at to the functions here, and exits with 10 if one of them yields anything. What was not looked
at yields nothing, so a command that prints "nothing needs attention" names beside it what it did not look at.

docs/exit-codes.md lists the causes with what to do. Not in the list, because they only advise: warnings about keys other than an
overdue one, an inconclusive answer of the gateway, a rotation that waits for something.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.aisa.verdicts import INCONCLUSIVE, Verdict
from provision.errors import Severity
from provision.report.terminal import plural
from provision.rotate.states import State

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from provision.audit.machines import AuditedMachine
    from provision.fleet.desired import DesiredState
    from provision.keys.events.log import Verified
    from provision.keys.policy import KeyFinding
    from provision.keys.vault.ledger import Ledger
    from provision.receipts.fleet import Standing
    from provision.report.fleet.validation_reader import ValidatedUser
    from provision.rotate.rotation import Rotation


class AttentionCause(StrEnum):
    """Why a user, a machine or a rotation needs attention, worst first."""

    LEAKED = "leaked"
    """An audit found a key outside of its place, or a leaked key is not yet proved dead."""
    MISROUTED = "misrouted"
    """Hermes would send requests elsewhere than installed, or with another key or model: by a receipt or an audit."""
    REFUSED = "refused by the gateway"
    """The gateway definitely does not serve this user's current key, model or mode."""
    NO_KEY = "no key"
    """The user has no current key, and no other source of keys is configured."""
    INVENTORY = "inventory error"
    """The inventory or a profile has an error about users, so nothing is known of them."""
    OVERDUE = "overdue"
    """The current key is older than its profile, or else AIsa's advice, allows; or it is a demo key that expired."""
    HALTED = "rotation halted"
    """More users of a rotation failed than it allows, or an operator paused it."""
    FAILED = "rotation failed"
    """The user failed in a rotation that is not over."""
    FOUND = "audit finding"
    """An audit found something other than a key: open file modes, a foreign base URL."""
    ALTERED = "event log altered"
    """The event log fails verification."""
    NEVER = "never heard"
    """No receipt of the machine was ever imported."""
    UNBELIEVED = "not believed"
    """The stored receipt fails verification."""
    OTHER = "other bundle"
    """The machine has another bundle than the one in dist/, and not an older one."""
    LEAVES = "sends elsewhere"
    HAZARDS = "hazards"
    """Settings on the machine endanger the route."""
    BEHIND = "behind"
    """The machine has an older generation than dist/."""
    NOT_RENDERED = "not rendered"
    """The user has no bundle in dist/."""
    EXPIRED = "expired"
    """The installed bundle expired."""
    DRIFTED = "drifted"
    """Settings were changed since the install."""
    UNKNOWN_ROUTE = "unknown route"
    UNKNOWN_DESTINATION = "unknown destination"
    """The route depends on something that cannot be read from outside."""
    OTHER_HERMES = "other Hermes version"
    """The machine's version of Hermes is not in `hermes_version` of the profile."""
    UNVERIFIED = "unverified Hermes"
    """The verdict is for a version that provision was not verified with, and the workspace requires that."""
    SILENT = "silent"
    """The last receipt is older than `--silent-after`."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing that needs attention. `user` is empty for what concerns the whole fleet."""

    cause: AttentionCause
    user: str = ""
    detail: str = ""


def in_standings(user: str, standings: Iterable[Standing], remark: str = "") -> Iterator[Attention]:
    """What a machine's receipt and the bundle in dist/ say. The remark is about the worst standing, which is the first."""
    for number, standing in enumerate(standings):
        yield Attention(AttentionCause(standing.value), user, "" if number else remark)


def in_keys(
    states: Iterable[DesiredState], ledger: Ledger, findings: Iterable[KeyFinding], *, vault_only: bool
) -> Iterator[Attention]:
    """Users without a key, and overdue keys. Unless `vault_only`, a key may also come from a key_command, which is not run."""
    for state in states:
        if vault_only and ledger.current(state.user) is None:
            yield Attention(AttentionCause.NO_KEY, state.user)
    for finding in findings:
        if finding.severity is Severity.ERROR or finding.rule == "key-overdue":
            yield Attention(AttentionCause.OVERDUE, finding.key.user, finding.message)


def in_answers(answers: Iterable[ValidatedUser]) -> Iterator[Attention]:
    """What the gateway refused. The answers must be about current keys."""
    for answer in answers:
        if answer.verdict.value == "no_key":
            yield Attention(AttentionCause.NO_KEY, answer.user, answer.advice)
        elif answer.verdict is not Verdict.OK and answer.verdict not in INCONCLUSIVE:
            yield Attention(AttentionCause.REFUSED, answer.user, answer.advice)


def in_audits(machines: Iterable[AuditedMachine]) -> Iterator[Attention]:
    """What audits found. A key belongs to its owner, everything else to the machine's user."""
    for machine in machines:
        for finding in machine.findings:
            cause = AttentionCause.LEAKED if finding.fingerprint else AttentionCause.FOUND
            yield Attention(cause, finding.owner or machine.user or "", finding.message)
        for home, as_expected in machine.routes:
            if as_expected == "no":
                yield Attention(AttentionCause.MISROUTED, machine.user or "", home)


def in_rotation(rotation: Rotation, users: Container[str] | None = None) -> Iterator[Attention]:
    """A halted rotation, and its users (or those in `users`) who failed, whose key leaked, or who have none."""
    if rotation.ended is not None:
        return
    people = [p for p in rotation.people.values() if users is None or p.user in users]
    if rotation.blocked and people:
        why = f"paused: {rotation.paused}" if rotation.paused else f"{rotation.failures} failed"
        yield Attention(AttentionCause.HALTED, "", f"{rotation.id}: {why}, {rotation.budget} allowed")
    for person in people:
        if person.state is State.EXPOSED:
            yield Attention(AttentionCause.LEAKED, person.user, f"{person.other} leaked and is not proved dead")
        elif person.state is State.BARE and not person.target:
            yield Attention(AttentionCause.NO_KEY, person.user, "its leaked key is dead")
        elif person.failed:
            detail = person.trouble.message if person.trouble else person.state.value
            yield Attention(AttentionCause.FAILED, person.user, detail)


def in_inventory(refused: int) -> Iterator[Attention]:
    """Users that could not be looked at because of errors."""
    if refused:
        yield Attention(AttentionCause.INVENTORY, "", f"{plural(refused, 'user')} with errors")


def in_log(log: Verified) -> Iterator[Attention]:
    """Faults of the event log."""
    for fault in log.faults:
        yield Attention(AttentionCause.ALTERED, "", fault.what)


def counted(found: Iterable[Attention]) -> dict[str, int]:
    """How many users (or fleet-wide things) each cause concerns, worst first; zero counts are left out."""
    concerned = {(each.cause, each.user or each.detail) for each in found}
    counts = Counter(cause for cause, _ in concerned)
    return {cause.value: counts[cause] for cause in AttentionCause if counts[cause]}
