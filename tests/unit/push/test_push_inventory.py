"""What `deploy` says about host_vars that no machine uses, and about machines that were set up again."""

from __future__ import annotations

import json

from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile, Machine
from provision.push.events import read_event
from provision.push.inventory import target_of, unused_host_vars

PROFILE = EffectiveProfile("team", "gpt-5.2", "https://api.aisa.one/v1")
STATES = (
    DesiredState("ada", PROFILE, Place("inventory.yaml"), machine="desk", more_machines=(Machine("laptop"),)),
    DesiredState("bob", PROFILE, Place("inventory.yaml")),
)


def test_host_vars_that_no_machine_uses_are_named() -> None:
    names = ["ada.yml", "ada@laptop.yml", "ada@desk", "bob.yaml", "bob@x.yml", "bobb.yml", ".gitkeep", "ada@lptop.json"]
    assert unused_host_vars(names, STATES) == [
        "host_vars/ada.yml is used for no machine; those of ada: host_vars/ada@desk.yml, host_vars/ada@laptop.yml",
        "host_vars/ada@lptop.json is used for no machine; those of ada: host_vars/ada@desk.yml, host_vars/ada@laptop.yml",
        "host_vars/bob@x.yml is used for no machine; those of bob: host_vars/bob.yml",
        "host_vars/bobb.yml is used for no machine: 'bobb' is not in the inventory",
    ]


def test_a_machine_that_was_set_up_again_has_a_command_that_accepts_it() -> None:
    target = target_of("ada", "team", Machine("laptop"), "mbp")
    for cause in ("other-machine", "not-enrolled"):
        said = {"event": "result", "host": "ada@laptop", "outcome": "failed", "cause": cause, "message": "x"}
        found = read_event(json.dumps(said).encode(), {"ada@laptop": target})
        assert "provision machines enroll -l ada --replace" in getattr(found, "cure", "")
