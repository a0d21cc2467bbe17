"""Edit an inventory in place: only what is asked for changes, in YAML, CSV and JSON."""

from __future__ import annotations

import json
import random

import pytest
import yaml

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
    gone: dict[str, object] = {"endpoint_key": None, "host": None, "recipients": []}
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


@pytest.mark.parametrize(
    "text", ["users: []\n", "users: []   # none yet", "defaults: {}\nusers:\n- id: x\n", "users: [{id: x}]\n"]
)
def test_many_new_users_are_added_in_order(text: str) -> None:
    edits = [EntryEdit(f"u{n}", {"email": f"u{n}@x"}, new=True) for n in range(120)]
    found = edited(text, *edits, EntryEdit("u7", {"host": "h"}, "mbp"))
    users = yaml.safe_load(found)["users"]
    assert [user["id"] for user in users if user["id"] != "x"] == [edit.user for edit in edits]
    assert next(user for user in users if user["id"] == "u7")["machines"] == [{"name": "mbp", "host": "h"}]
    with pytest.raises(InventoryEditError, match="already"):
        edited(found, EntryEdit("u119", {}, new=True))


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


def test_an_empty_last_cell_is_filled_before_a_column_is_added() -> None:
    found = edited("id,tags\r\nada,\r\nbob,x", EntryEdit("ada", {"tags": ["t"], "email": "a@b"}), file="i.csv")
    assert found == "id,tags,email\r\nada,t,a@b\r\nbob,x,"


def test_machines_of_new_and_old_users_stay_together_in_csv() -> None:
    edits = [EntryEdit("cy", {}, "mini", new=True), EntryEdit("dan", {}, new=True), EntryEdit("ada", {}, "a1")]
    found = edited(CSV, *edits, EntryEdit("cy", {"host": "h"}, "mbp"), EntryEdit("ada", {}, "a2"), file="i.csv")
    assert [line.split(",")[0] + "/" + line.split(",")[4] for line in found.splitlines() if "," in line] == (
        ["id/machine", "ada/", "ada/a1", "ada/a2", "bob/", "cy/mini", "cy/mbp", "dan/"]
    )


def test_an_empty_list_gets_its_column_in_csv() -> None:
    """A user without the column `recipients` is an error of the file."""
    new = EntryEdit("ada", {"recipients": [], "email": None}, new=True)
    assert edited("id,profile\n", new, file="i.csv") == "id,profile,recipients\nada,,\n"


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


ENTRIES = (
    "  - id: {}\n",
    "\n  # works: nights\n  - id: {}   # - id: no\n    recipients:\n      - age1x # his\n      - 'age1y'\n\n",
    "  - {{id: {}, tags: [a, 'b]'], overrides: {{model: \"m\"}}}}   # short\n",
    "  -\n    # below the dash\n    recipients: []\n    id: {}\n    host:\n",
    "  - overrides:\n      model: |\n        two\n          lines\n\n    id: {}\n    email: a@b # none\n",
    '  - host: "one\n      - id: two"\n    id: "{}"\n    machines:\n      - name: mbp\n        recipients: []\n',
    "  - email: >+\n      folded\n\n    id: {}\n    tags:\n    - {{a: b}}\n  # after\n",
)


def _random_edits(count: int) -> list[EntryEdit]:
    values: tuple[dict[str, object], ...] = (
        {"email": "x@y", "host": None},
        {"recipients": ["age1new"]},
        {"left": "2026-01-02", "tags": None, "overrides": None},
    )
    chosen = (random.choice(("change", "machine", "rename", "add")) for _ in range(count))
    made, renamed = [], set[str]()
    for number, kind in enumerate(chosen):
        user = f"u{random.randrange(12)}"
        if kind == "add":
            made += [EntryEdit(f"n{number}", {"profile": "p"}, new=True), EntryEdit(f"n{number}", {"email": "n@m"})]
        elif user not in renamed:
            if kind == "rename":
                made.append(EntryEdit(user, {"id": f"r{number}"}))
                renamed.add(user)
            else:
                made.append(EntryEdit(user, random.choice(values), "mbp" if kind == "machine" else None))
    return made


def _edited_or_why(text: str, edits: list[EntryEdit]) -> str:
    try:
        return edited(text, *edits)
    except InventoryEditError as e:
        return e.message


@pytest.mark.parametrize("ends", ["\n", "\r\n", ""])
def test_entries_that_are_edited_alone_become_what_they_become_in_the_whole_file(ends: str) -> None:
    """An anchor makes the editor take the file as a whole."""
    edited_count = 0
    for _ in range(10):
        entries = "".join(random.choice(ENTRIES).format(f"u{number}") for number in range(12))
        defaults = "defaults: {platform: linux}\n"
        text = random.choice(
            (
                f"{defaults}users:   # all\n{entries}",
                f"users:\n{entries}{defaults}",
                f"{defaults}users:\n{entries}# end\n",
            )
        )
        text = text.replace("\n", ends) if ends else text.rstrip("\n")
        edits = _random_edits(6)
        found = _edited_or_why(text, edits)
        whole = _edited_or_why(text.replace("defaults: {", "defaults: &one {"), edits)
        assert whole.replace("&one ", "") == found
        edited_count += "users:" in found and found != text
    assert edited_count > 5
