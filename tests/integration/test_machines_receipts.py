"""Receipts of a user with several machines: each is stored for its machine, and rotation waits for all of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from bundlecraft import NOW, WORKSPACE_ID, Shop
from fleet_texts import users
from test_receipts import Machine

from provision.endpoint.machine_name import store_machine_name
from provision.endpoint.verify import OtherUserError
from provision.fleet.desired import DesiredState
from provision.fleet.users import FormerUser
from provision.receipts.fleet import Standing, fleet_standings, verified_receipts
from provision.receipts.store import ImportResult, ReceiptStore, fleet_endpoints, import_receipt


@pytest.fixture
def shop() -> Shop:
    return Shop(users=("ada", "bob"))


def state_of(desk: Machine, laptop: Machine) -> DesiredState:
    text = f"""users:
  - id: ada
    profile: base
    machine: desk
    recipients: [{desk.enrolled.recipient}]
    endpoint_key: "{desk.enrolled.endpoint_key}"
    machines:
      - {{name: laptop, recipients: [{laptop.enrolled.recipient}], endpoint_key: "{laptop.enrolled.endpoint_key}"}}
"""
    found = users(text)
    assert not found.problems
    return found.states[0]


def test_each_machine_has_its_receipt(tmp_path: Path, shop: Shop) -> None:
    desk, laptop = Machine(tmp_path / "desk", shop, "ada"), Machine(tmp_path / "laptop", shop, "ada")
    for machine in (desk, laptop):
        machine.install()
    store_machine_name(laptop.config, "laptop")
    state, store = state_of(desk, laptop), ReceiptStore(tmp_path / "receipts")
    known = fleet_endpoints([state], WORKSPACE_ID)

    assert import_receipt("a", laptop.receipt().data, store, known, NOW).endpoint == "ada/laptop"
    assert [path.name for path in store.root.iterdir()] == ["ada@laptop.receipt"]
    standings = {
        each.label: each.standings
        for each in fleet_standings(
            [state], lambda _: None, verified_receipts(store, known), now=NOW, silent_after=timedelta(days=1)
        )
    }
    assert set(standings) == {"ada/desk", "ada/laptop"}
    assert Standing.NEVER in standings["ada/desk"]
    assert Standing.NEVER not in standings["ada/laptop"]

    assert import_receipt("b", desk.receipt().data, store, known, NOW).endpoint == "ada/desk"
    receipt = store.receipt_of("ada/laptop", known)
    assert receipt is not None
    assert receipt.machine == "laptop"


def test_the_receipt_of_a_lost_machine_is_refused(tmp_path: Path, shop: Shop) -> None:
    desk, laptop = Machine(tmp_path / "desk", shop, "ada"), Machine(tmp_path / "laptop", shop, "ada")
    laptop.install()
    text = f"""users: [{{id: ada, profile: base, recipients: [{desk.enrolled.recipient}],
      endpoint_key: "{desk.enrolled.endpoint_key}", machines: [{{name: laptop, lost: "2026-01-02"}}]}}]"""
    known = fleet_endpoints(users(text).states, WORKSPACE_ID)
    done = import_receipt("a", laptop.receipt().data, ReceiptStore(tmp_path / "receipts"), known, NOW)
    assert done.result is ImportResult.REFUSED
    assert "a key that is not in the inventory" in done.message


def test_a_machine_cannot_take_the_name_of_another(tmp_path: Path, shop: Shop) -> None:
    desk, laptop = Machine(tmp_path / "desk", shop, "ada"), Machine(tmp_path / "laptop", shop, "ada")
    laptop.install()
    store_machine_name(laptop.config, "desk")
    known = fleet_endpoints([state_of(desk, laptop)], WORKSPACE_ID)
    done = import_receipt("a", laptop.receipt().data, ReceiptStore(tmp_path / "receipts"), known, NOW)
    assert done.result is ImportResult.REFUSED
    assert "signed by the key of 'ada/laptop'" in done.message


def test_receipts_of_users_who_left_are_no_failure(tmp_path: Path, shop: Shop) -> None:
    desk = Machine(tmp_path / "desk", shop, "ada")
    desk.install()
    former = users('users: [{id: ada, left: "2026-01-02"}]').left
    assert isinstance(former["ada"], FormerUser)
    store = ReceiptStore(tmp_path / "receipts")
    done = import_receipt("a", desk.receipt().data, store, fleet_endpoints([], WORKSPACE_ID, former), NOW)
    assert done.result is ImportResult.LEFT
    assert not store.root.exists()


def test_a_home_follows_its_user_to_another_id(tmp_path: Path, shop: Shop) -> None:
    """After `users rename` the bundle has another user, and is sealed to the same machine."""
    ada, bob = Machine(tmp_path / "ada", shop, "ada"), Machine(tmp_path / "bob", shop, "bob")
    ada.install()
    shop.identities["ada.king"], shop.keys["ada.king"] = shop.identities["ada"], shop.keys["ada"]
    ada.user, shop.now = "ada.king", NOW + timedelta(hours=1)
    ada.install()
    assert ada.receipt().receipt.user == "ada.king"
    bob.install()
    bob.user, shop.now = "ada.king", NOW + timedelta(hours=2)
    with pytest.raises(OtherUserError, match="another machine"):
        bob.install()
