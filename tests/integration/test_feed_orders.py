"""Orders in the feed: signed by a key with the role, carried by who publishes, obeyed once, and refused when they are not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bundlecraft import Shop
from companycraft import Company
from feedcraft import SECRET, FeedServer, served
from laptopcraft import It, Laptop
from trustcraft import NOW, WORKSPACE, fields, following, key, made, public, signer

from provision.endpoint.obeyed_order import read_obeyed
from provision.errors import Exit, ProvisionError
from provision.feed.give_orders import give_orders, given_orders
from provision.feed.index import address_of, endpoint_id, order_name
from provision.feed.trust import FeedRollbackError
from provision.fleet.workspace import load_workspace
from provision.keys.events.log import log_path, read_events
from provision.signing.fields import moment
from provision.trust.orders import Order, OrderRefusedError, RepeatedOrderError, sign_order
from provision.trust.workspace import MayNotSignError

ENDPOINT = endpoint_id(address_of(SECRET, "ada"))
TOP = 2**53 - 1


def order(by: str = "ada", **changes: Any) -> bytes:
    """A signed order to ada's machine."""
    plain = {
        "workspace": WORKSPACE,
        "endpoint": ENDPOINT,
        "kind": "halt",
        "count": 7,
        "created": moment(NOW),
        "expires": moment(NOW + timedelta(days=3)),
        "reason": "incident 7",
    }
    return sign_order(Order.model_validate(plain | changes), key(by))


class Doing:
    """What a machine did for orders, by kind; it dies at the first `fails` orders."""

    def __init__(self, fails: int = 0) -> None:
        self.done: list[str] = []
        self.fails = fails
        self.handlers = dict.fromkeys(("halt", "resume", "uninstall"), self.do)

    def do(self, given: Order) -> str:
        self.done.append(given.kind)
        if len(self.done) <= self.fails:
            raise ProvisionError("it did not work")
        return f"{given.kind}: {given.reason}"


@pytest.fixture
def it(tmp_path: Path) -> It:
    made_it = It(tmp_path / "it", Shop(users=("ada",), now=NOW, workspace_id=WORKSPACE, signer=key("ada")))
    roles = [signer("ada"), signer("job", "bundle", "feed"), signer("desk", "order")]
    made_it.put(1, 1, made(fields(signers=roles)), "ada")
    return made_it


@pytest.fixture
def server(it: It) -> Iterator[FeedServer]:
    with served(it.folder / "feed") as running:
        yield running


@pytest.fixture
def laptop(it: It, server: FeedServer, tmp_path: Path) -> Laptop:
    return Laptop(tmp_path / "laptop", it, server.url)


def test_an_order_is_carried_by_a_nightly_job_and_obeyed_once(it: It, laptop: Laptop, server: FeedServer) -> None:
    doing = Doing()
    it.publish("job")
    laptop.pull(orders=doing.handlers)
    it.orders["ada"] = order("desk")
    it.publish("job", again=True)
    assert it.summary is not None
    assert (it.summary.orders, it.summary.problems) == (1, ())
    before = laptop.installed()
    for _ in range(2):
        pulled = laptop.pull(orders=doing.handlers)
        assert pulled.report is None
        assert pulled.order.keeps_bundles_away(NOW)
    assert doing.done == ["halt"]
    assert laptop.installed() == before, "a halt keeps bundles away"
    fetched = [path for path, _ in server.requests if path.endswith(".order")]
    assert len(fetched) == 1
    laptop.now = it.shop.now = NOW + timedelta(days=3)
    it.publish("job")
    assert laptop.pull(orders=doing.handlers).report is not None, "it ends by itself"
    assert it.summary is not None
    assert it.summary.orders == 0, "an expired order is carried no more"


def test_a_newer_order_takes_the_place_of_the_one_before(it: It, laptop: Laptop) -> None:
    doing = Doing()
    it.orders["ada"] = order("desk")
    it.publish("job")
    assert laptop.pull(orders=doing.handlers).report is None
    it.orders["ada"] = order("desk", kind="resume", count=8)
    it.publish("job", now=NOW + timedelta(minutes=1))
    pulled = laptop.pull(orders=doing.handlers)
    assert pulled.report is not None
    assert pulled.order.done == "resume: incident 7"
    assert doing.done == ["halt", "resume"]


def test_an_order_reaches_a_machine_whose_user_has_no_bundle_any_more(it: It, laptop: Laptop) -> None:
    doing = Doing()
    it.publish("job")
    laptop.pull(orders=doing.handlers)
    it.shop = dataclasses.replace(it.shop, users=())
    it.orders["ada"] = order("desk", kind="uninstall")
    it.publish("job", now=NOW + timedelta(minutes=1))
    assert laptop.pull(orders=doing.handlers).order.done == "uninstall: incident 7"
    laptop.now = NOW + timedelta(days=6)
    assert laptop.pull(orders=doing.handlers).order.keeps_bundles_away(laptop.now), "until the next order"
    assert doing.done == ["uninstall"]


def test_an_order_that_fails_is_tried_again(it: It, laptop: Laptop) -> None:
    doing = Doing(fails=1)
    it.orders["ada"] = order("desk")
    it.publish("job")
    with pytest.raises(ProvisionError, match="did not work"):
        laptop.pull(orders=doing.handlers)
    assert read_obeyed(laptop.config.root) is None
    assert laptop.pull(orders=doing.handlers).order.done
    assert doing.done == ["halt", "halt"]


def test_a_kill_at_every_write_while_obeying(it: It, laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order is never lost, and never done again once it is remembered."""

    class Killed(BaseException):
        pass

    real = Path.replace
    for kill_at in range(1, 20):
        doing, left = Doing(), [kill_at]
        it.orders["ada"] = order("desk", count=100 + kill_at)
        it.publish("job", now=NOW + timedelta(minutes=kill_at))

        def dying(self: Path, target: Any, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(self, target)

        monkeypatch.setattr(Path, "replace", dying)
        try:
            laptop.pull(orders=doing.handlers)
        except Killed:
            pass
        finally:
            monkeypatch.setattr(Path, "replace", real)
        if left[0] > 0:
            assert doing.done == ["halt"]
            break
        laptop.pull(orders=doing.handlers)
        assert 1 <= len(doing.done) <= 2
        kept = read_obeyed(laptop.config.root)
        assert kept is not None
        assert kept.count == 100 + kill_at
        laptop.pull(orders=doing.handlers)
        assert 1 <= len(doing.done) <= 2
    assert kill_at > 3


REFUSED = {
    "an order by a feed key": order("job"),
    "by a stranger": order("mallory"),
    "another workspace's order": order("desk", workspace="cd" * 16),
    "for another endpoint": order("desk", endpoint="0b" * 16),
    "made in the future": order("desk", created=moment(NOW + timedelta(days=2))),
    "altered": order("desk").replace(b"halt", b"stop"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_order_is_refused(what: str, it: It, laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher does not carry it and names the user; if the feed's key lists it all the same, the machine refuses."""
    doing = Doing()
    it.orders["ada"] = REFUSED[what]
    it.publish("job")
    assert it.summary is not None
    assert it.summary.orders == 0
    assert "ada: the order in orders/ada.order is not published" in it.summary.problems[0]
    monkeypatch.setattr("provision.feed.give_orders.accept_order", lambda *_, **__: None)
    it.publish("job")
    assert it.summary.orders == 1
    with pytest.raises(OrderRefusedError):
        laptop.pull(orders=doing.handlers)
    assert doing.done == []
    assert not (laptop.folder / ".hermes").exists(), "nothing is installed before the order is clear"


def test_an_old_order_sent_again_is_refused(it: It, laptop: Laptop) -> None:
    doing = Doing()
    for kind, count in (("halt", 7), ("resume", 8)):
        it.orders["ada"] = order("desk", kind=kind, count=count)
        it.publish("job", now=NOW + timedelta(minutes=count))
        laptop.pull(orders=doing.handlers)
    old = (it.folder / "feed" / "index" / f"{ENDPOINT[:3]}.json").read_bytes()
    it.orders["ada"] = order("desk", count=7)
    it.publish("job", now=NOW + timedelta(minutes=9))
    with pytest.raises(RepeatedOrderError, match="number 8 was already obeyed"):
        laptop.pull(orders=doing.handlers)
    part = it.folder / "feed" / "index" / f"{ENDPOINT[:3]}.json"
    part.write_bytes(old)
    os.utime(part, ((NOW + timedelta(hours=1)).timestamp(),) * 2)
    with pytest.raises(FeedRollbackError):
        laptop.pull(orders=doing.handlers)
    assert doing.done == ["halt", "resume"]


def test_an_order_that_expired_on_the_way_is_named_and_the_update_goes_on(it: It, laptop: Laptop) -> None:
    it.orders["ada"] = order("desk")
    it.publish("job")
    laptop.now = NOW + timedelta(days=4)
    pulled = laptop.pull(orders=Doing().handlers)
    assert pulled.report is not None
    assert "expired" in pulled.order.note


def test_an_order_of_an_unknown_kind_is_an_error(it: It, laptop: Laptop) -> None:
    it.orders["ada"] = order("desk")
    it.publish("job")
    with pytest.raises(OrderRefusedError, match="cannot obey the order to halt"):
        laptop.pull(orders={"resume": Doing().do})


def test_another_file_in_the_order_s_place_is_refused(it: It, laptop: Laptop) -> None:
    it.orders["ada"] = order("desk")
    it.publish("job")
    (path,) = (it.folder / "feed" / "o").glob("*/*.order")
    path.write_bytes(order("desk", count=9))
    with pytest.raises(OrderRefusedError, match="not the one that the feed's index lists"):
        laptop.pull(orders=Doing().handlers)


def test_what_a_stolen_key_ordered_with_the_highest_number_is_forgotten_when_it_is_revoked(
    it: It, laptop: Laptop
) -> None:
    doing = Doing()
    it.orders["ada"] = order("desk", count=TOP, kind="uninstall")
    it.publish("job")
    assert laptop.pull(orders=doing.handlers).order.done
    roles = [signer("ada"), signer("job", "bundle", "feed")]
    revoked = [{"key": public("desk"), "reason": "stolen"}]
    it.put(1, 2, following(it.lists.files["trust/1-1.json"], 1, 2, signers=roles, revoked=revoked), "ada")
    it.publish("job", now=NOW + timedelta(minutes=1))
    assert it.summary is not None
    assert "may not give orders" in it.summary.problems[0]
    pulled = laptop.pull(orders=doing.handlers)
    assert pulled.report is not None, "its uninstall is not in force any more"
    it.orders["ada"] = order("ada", count=8)
    it.publish("job", now=NOW + timedelta(minutes=2))
    assert laptop.pull(orders=doing.handlers).order.done == "halt: incident 7"


def test_unlisted_orders_are_swept_after_a_lifetime_of_the_index(it: It) -> None:
    it.orders["ada"] = order("desk")
    it.publish("job")
    path = it.folder / "feed" / order_name(address_of(SECRET, "ada"), _digest(it.orders["ada"]))
    os.utime(path, (NOW.timestamp(),) * 2)
    it.orders.clear()
    it.publish("job", now=NOW + timedelta(minutes=1))
    assert path.is_file(), "readers may hold the index before"
    os.utime(path, (1, 1))
    it.publish("job", now=NOW + timedelta(minutes=2))
    assert not path.exists()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_by_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator gives an order; it is in the log and the workspace, travels, and the machine says what it did."""
    company = Company(tmp_path)
    workspace = load_workspace(company.ws)
    now = datetime.now(UTC)
    life = timedelta(days=1)
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "ada"))
    workspace = load_workspace(company.ws)
    give_orders(workspace, "resume", ["u1"], reason="again", life=life, now=now, dry_run=True)
    assert not given_orders(company.ws)
    (first,) = give_orders(workspace, "resume", ["u1"], reason="again", life=life, now=now)
    (second,) = give_orders(workspace, "resume", ["u1"], reason="once more", life=life, now=now)
    assert second.count == first.count + 1
    events = [e.event for e in read_events(log_path(workspace.vault)) if e.event.what == "order given"]
    assert [(e.user, e.detail["reason"]) for e in events] == [("u1", "again"), ("u1", "once more")]
    with served(company.feed) as running:
        assert "; 1 order" in company.ok("ada", "publish", str(company.feed)).stdout
        told = company.ok("ada", "publish", str(company.feed), "--addresses", "--url", running.url, "-f", "json")
        address = json.loads(told.stdout)["users"][0]["address"]
        dry = company.machine("pull", address, "--dry-run")
        assert "would obey the order to resume: once more" in dry.stdout
        done = company.machine("pull", address)
        assert (done.returncode, done.stdout.splitlines()[0]) == (Exit.OK, "resumed: once more")
        assert json.loads(company.machine("pull", "-f", "json").stdout)["order"]["done"] is None
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "bob"))
    company.it("bob", "operators", "join", "--name", "bob")
    with pytest.raises(MayNotSignError, match="may not sign orders"):
        give_orders(load_workspace(company.ws), "halt", ["u1"], reason="x", life=life, now=now)
