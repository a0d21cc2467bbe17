"""What render would change: each status, and the values that differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bundlecraft import PROFILE, Shop, fresh_key

from provision.bundle import diff
from provision.bundle.diff import UserDiff, diff_bundles
from provision.bundle.manifest import BUNDLE_FILES
from provision.bundle.render import ExistingBundle, RenderOptions, user_ids
from provision.bundle.render import examine_bundle as examine
from provision.signing.sshsig import public_blob


def found(shop: Shop, root: Path) -> dict[str, UserDiff]:
    options = RenderOptions(shop.states, user_ids(shop.states), shop.common)
    return {each.user: each for each in diff_bundles(options, root, public_blob(shop.signer.public_key()))}


def test_an_unchanged_dist_has_no_diff_and_an_empty_one_is_new(tmp_path: Path) -> None:
    shop = Shop()
    assert {each.status for each in found(shop, tmp_path).values()} == {"new"}
    shop.render(tmp_path)
    assert found(shop, tmp_path) == {}


def test_unchanged_bundles_are_known_by_the_cache_of_the_last_render(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop()
    shop.render(tmp_path)
    examined: list[set[str]] = []

    def examine_and_note(files: dict[str, bytes], signer: bytes) -> ExistingBundle:
        examined.append(set(files))
        return examine(files, signer)

    monkeypatch.setattr(diff, "examine_bundle", examine_and_note)
    assert found(shop, tmp_path) == {}
    assert not examined
    for name in (*BUNDLE_FILES, ".provision"):  # without the cache, or with any other byte, everything is examined
        path = tmp_path / ".provision" / "seen" if name == ".provision" else tmp_path / "ada" / name
        whole = path.read_bytes()
        path.write_bytes(whole + b"\n" if name != ".provision" else b"")
        changes = found(shop, tmp_path)
        assert {user: each.status for user, each in changes.items()} == (
            {} if name == ".provision" else {"ada": "altered"}
        )
        assert examined
        examined.clear()
        path.write_bytes(whole)
    assert found(shop, tmp_path) == {}
    assert not examined


def test_changed_values_are_named(tmp_path: Path) -> None:
    shop = Shop()
    shop.render(tmp_path)
    old_key = shop.common.keys.key_for("ada")
    shop.keys["ada"] = fresh_key("ada2")
    shop.states = (shop.states[0], replace(shop.states[1], profile=replace(PROFILE, model="gpt-5.3")), shop.states[2])
    changes = found(shop, tmp_path)
    assert set(changes) == {"ada", "bob"}
    assert [each.what for each in changes["ada"].differences] == ["key"]
    model = next(each for each in changes["bob"].differences if each.what == "model")
    assert (model.was, model.becomes) == ("gpt-5.2", "gpt-5.3")
    assert old_key is not None
    assert old_key.reveal() not in repr(changes)


def test_altered_expiring_removed_and_impossible(tmp_path: Path) -> None:
    shop = Shop()
    shop.render(tmp_path)
    (tmp_path / "ada" / "config.yaml").write_text("evil: true\n")
    (tmp_path / "bob" / "manifest.json").write_text("{}")
    shop.states = (shop.states[0], shop.states[1])
    assert {user: each.status for user, each in found(shop, tmp_path).items()} == {
        "ada": "altered",
        "bob": "altered",
        "eve": "removed",
    }
    shop.render(tmp_path)
    shop.now += timedelta(days=61)
    shop.states = (shop.states[0], replace(shop.states[1], recipients=()))
    statuses = {user: each.status for user, each in found(shop, tmp_path).items()}
    assert (statuses["ada"], statuses["bob"]) == ("expiring", "impossible")
