"""Keys are written into the inventory, and nothing else of it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from fleet_texts import users

from provision.enrolment.inventory import add_keys, inventory_snippet
from provision.enrolment.policy import Candidate, EnrolmentChange, InventoryKeys, inventory_keys, review_candidate
from provision.fleet.edit.entry_edit import InventoryEditError

AGE = "age1" + "q" * 58
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhL5cUERm2OM0IyoVYWNb/u654hguiIfvPlFJSqOXFN ada"
INVENTORY = """\
# the fleet
defaults: {platform: linux, profile: base}

users:
  - id: ada      # first
    profile: 'engineering'
    host: "ada.corp"
    recipients: [old]
  - {id: bob, profile: sales}
"""
FIRST = InventoryKeys(frozenset({"old"}), None, from_file=False)
KNOWN: Mapping[str, InventoryKeys] = {"ada": FIRST, "bob": InventoryKeys(frozenset(), None, from_file=False)}


def candidate(user: str = "ada", **fields: Any) -> Candidate:
    return Candidate(user, (AGE, SSH), fields.pop("endpoint_key", None), "s", **fields)


def added(text: str, *candidates: Candidate, profile: str | None = None, file: str = "i.yaml") -> str:
    return add_keys(text.encode(), file, candidates, KNOWN, profile).decode()


def test_comments_order_and_quotes_stay() -> None:
    text = added(INVENTORY, candidate(host="new.corp", platform="macos", endpoint_key=SSH))
    gone = [line for line in INVENTORY.splitlines() if line not in text.splitlines()]
    new = [line for line in text.splitlines() if line not in INVENTORY.splitlines()]
    assert gone == ["    recipients: [old]"]
    assert new == [
        f'    recipients: [{AGE}, "{SSH}"]',
        f'    endpoint_key: "{SSH}"',
        "    platform: macos",
    ], "a host that is set is not replaced"


def test_a_new_user_needs_a_profile() -> None:
    new = candidate("eve")
    assert yaml.safe_load(added(INVENTORY, new))["users"][-1] == {"id": "eve", "recipients": [AGE, SSH]}
    assert yaml.safe_load(added(INVENTORY, new, profile="sales"))["users"][-1]["profile"] == "sales"
    without = INVENTORY.replace(", profile: base", "")
    with pytest.raises(InventoryEditError, match="eve is new and has no profile"):
        added(without, new)
    with pytest.raises(InventoryEditError, match="eve is new and has no profile"):
        added("id,recipients\n", new, file="i.csv")


def test_line_ends_and_unindented_lists_stay() -> None:
    flush = "users:\n- id: ada\n  recipients: [x]\n- id: bob\n".replace("\n", "\r\n")
    text = added(flush, candidate())
    assert text.count("\r\n") == text.count("\n")
    assert text.startswith("users:\r\n- id: ada\r\n  recipients:")


@pytest.mark.parametrize("text", ["users: {ada: 1}\n", "users: [\n", "- id: ada\n", "users:\n  - profile: x\n"])
def test_an_inventory_that_cannot_be_edited(text: str) -> None:
    with pytest.raises(InventoryEditError, match="cannot be edited"):
        added(text, candidate(), profile="p")


def test_csv_and_json_are_written_too() -> None:
    text = added("id,profile,recipients\n# note\nada,base,\nbob,base,\n", candidate(endpoint_key=SSH), file="i.csv")
    assert text == f"id,profile,recipients,endpoint_key\n# note\nada,base,{AGE};{SSH},{SSH}\nbob,base,,\n"
    text = added('{"users": [{"id": "ada", "recipients": []}]}', candidate(), file="i.json")
    assert text == f'{{"users": [{{"id": "ada", "recipients": ["{AGE}", "{SSH}"]}}]}}'


def test_a_snippet_is_the_same_entry() -> None:
    text = inventory_snippet([candidate("eve")], "sales")
    assert yaml.safe_load(text) == {"users": [{"id": "eve", "profile": "sales", "recipients": [AGE, SSH]}]}


def test_a_second_machine_joins_the_first() -> None:
    text = added(INVENTORY, candidate(machine="mbp", endpoint_key=SSH))
    assert yaml.safe_load(text)["users"][0] == {
        **yaml.safe_load(INVENTORY)["users"][0],
        "machines": [{"name": "mbp", "recipients": [AGE, SSH], "endpoint_key": SSH}],
    }


def test_the_first_keys_of_a_user_are_those_of_the_first_machine() -> None:
    text = added(INVENTORY, candidate("bob", machine="mbp"))
    expected = {"id": "bob", "profile": "sales", "machine": "mbp", "recipients": [AGE, SSH]}
    assert yaml.safe_load(text)["users"][1] == expected


def test_a_machine_is_compared_with_itself() -> None:
    text = f"users: [{{id: ada, profile: base, machine: desk, recipients: [{AGE}], machines: [{{name: mbp, recipients: []}}]}}]"
    known = inventory_keys(users(text).states)

    def change(machine: str | None) -> EnrolmentChange:
        return review_candidate(candidate(machine=machine), known).change

    assert change("desk") is EnrolmentChange.DIFFERENT
    assert change(None) is EnrolmentChange.DIFFERENT
    assert change("mbp") is EnrolmentChange.FIRST
    assert change("new") is EnrolmentChange.NEW_MACHINE
