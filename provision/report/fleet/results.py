"""What the fleet's page is made of: the workspace's state and the results it was given, without those about others. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from provision.report import attention
from provision.report.fleet.trend import DaySummary
from provision.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set
    from datetime import datetime

    from provision.audit.finding import Finding
    from provision.audit.machines import AuditedMachine
    from provision.fleet.desired import DesiredState
    from provision.keys.events.log import RecordedEvent, Verified
    from provision.keys.policy import KeyFinding
    from provision.keys.vault.ledger import Ledger
    from provision.receipts.fleet import Standing
    from provision.report.attention import Attention, AttentionCause
    from provision.report.fleet.validation_reader import ValidatedUser, ValidationDocument
    from provision.rotate.rotation import Rotation


@dataclass(frozen=True, slots=True)
class FleetMachine:
    """What the report says of one machine, by its last receipt; `standings` is empty for a current one."""

    label: str
    user: str
    standings: tuple[Standing, ...]
    remark: str = ""
    heard: datetime | None = None
    hermes_version: str | None = None
    verified: bool = False


@dataclass(frozen=True)
class FleetReport:
    """Everything that is shown; what is computed from it is computed once.

    `validated`, `audited` and `endpoints` are None when they were not given.

    `complete`: `states` is the whole inventory; otherwise results about others are left out. `vault_only`: no key_command.
    """

    workspace: str
    at: datetime
    states: Sequence[DesiredState]
    ledger: Ledger
    findings: Sequence[KeyFinding]
    rotations: Sequence[Rotation]
    events: Sequence[RecordedEvent]
    log: Verified
    validated: ValidationDocument | None = None
    audited: Sequence[AuditedMachine] | None = None
    endpoints: Sequence[FleetMachine] | None = None
    complete: bool = True
    vault_only: bool = True
    refused: int = 0
    """Users with errors in the inventory: nothing is known of them."""

    @cached_property
    def users(self) -> Set[str]:
        """The users that the report is about."""
        return {state.user for state in self.states}

    @property
    def has_findings(self) -> bool:
        """Whether something needs attention."""
        return bool(self.attention)

    @cached_property
    def attention_counts(self) -> dict[str, int]:
        """How many users or things need attention, by cause."""
        return attention.counted(self.attention)

    @cached_property
    def attention(self) -> Sequence[Attention]:
        """What needs attention, as `attention.py` defines it."""
        return [*self._attention()]

    def _attention(self) -> Iterator[Attention]:
        yield from attention.in_inventory(self.refused)
        yield from attention.in_log(self.log)
        yield from attention.in_keys(self.states, self.ledger, self.findings, vault_only=self.vault_only)
        yield from attention.in_answers(self.answers)
        yield from attention.in_audits(self.machines)
        users = None if self.complete else self.users
        for rotation in self.rotations:
            yield from attention.in_rotation(rotation, users)
        for machine in self.endpoints or ():
            yield from attention.in_standings(machine.label, machine.standings, machine.remark)

    @cached_property
    def worst(self) -> Mapping[str, AttentionCause]:
        """The worst cause of each user of the report who needs attention."""
        rank = {cause: number for number, cause in enumerate(attention.AttentionCause)}
        found: dict[str, AttentionCause] = {}
        for each in self.attention:
            user = each.user.partition("/")[0]
            if user in self.users and (user not in found or rank[each.cause] < rank[found[user]]):
                found[user] = each.cause
        return found

    @property
    def quiet(self) -> int:
        """How many users have nothing that needs attention, as far as results were given."""
        return len(self.states) - len(self.worst)

    def day_summary(self) -> DaySummary:
        """The numbers that the trend keeps."""
        return DaySummary(self.at.date(), len(self.states), self.quiet, self.attention_counts)

    @cached_property
    def answers(self) -> Sequence[ValidatedUser]:
        """The gateway's answers about current keys of these users."""
        given = self.validated.users if self.validated else ()
        return [a for a in given if a.user in self.users and self._about_current_key(a)]

    def _about_current_key(self, answer: ValidatedUser) -> bool:
        key = self.ledger.current(answer.user)
        if key is None:  # it had none, or its key came from a key_command, which the vault does not know
            return answer.key_fingerprint is None or not self.vault_only
        return answer.key_fingerprint == key.fingerprint

    @cached_property
    def machines(self) -> Sequence[AuditedMachine]:
        """The audited machines; unless the report is complete, only findings about these users, or on their machines."""
        if self.complete or self.audited is None:
            return self.audited or ()
        users, found = self.users, []
        for machine in self.audited:
            own = machine.user in users
            findings = machine.findings if own else tuple(f for f in machine.findings if f.owner in users)
            if own or findings:
                found.append(
                    replace(
                        machine,
                        findings=findings,
                        unread=machine.unread if own else 0,
                        routes=machine.routes if own else (),
                    )
                )
        return found

    @cached_property
    def leaks(self) -> Sequence[tuple[AuditedMachine, Finding]]:
        """All findings of audits, with their machine."""
        return [(machine, finding) for machine in self.machines for finding in machine.findings]

    def not_looked_at(self) -> Iterator[str]:
        """What the report says nothing about."""
        if self.validated is None:
            yield "the gateway"
        elif unasked := len(self.users - {a.user for a in self.answers}):
            yield f"the gateway for {plural(unasked, 'user')}"
        if self.audited is None:
            yield "leaks"
        else:
            if unaudited := len(self.users - {m.user for m in self.audited}):
                yield f"leaks on the machines of {plural(unaudited, 'user')}"
            if unread := sum(m.unread for m in self.machines):
                yield f"{plural(unread, 'file')} that audits could not read"
        if self.endpoints is None:
            yield "machines"
