"""The fleet as an Ansible inventory: one host per machine, groups by profile, tag and platform. No secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.bundle.plan import common_home
from provision.fleet.desired import Platform, machine_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.fleet.desired import DesiredState, Machine

GROUP = "hermes"


@dataclass(frozen=True, slots=True)
class Target:
    """A user's machine and its SSH address. `login` and `port` are None where SSH's own settings decide.

    `machine` is its name, for users with several; `home` is its Hermes home, if the bundle names another one.
    """

    user: str
    address: str
    login: str | None
    port: int | None
    profile: str
    platform: str
    tags: tuple[str, ...]
    machine: str | None = None
    home: str | None = None

    @property
    def label(self) -> str:
        """How messages and results call this machine."""
        return machine_label(self.user, self.machine)

    @property
    def host_name(self) -> str:
        """The name of this machine in Ansible's inventory, and so of its file in host_vars."""
        return self.label.replace("/", "@")

    def variables(self) -> dict[str, Any]:
        """Return Ansible's host variables. For a host `ada@host` Ansible logs in as ada and does not use become."""
        found: dict[str, Any] = {
            "ansible_host": self.address,
            "hermes_user": self.user,
            "hermes_profile": self.profile,
            "hermes_platform": self.platform,
            "hermes_tags": list(self.tags),
        }
        if self.machine is not None:
            found["hermes_machine"] = self.machine
        if self.home is not None:
            found["hermes_home"] = self.home
        if self.port is not None:
            found["ansible_port"] = self.port
        if self.login is not None:
            found["ansible_user"] = self.login
            found["hermes_account"] = self.login
            found["hermes_become"] = False
        return found


@dataclass(frozen=True, slots=True)
class Reachability:
    """The targets, and the users who cannot be pushed to with the reason."""

    targets: tuple[Target, ...]
    others: tuple[tuple[str, str], ...]


def split_by_reachability(states: Iterable[DesiredState]) -> Reachability:
    """Separate users whose machine has an SSH address from those who have to pull."""
    targets, others = [], []
    for state in states:
        for machine in state.machines:
            label = machine_label(state.user, machine.name)
            if machine.host is None:
                others.append((label, "has no host in the inventory"))
            elif machine.platform is Platform.WINDOWS:
                others.append((label, "is on Windows"))
            else:
                home = machine.hermes_home if machine.hermes_home != common_home(state) else None
                targets.append(
                    target_of(state.user, state.profile.name, machine, machine.host, tags=state.tags, home=home)
                )
    return Reachability(tuple(targets), tuple(others))


def target_of(
    user: str, profile: str, machine: Machine, host: str, *, tags: tuple[str, ...] = (), home: str | None = None
) -> Target:
    """A machine of a user, with the SSH address that its host means."""
    login, _, address = host.rpartition("@")
    port = None
    if found := re.fullmatch(r"(?:\[(?P<v6>[^]]+)\]|(?P<name>[^:]+)):(?P<port>[0-9]{1,5})", address):
        address, port = found["v6"] or found["name"], int(found["port"])
    return Target(
        user=user,
        address=address.removeprefix("[").removesuffix("]"),
        login=login or None,
        port=port,
        profile=profile,
        platform=machine.platform.value,
        tags=tags,
        machine=machine.name,
        home=home,
    )


def inventory_listing(targets: Iterable[Target]) -> dict[str, Any]:
    """Return the document of `ansible-inventory --list`: groups, and every host's variables under `_meta`."""
    targets = tuple(targets)
    groups: dict[str, list[str]] = {GROUP: []}
    for target in targets:
        for name in (
            GROUP,
            group_name("profile", target.profile),
            group_name("platform", target.platform),
            *(group_name("tag", tag) for tag in target.tags),
        ):
            groups.setdefault(name, []).append(target.host_name)
    hosts = {target.host_name: target.variables() for target in targets}
    return {**{name: {"hosts": members} for name, members in groups.items()}, "_meta": {"hostvars": hosts}}


def unused_host_vars(names: Iterable[str], states: Iterable[DesiredState]) -> list[str]:
    """A line for each file of host_vars that Ansible uses for no machine, with what the machines of that user are called."""
    hosts: dict[str, list[str]] = {}
    for state in states:
        hosts[state.user] = [machine_label(state.user, each.name).replace("/", "@") for each in state.machines]
    known = {name for listed in hosts.values() for name in listed}
    found = []
    for name in sorted(names):
        stem = re.sub(r"\.(ya?ml|json)$", "", name)
        if stem in known or name.startswith("."):
            continue
        user = stem.partition("@")[0]
        if user in hosts:
            called = ", ".join(f"host_vars/{each}.yml" for each in hosts[user]) or "none is in use"
            found.append(f"host_vars/{name} is used for no machine; those of {user}: {called}")
        else:
            found.append(f"host_vars/{name} is used for no machine: {user!r} is not in the inventory")
    return found


def group_name(kind: str, name: str) -> str:
    """Return a valid Ansible group name: letters, digits and `_`."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"


def as_inventory_file(targets: Iterable[Target], defaults: Mapping[str, object]) -> dict[str, Any]:
    """Return a JSON inventory for ansible-playbook; group_vars and host_vars override `defaults`."""
    listed = inventory_listing(targets)
    variables = listed.pop("_meta")["hostvars"]
    children: dict[str, Any] = {
        name: {"hosts": {user: {} for user in group["hosts"]}} for name, group in listed.items()
    }
    children[GROUP] = {"hosts": variables}
    return {"all": {"vars": dict(defaults), "children": children}}
