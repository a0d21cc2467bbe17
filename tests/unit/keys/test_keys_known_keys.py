"""The vault's keys as an audit gets them."""

from __future__ import annotations

import keysmith

from provision.detect.secret import Secret
from provision.keys.known_keys import known_keys
from provision.keys.vault.ledger import Stage


def test_keys_of_every_stage_are_exported_without_their_values() -> None:
    vault = keysmith.vault(ada="sk-aisa-one")
    vault.add("ada", Secret("sk-aisa-two-longer"), now=keysmith.NOW)
    vault.set_stage("ada", 1, Stage.RETIRED)
    exported = known_keys(vault)
    assert exported.salt == vault.salt
    assert {(k.user, k.stage) for k in exported.by_fingerprint.values()} == {("ada", "retired"), ("ada", "current")}
    assert "aisa-one" not in repr(exported)
    assert len(exported.shapes) == 2


def test_a_shared_key_goes_by_its_most_active_version() -> None:
    vault = keysmith.vault(zoe="sk-aisa-one")
    vault.add("ada", Secret("sk-aisa-one"), now=keysmith.NOW, stage=Stage.PENDING, allow_shared=True)
    assert [k.user for k in known_keys(vault).by_fingerprint.values()] == ["zoe"]
    vault.set_stage("zoe", 1, Stage.PREVIOUS)
    assert [k.user for k in known_keys(vault).by_fingerprint.values()] == ["ada"]
