"""Keys are written into the inventory, and nothing else of it changes."""

from __future__ import annotations

import pytest
import yaml

from provision.enrolment import inventory
from provision.enrolment.inventory import InventoryEditError, add_keys, inventory_snippet
from provision.enrolment.policy import Candidate

AGE = "age1" + "q" * 58
SSH = "ssh-ed25519 AAAA ada"
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


def candidate(user: str = "ada", **fields: str) -> Candidate:
    return Candidate(user, (AGE, SSH), fields.pop("endpoint_key", None), "s", **fields)  # type: ignore[arg-type]


def test_comments_order_and_quotes_stay() -> None:
    text = add_keys(INVENTORY.encode(), [candidate(host="new.corp", platform="macos", endpoint_key=SSH)], None).decode()
    removed = [line for line in INVENTORY.splitlines() if line not in text.splitlines()]
    added = [line for line in text.splitlines() if line not in INVENTORY.splitlines()]
    assert removed == ["    recipients: [old]"]
    assert added == [
        f'    recipients: [{AGE}, "{SSH}"]',
        f'    endpoint_key: "{SSH}"',
        "    platform: macos",
    ], "a host that is set is not replaced"


def test_a_new_user_needs_a_profile() -> None:
    new = candidate("eve")
    users = yaml.safe_load(add_keys(INVENTORY.encode(), [new], None))["users"]
    assert users[-1] == {"id": "eve", "recipients": [AGE, SSH]}
    users = yaml.safe_load(add_keys(INVENTORY.encode(), [new], "sales"))["users"]
    assert users[-1]["profile"] == "sales"
    without = INVENTORY.replace(", profile: base", "")
    with pytest.raises(InventoryEditError, match="eve is new and has no profile"):
        add_keys(without.encode(), [new], None)


def test_line_ends_and_unindented_lists_stay() -> None:
    flush = "users:\n- id: ada\n  recipients: [x]\n- id: bob\n".replace("\n", "\r\n").encode()
    text = add_keys(flush, [candidate()], None)
    assert text.count(b"\r\n") == text.count(b"\n")
    assert text.startswith(b"users:\r\n- id: ada\r\n  recipients:")


@pytest.mark.parametrize("text", ["users: {ada: 1}\n", "users: [\n", "- id: ada\n", "users:\n  - profile: x\n"])
def test_an_inventory_that_cannot_be_edited(text: str) -> None:
    with pytest.raises(InventoryEditError, match="cannot be edited"):
        add_keys(text.encode(), [candidate()], "p")


def test_nothing_is_written_when_more_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes, text: bytes) -> bytes:
        return text.replace(b"sales", b"base")

    monkeypatch.setattr(inventory, "_with_line_ends_of", careless)
    with pytest.raises(InventoryEditError, match="more than the keys"):
        add_keys(INVENTORY.encode(), [candidate()], None)


def test_a_snippet_is_the_same_entry() -> None:
    text = inventory_snippet([candidate("eve")], "sales")
    assert yaml.safe_load(text) == {"users": [{"id": "eve", "profile": "sales", "recipients": [AGE, SSH]}]}
