"""Compare an export of machines (Intune, Jamf) with the inventory: which computers a user has beside the known ones. Pure.

Several rows of one user are several machines. A row never makes a user, and says nothing of joining or leaving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.directory.plan import ImportPlan, PlanEntry
from provision.directory.user_ids import machine_id, propose_id
from provision.fleet.desired import Machine
from provision.fleet.edit.entry_edit import EntryEdit

if TYPE_CHECKING:
    from provision.directory.people import Export
    from provision.directory.person import Device, Person
    from provision.directory.plan import Known
    from provision.fleet.desired import DesiredState


def plan_machines(export: Export, known: Known) -> ImportPlan:
    """Plan the import of an export of machines. New ones are machines without keys: they still have to enroll."""
    plan = ImportPlan(len(known.states))
    states = {state.user: state for state in known.states}
    by_email = {state.email.casefold(): state.user for state in known.states if state.email}
    devices: dict[str, dict[str, Device]] = {}
    for person in export.people:
        user = (
            by_email.get(person.email)
            or by_email.get(person.login.casefold())
            or propose_id(person.login, person.email)
        )
        why = _refusal(person, user, states)
        if why:
            details = {"row": person.line, "email": person.email or None}
            plan.unmapped.append(PlanEntry(user or person.label, why, details))
        elif person.device is not None:
            devices.setdefault(user, {})[machine_id(person.device.name)] = person.device
    for user, named in devices.items():
        _of_user(plan, states[user], named)
    return plan


def _refusal(person: Person, user: str, states: dict[str, DesiredState]) -> str:
    if person.broken:
        return person.broken
    if user not in states:
        return "no user of the inventory: import the people first"
    if person.device is None:
        return "not a computer, or without a name"
    return "" if machine_id(person.device.name) else f"no machine name can be made of {person.device.name!r}"


def _of_user(plan: ImportPlan, state: DesiredState, named: dict[str, Device]) -> None:
    names = {machine.name for machine in (*state.machines, *state.lost_machines)}
    new = {name: device for name, device in named.items() if name not in names and not _by_host(state, name)}
    if not new:
        plan.unchanged += 1
        return
    first = state.machines[0] if state.machines else Machine("-")
    rest = dict(new)
    edits: list[EntryEdit] = []
    if first.name is None and _is_unused(first):
        name = next(iter(rest))
        edits.append(EntryEdit(state.user, {"machine": name, **_platform(rest.pop(name))}))
    elif first.name is None and len(new) == len(named) == len(state.machines):
        edits.append(EntryEdit(state.user, {"machine": rest.popitem()[0]}))  # one machine, one row: the same
    elif first.name is None:
        why = f"which of {', '.join(new)} is enrolled? `provision machines set {state.user} --name NAME`, then import again"
        plan.unmapped.append(PlanEntry(state.user, why, {"row": None, "email": state.email}))
        return
    for name, device in rest.items():
        edits.append(EntryEdit(state.user, {"recipients": [], **_platform(device)}, machine=name))
    plan.movers.append(PlanEntry(state.user, "", {"changes": {"machines": [None, ", ".join(new)]}}))
    plan.edits += edits


def _platform(device: Device) -> dict[str, Any]:
    return {"platform": device.platform} if device.platform else {}


def _is_unused(machine: Machine) -> bool:
    return not (machine.recipients or machine.endpoint_key or machine.host)


def _by_host(state: DesiredState, name: str) -> bool:
    """Whether a machine of the user has this name as its host name."""
    hosts = [(each.host or "").rpartition("@")[2].partition(".")[0].casefold() for each in state.machines]
    return name.partition(".")[0] in hosts
