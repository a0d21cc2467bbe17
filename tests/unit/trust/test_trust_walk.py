"""The walk from the accepted list to the newest one."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest
from trustcraft import NOW, Tree, fields, following, made, public, signed, signer

from provision.trust import walk as walk_module
from provision.trust.acceptance import (
    ExpiredListError,
    SignedList,
    TooFewSignaturesError,
    TrustRefusedError,
    found_chain,
)
from provision.trust.trust_list import list_digest
from provision.trust.walk import ForeignChainError, LongWalkError, Pins, first_walk, walk


@cache
def founded() -> SignedList:
    data = made(fields())
    return found_chain(data, signed(data, "ada"))


def chain(length: int, **last: object) -> Tree:
    """A tree with the lists 1-1 to 1-`length`."""
    tree = Tree()
    data = tree.put(1, 1, founded().data, "ada")
    for version in range(2, length + 1):
        changes = last if version == length else {"days": 1}
        data = tree.put(1, version, following(data, 1, version, **changes), "ada")
    return tree


def test_a_machine_that_was_off_for_12_lists_walks() -> None:
    kept: list[SignedList] = []
    done = walk(founded(), chain(13).fetch, kept.append, NOW + timedelta(days=100))
    assert done.current.trust.number == "1-13"
    assert [each.trust.number for each in kept] == [f"1-{n}" for n in range(2, 14)]


def test_each_list_is_kept_before_the_next_is_asked_for() -> None:
    tree, order = chain(4), []

    def fetch(name: str, limit_bytes: int) -> bytes | None:
        order.append(name)
        return tree.fetch(name, limit_bytes)

    walk(founded(), fetch, lambda step: order.append(step.trust.number), NOW)
    assert order.index("1-2") < order.index("trust/1-3.json") < order.index("1-3") < order.index("trust/1-4.json")


def test_only_the_last_list_must_not_be_expired() -> None:
    with pytest.raises(ExpiredListError):
        walk(founded(), chain(5, days=1).fetch, lambda _: None, NOW + timedelta(days=2))


def test_a_walk_of_the_most_steps_and_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert walk_module.MAX_STEPS == 1024
    monkeypatch.setattr(walk_module, "MAX_STEPS", 20)  # the same loop; 1,024 lists are signed in the slow test
    assert walk(founded(), chain(21).fetch, lambda _: None, NOW).current.trust.number == "1-21"
    kept: list[SignedList] = []
    with pytest.raises(LongWalkError, match="1-21 is stored"):
        walk(founded(), chain(22).fetch, kept.append, NOW)
    assert walk(kept[-1], chain(22).fetch, kept.append, NOW).current.trust.number == "1-22"


@pytest.mark.slow
def test_1024_steps_and_one_more() -> None:
    tree = chain(1026)
    kept: list[SignedList] = []
    with pytest.raises(LongWalkError, match="1-1025 is stored"):
        walk(founded(), tree.fetch, kept.append, NOW)
    assert len(kept) == 1024
    assert walk(kept[-1], tree.fetch, kept.append, NOW).current.trust.number == "1-1026"


def test_a_new_epoch_is_taken_before_a_thief_s_versions() -> None:
    tree = chain(3)
    tree.put(2, 1, following(founded(), 2, 1, signers=[signer("cleo")], recovery=[]), "paper")
    kept: list[SignedList] = []
    assert walk(founded(), tree.fetch, kept.append, NOW).current.trust.number == "2-1"
    assert len(kept) == 1


def test_a_new_epoch_overrules_a_machine_that_followed_the_thief() -> None:
    tree = chain(9)
    at_thief = walk(founded(), tree.fetch, lambda _: None, NOW).current
    tree.put(2, 1, following(founded(), 2, 1, signers=[signer("cleo")]), "paper")
    assert walk(at_thief, tree.fetch, lambda _: None, NOW).current.trust.number == "2-1"


def test_an_epoch_by_an_operator_s_key_does_not_hide_the_next_version() -> None:
    tree = chain(2)
    tree.put(2, 1, following(founded(), 2, 1), "ada")
    kept: list[SignedList] = []
    with pytest.raises(TooFewSignaturesError):
        walk(founded(), tree.fetch, kept.append, NOW)
    assert [each.trust.number for each in kept] == ["1-2"]


def test_a_refused_list_keeps_those_before_it() -> None:
    tree = chain(3)
    tree.put(1, 4, following(tree.files["trust/1-3.json"], 1, 4), "mallory")
    kept: list[SignedList] = []
    with pytest.raises(TooFewSignaturesError):
        walk(founded(), tree.fetch, kept.append, NOW)
    assert kept[-1].trust.number == "1-3"


def test_a_machine_is_pinned_to_a_key_or_a_digest() -> None:
    tree = chain(3)
    for pins in (Pins([public("ada")]), Pins(digests=[list_digest(tree.files["trust/1-2.json"])])):
        done = first_walk(pins, tree.fetch, NOW)
        assert done is not None
        assert done.current.trust.number == "1-3"
        assert [each.trust.number for each in done.passed] == ["1-1", "1-2", "1-3"]
    for pins in (Pins([public("mallory")]), Pins(digests=["0" * 64]), Pins()):
        with pytest.raises(ForeignChainError):
            first_walk(pins, tree.fetch, NOW)
    assert first_walk(Pins([public("ada")]), Tree().fetch, NOW) is None


def test_naming_a_pinned_key_in_a_foreign_chain_proves_nothing() -> None:
    tree = Tree()
    data = tree.put(1, 1, made(fields(signers=[signer("mallory")])), "mallory")
    tree.put(1, 2, following(data, 1, 2, signers=[signer("mallory"), signer("ada")]), "mallory")
    with pytest.raises(ForeignChainError):
        first_walk(Pins([public("ada")]), tree.fetch, NOW)


def test_a_chain_that_does_not_begin_at_1_1_is_refused() -> None:
    tree = Tree()
    tree.put(1, 1, following(founded(), 1, 2), "ada")
    with pytest.raises(TrustRefusedError, match="begins with 1-2"):
        first_walk(Pins([public("ada")]), tree.fetch, NOW)
