"""Edit an inventory in place: only what is asked for changes, in YAML, CSV and JSON."""

from __future__ import annotations

import json

import pytest

from provision.fleet.edit.entry_edit import EntryEdit, InventoryEditError
from provision.fleet.edit.inventory_edit import edit_inventory

YAML = """\
# who gets what
defaults: {platform: linux, profile: base}   # the usual
users:
  - id: ada   # the first
    recipients: []
    tags: [pilot]   # careful

  # works nights
  - id: bob
    recipients:
      - age1xxx   # his laptop
    host: "bob-ws"
  - {id: cy, recipients: []}   # short
"""
CSV = """\
id,profile,recipients,tags
# the first
ada,base,,"pilot;eu"
bob,base,age1xxx,
"""


def edited(text: str, *edits: EntryEdit, file: str = "inventory.yaml") -> str:
    return edit_inventory(text.encode(), file, edits).decode()


def test_a_yaml_entry_changes_and_everything_else_stays() -> None:
    found = edited(
        YAML,
        EntryEdit("ada", {"recipients": ["age1new"], "external_id": "007", "email": "ada@example.com"}),
        EntryEdit("bob", {"recipients": ["age1two"], "host": None, "left": "2026-01-02"}),
        EntryEdit("cy", {"id": "cyd", "tags": ["x"]}),
        EntryEdit("dan", {"profile": "base", "recipients": []}, new=True),
    )
    assert found == (
        """\
# who gets what
defaults: {platform: linux, profile: base}   # the usual
users:
  - id: ada   # the first
    recipients: [age1new]
    tags: [pilot]   # careful
    external_id: "007"
    email: ada@example.com

  # works nights
  - id: bob
    recipients: [age1two]   # his laptop
    left: "2026-01-02"
  - {id: cyd, recipients: [], tags: [x]}   # short
  - id: dan
    profile: base
    recipients: []
"""
    )


def test_machines_are_added_and_changed_in_yaml() -> None:
    one = edited(YAML, EntryEdit("ada", {"platform": "macos", "recipients": ["age1m"]}, machine="mbp"))
    assert "    machines:\n      - name: mbp\n        platform: macos\n        recipients: [age1m]\n\n  # works" in one
    two = edited(one, EntryEdit("ada", {"recipients": [], "lost": "2026-01-02"}, machine="mbp"))
    assert '        recipients: []\n        lost: "2026-01-02"\n' in two
    three = edited(two, EntryEdit("ada", {"host": "x"}, machine="mini"))
    assert three == two.replace('02"\n', '02"\n      - name: mini\n        host: x\n')


def test_first_keys_of_an_entry_can_go() -> None:
    text = "users:\n- endpoint_key: x\n  host: y\n  id: ada\n  tags: [a]\n  recipients:\n  - age1\n- id: bob\n"
    gone = {"endpoint_key": None, "host": None, "recipients": []}
    assert edited(text, EntryEdit("ada", gone)) == "users:\n- id: ada\n  tags: [a]\n  recipients: []\n- id: bob\n"
    gone = {"endpoint_key": None, "host": None, "tags": None, "left": "2026-01-02"}
    found = edited(text, EntryEdit("ada", gone))
    assert found == 'users:\n- id: ada\n  recipients:\n  - age1\n  left: "2026-01-02"\n- id: bob\n'


def test_several_keys_of_an_entry_in_one_line_can_go() -> None:
    text = "users:\n  - {id: ada, endpoint_key: x, host: y}  # short\n"
    found = edited(text, EntryEdit("ada", {"endpoint_key": None, "host": None, "tags": ["a"]}))
    assert found == "users:\n  - {id: ada, tags: [a]}  # short\n"


def test_an_empty_list_of_users_gets_its_first() -> None:
    assert edited("users: []\n", EntryEdit("ada", {"recipients": []}, new=True)) == (
        "users:\n  - id: ada\n    recipients: []\n"
    )


def test_windows_line_ends_and_a_byte_order_mark_stay() -> None:
    data = b"\xef\xbb\xbf" + YAML.replace("\n", "\r\n").encode()
    found = edit_inventory(data, "inventory.yaml", [EntryEdit("ada", {"email": "a@b"})])
    assert found.startswith(b"\xef\xbb\xbf#")
    assert found.count(b"\r\n") == found.count(b"\n") == data.count(b"\n") + 1


def test_aliases_are_not_edited_through() -> None:
    text = "users:\n  - {id: ada, recipients: &r [age1a]}\n  - {id: bob, recipients: *r}\n"
    with pytest.raises(InventoryEditError):
        edited(text, EntryEdit("bob", {"recipients": []}))


def test_csv_cells_change_and_columns_are_added() -> None:
    found = edited(
        CSV,
        EntryEdit("ada", {"email": "ada@example.com", "tags": ["a", "b"]}),
        EntryEdit("cy", {"profile": "base", "external_id": 'x,"y'}, new=True),
        EntryEdit("bob", {"id": "bo", "recipients": None}),
        file="i.csv",
    )
    assert found == (
        "id,profile,recipients,tags,email,external_id\n# the first\nada,base,,a;b,ada@example.com,\n"
        'bo,base,,,,\ncy,base,,,,"x,""y"\n'
    )


def test_a_machine_in_csv_is_a_row() -> None:
    found = edited(CSV, EntryEdit("ada", {"recipients": ["age1m"], "host": "h"}, machine="mbp"), file="i.csv")
    assert found == (
        'id,profile,recipients,tags,machine,host\n# the first\nada,base,,"pilot;eu",,\nada,,age1m,,mbp,h\n'
        "bob,base,age1xxx,,,\n"
    )


def test_a_formula_is_not_written_into_csv() -> None:
    with pytest.raises(InventoryEditError, match="formula"):
        edited(CSV, EntryEdit("ada", {"external_id": "=3+1"}), file="i.csv")


def test_json_keeps_its_indentation_and_ansible_is_refused() -> None:
    text = json.dumps({"users": [{"id": "ada", "recipients": []}]}, indent=3)
    found = edited(text, EntryEdit("ada", {"email": "a@b"}), file="i.json")
    assert found == json.dumps({"users": [{"id": "ada", "recipients": [], "email": "a@b"}]}, indent=3)
    with pytest.raises(InventoryEditError, match="ansible"):
        edited('{"_meta": {"hostvars": {}}}', EntryEdit("ada", {"email": "a@b"}), file="i.json")


@pytest.mark.parametrize(("text", "file"), [(YAML, "i.yaml"), (CSV, "i.csv"), ('{"users": []}', "i.json")])
def test_unknown_and_double_users_are_errors(text: str, file: str) -> None:
    with pytest.raises(InventoryEditError):
        edited(text, EntryEdit("zoe", {"email": "a@b"}), file=file)
    if "ada" in text:
        with pytest.raises(InventoryEditError):
            edited(text, EntryEdit("ada", {}, new=True), file=file)
