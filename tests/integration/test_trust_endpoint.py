"""A machine that follows trust lists through the feed: the walk before the index, what a thief signed, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundlecraft import Shop
from feedcraft import FeedServer, served
from laptopcraft import It, Laptop
from trustcraft import NOW, WORKSPACE, Tree, fields, following, key, made, public, signer

from provision import files as files_module
from provision.endpoint.apply import DiskWriter
from provision.endpoint.identity import enroll
from provision.endpoint.install import InstallRequest, install_bundle
from provision.endpoint.trust_store import (
    LostTrustListError,
    TrustOverrideError,
    stored_list,
    trust_in_force,
)
from provision.endpoint.verify import OtherWorkspaceError, UntrustedSignerError
from provision.feed.state import read_state
from provision.feed.trust import FeedClockError, OtherFeedError, UntrustedFeedError, WithheldListError
from provision.fleet.desired import Platform
from provision.keys.age import load_identities
from provision.trust.acceptance import ExpiredListError
from provision.trust.walk import ForeignChainError

TOP = 2**53 - 1


@pytest.fixture
def it(tmp_path: Path) -> It:
    made_it = It(tmp_path / "it", Shop(users=("ada",), now=NOW, workspace_id=WORKSPACE, signer=key("ada")))
    made_it.put(1, 1, made(fields()), "ada")
    return made_it


@pytest.fixture
def server(it: It) -> Iterator[FeedServer]:
    with served(it.folder / "feed") as running:
        yield running


@pytest.fixture
def laptop(it: It, server: FeedServer, tmp_path: Path) -> Laptop:
    return Laptop(tmp_path / "laptop", it, server.url)


TWO = [signer("ada"), signer("bob")]


def test_a_machine_founds_its_list_and_follows_a_second_operator(it: It, laptop: Laptop) -> None:
    it.publish("ada")
    assert laptop.pull().report is not None
    assert laptop.number == "1-1"
    derived = laptop.config.allowed_signers.read_text()
    assert derived.startswith("# derived from trust list 1-1")
    assert public("ada") in derived
    data = it.put(1, 2, following(it.lists.files["trust/1-1.json"], 1, 2, signers=TWO), "ada")
    it.put(1, 3, following(data, 1, 3, signers=[signer("bob")]), "bob")
    it.publish("bob", again=True)
    assert laptop.pull().report is not None
    assert laptop.number == "1-3"
    assert laptop.pull().not_modified
    state = read_state(laptop.config.root)
    assert state is not None
    assert (state.trust, state.signer) == ("1-3", public("bob"))


def test_lists_are_asked_for_before_the_index(it: It, laptop: Laptop, server: FeedServer) -> None:
    it.publish("ada")
    laptop.pull()
    server.requests.clear()
    laptop.pull()
    paths = [path for path, _ in server.requests]
    assert paths[:2] == ["/trust/2-1.json", "/trust/1-2.json"]
    assert paths[2].startswith("/index/")


def test_a_removed_signer_is_refused_and_the_same_bundle_signed_again_is_taken(it: It, laptop: Laptop) -> None:
    data = it.put(1, 2, following(it.lists.files["trust/1-1.json"], 1, 2, signers=TWO), "ada")
    it.publish("bob")
    laptop.pull()
    it.put(1, 3, following(data, 1, 3), "ada")
    it.publish("bob")
    with pytest.raises(UntrustedFeedError):
        laptop.pull()
    before = laptop.installed()
    it.publish("ada")
    laptop.pull()
    assert laptop.number == "1-3"
    assert laptop.installed() != before


def test_a_stolen_key_with_the_highest_generation_is_overruled_by_recovery(
    it: It, laptop: Laptop, tmp_path: Path, server: FeedServer
) -> None:
    first = it.lists.files["trust/1-1.json"]
    it.put(1, 2, following(first, 1, 2, signers=TWO), "ada")
    it.publish("bob")
    laptop.pull()
    # the thief has ada's key: an own chain, the highest generation and the highest index version
    thief = It(tmp_path / "thief", dataclasses.replace(it.shop, signer=key("ada")), lists=Tree())
    thief.shop.identities, thief.shop.states = it.shop.identities, it.shop.states
    thief.lists.files |= it.lists.files
    thief.put(1, 3, following(it.lists.files["trust/1-2.json"], 1, 3, signers=[signer("ada")]), "ada")
    thief.shop.now = NOW + timedelta(hours=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provision.bundle.render.max", lambda *_: TOP, raising=False)
        patch.setattr(
            "provision.feed.publish.max", lambda *a, **k: max(*a, **k) if k or len(a) < 2 else TOP, raising=False
        )
        patch.setattr("os.utime", lambda *_: None)
        thief.publish("ada", again=True)
    with served(thief.folder / "feed") as stolen:
        laptop.base = stolen.url
        laptop.pull()
    assert laptop.number == "1-3"
    assert f'"generation": {TOP}'.encode() in laptop.installed()
    laptop.base = server.url
    # an ordinary bundle is older now, until recovery overrules
    it.publish("bob", again=True)
    with pytest.raises(UntrustedFeedError):
        laptop.pull()
    revoked = [{"key": public("ada"), "reason": "laptop stolen"}]
    it.put(2, 1, following(it.lists.files["trust/1-2.json"], 2, 1, signers=[signer("bob")], revoked=revoked), "paper")
    it.publish("bob", again=True)
    assert laptop.pull().report is not None
    assert laptop.number == "2-1"
    assert f'"generation": {TOP}'.encode() not in laptop.installed()
    # what the thief signs is refused from now on, also what was fetched before
    with served(thief.folder / "feed") as stolen:
        laptop.base = stolen.url
        with pytest.raises(UntrustedFeedError, match=r"revoked \(laptop stolen\)"):
            laptop.pull()


def test_a_machine_that_was_off_for_12_lists_and_a_recovery_walks(it: It, laptop: Laptop) -> None:
    it.publish("ada")
    laptop.pull()
    data = it.lists.files["trust/1-1.json"]
    for version in range(2, 13):
        data = it.put(1, version, following(data, 1, version, days=1), "ada")
    it.put(2, 1, following(data, 2, 1, signers=[signer("cleo")], days=500), "paper")
    laptop.now = it.shop.now = NOW + timedelta(days=365)
    it.publish("cleo", again=True)
    assert laptop.pull().report is not None
    assert laptop.number == "2-1"


def test_another_workspace_s_index_and_bundle_are_refused(it: It, laptop: Laptop, tmp_path: Path) -> None:
    it.publish("ada")
    laptop.pull()
    other = It(tmp_path / "other", dataclasses.replace(it.shop, workspace_id="cd" * 16), lists=it.lists)
    other.shop.identities, other.shop.states = it.shop.identities, it.shop.states
    other.publish("ada")  # one operator's key serves two workspaces
    with served(other.folder / "feed") as running:
        laptop.base = running.url
        (laptop.config.root / "pull.json").unlink()
        with pytest.raises(OtherFeedError, match="trust list"):
            laptop.pull()
    from provision.bundle.dist import Dist

    force = trust_in_force(laptop.config)
    request = InstallRequest(
        force.signers, load_identities(laptop.identity), Platform.LINUX, home=tmp_path / "fresh", force=force
    )
    with pytest.raises(OtherWorkspaceError):
        install_bundle(
            Dist(other.folder / "dist", None).read("ada"), request, DiskWriter(tmp_path), environ={}, now=NOW
        )


def test_a_withheld_list_is_exposed_by_the_index(it: It, laptop: Laptop) -> None:
    it.publish("ada")
    laptop.pull()
    it.put(1, 2, following(it.lists.files["trust/1-1.json"], 1, 2, signers=TWO), "ada")
    it.publish("ada")
    for path in (it.folder / "feed" / "trust").glob("1-2.*"):
        path.unlink()
    with pytest.raises(WithheldListError, match="1-2"):
        laptop.pull()


def test_a_frozen_list_lets_nothing_new_in_and_a_clock_that_is_behind_follows(it: It, laptop: Laptop) -> None:
    it.publish("ada")
    laptop.pull()
    before = laptop.installed()
    laptop.now = NOW + timedelta(days=365)  # a clock a year ahead sees an expired list
    with pytest.raises(ExpiredListError):
        laptop.pull()
    laptop.now = NOW - timedelta(days=365)  # a clock a year behind sees an index from the future
    (laptop.config.root / "pull.json").unlink()
    with pytest.raises(FeedClockError):
        laptop.pull()
    assert laptop.installed() == before


def test_a_list_cannot_be_overridden_lost_or_damaged(it: It, laptop: Laptop, tmp_path: Path) -> None:
    it.publish("ada")
    laptop.pull()
    chosen = tmp_path / "mine"
    chosen.write_text(f"evil {public('mallory')}\n")
    with pytest.raises(TrustOverrideError):
        trust_in_force(laptop.config, chosen)
    kept = laptop.config.trust_list.read_bytes()
    for damaged in (b"{}", kept[:-5], b""):
        laptop.config.trust_list.write_bytes(damaged)
        with pytest.raises(LostTrustListError):
            laptop.pull()
    laptop.config.trust_list.unlink()
    with pytest.raises(LostTrustListError, match="missing"):
        laptop.pull()
    with pytest.raises(LostTrustListError):
        trust_in_force(laptop.config, chosen)
    enroll(laptop.config, [public("ada")], comment="ada", now=NOW)  # the way back
    laptop.pull()
    assert laptop.number == "1-1"


def test_a_key_for_the_feed_only_founds_no_list(it: It, laptop: Laptop) -> None:
    it.publish("ada")
    laptop.config.allowed_signers.write_text(f'job namespaces="hermes-provision-feed" {public("ada")}\n')
    with pytest.raises(UntrustedSignerError):
        laptop.pull()
    assert laptop.number is None


def test_a_foreign_chain_is_refused(it: It, tmp_path: Path, server: FeedServer) -> None:
    it.publish("ada")
    stranger = Laptop(tmp_path / "stranger", it, server.url, trusts="mallory")
    with pytest.raises(ForeignChainError):
        stranger.pull()


def test_a_kill_at_every_write_while_walking(it: It, laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    it.publish("ada")
    laptop.pull()
    data = it.lists.files["trust/1-1.json"]
    for version in (2, 3, 4):
        data = it.put(1, version, following(data, 1, version, signers=TWO), "ada")
    it.publish("ada", again=True)
    real, left = files_module.write_atomic, [0]

    class Killed(BaseException):
        pass

    def dying(path: Path, data: bytes, **how: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        real(path, data, **how)

    monkeypatch.setattr("provision.endpoint.trust_store.write_atomic", dying)
    numbers = []
    for kill_at in (1, 2, 2, 2):
        left[0] = kill_at
        with pytest.raises(Killed):
            laptop.pull()
        numbers.append(laptop.number)
        assert stored_list(laptop.config) is not None
    assert numbers == ["1-1", "1-2", "1-3", "1-4"]
    monkeypatch.setattr("provision.endpoint.trust_store.write_atomic", real)
    laptop.pull()
    assert "trust list 1-4" in laptop.config.allowed_signers.read_text()
