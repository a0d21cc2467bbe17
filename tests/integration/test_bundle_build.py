"""Rendering bundles: incremental to the byte, atomic, one failure never stops the rest, nothing foreign is touched."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from bundlecraft import NOW, Shop, fresh_key, resigned, write_bundle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.bundle import dist as dist_module
from provision.bundle import render as build_module
from provision.bundle.diff import diff_bundles
from provision.bundle.dist import Dist
from provision.bundle.manifest import BUNDLE_FILES, MANIFEST, PAGE, SEALED_ENV, SIGNATURE, parse_manifest
from provision.bundle.render import RenderOptions, RenderStatus, examine_bundle, opened_dist, render_bundles, user_ids
from provision.bundle.workers import BundleWorkers, WorkerDiedError
from provision.detect.secret import Secret
from provision.endpoint.verify import AcceptanceRules, verify_bundle
from provision.files import LockedError, locked
from provision.signing.fields import LogHead
from provision.signing.sshsig import public_blob


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and ".provision" not in p.parts
    }


def statuses(outcomes: dict) -> dict[str, str]:  # type: ignore[type-arg]
    return {user: o.status.value for user, o in outcomes.items()}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "dist"


def test_first_render_makes_verifiable_bundles(shop: Shop, root: Path) -> None:
    outcomes = shop.render(root)
    assert statuses(outcomes) == dict.fromkeys(shop.users, "new")
    for user in shop.users:
        files = {p.name: p.read_bytes() for p in (root / user).iterdir()}
        assert set(files) == {*BUNDLE_FILES, PAGE}
        assert verify_bundle(files, AcceptanceRules(shop.signers, NOW)).manifest.user == user
        assert {p.stat().st_mode & 0o777 for p in (root / user).iterdir()} == {0o644}
        assert shop.keys[user].reveal().encode() not in b"".join(files.values())


@pytest.mark.programs("age", "ssh-keygen")
def test_stock_tools_check_and_open_a_bundle(shop: Shop, root: Path, tmp_path: Path) -> None:
    shop.render(root)
    identity = shop.identity_file("ada", tmp_path / "identity")
    opened = subprocess.run(["age", "-d", "-i", identity, root / "ada" / SEALED_ENV], capture_output=True, check=True)
    assert opened.stdout == f"AISA_API_KEY={shop.keys['ada'].reveal()}\nTEAM=engineering\n".encode()
    (tmp_path / "allowed").write_text(shop.allowed_signers)
    who = ["-f", tmp_path / "allowed", "-I", "operator", "-n", "hermes-provision", "-s", root / "ada" / SIGNATURE]
    manifest = (root / "ada" / MANIFEST).read_bytes()
    verified = subprocess.run(["ssh-keygen", "-Y", "verify", *who], input=manifest, capture_output=True, check=False)
    assert verified.returncode == 0, verified.stderr


def test_unchanged_keeps_every_byte(shop: Shop, root: Path) -> None:
    shop.render(root)
    before = contents(root)
    shop.now += timedelta(days=30)
    assert statuses(shop.render(root)) == dict.fromkeys(shop.users, "unchanged")
    assert contents(root) == before


def test_new_logs_trust_lists_and_further_files_make_no_new_bundle(shop: Shop, root: Path) -> None:
    """A bundle that names another log or trust list, or has a file more, is unchanged as long as its inputs are."""
    shop.render(root)
    files = {p.name: p.read_bytes() for p in (root / "ada").iterdir()}
    head = LogHead(count=7, sha256="ab" * 32)
    write_bundle(resigned(files, shop.signer, {"NOTES.html": b"<p>"}, log_head=head, trust="1-3"), root / "ada")
    before = contents(root)
    assert "ada/NOTES.html" in before
    for _ in range(2):  # checked in full, then known from the cache
        assert statuses(shop.render(root)) == dict.fromkeys(shop.users, "unchanged")
        assert contents(root) == before
    (root / "ada" / "NOTES.html").write_bytes(b"<p>evil")
    assert statuses(shop.render(root))["ada"] == "changed"
    assert "NOTES.html" not in {p.name for p in (root / "ada").iterdir()}


@pytest.mark.parametrize("cache", ["kept", "lost", "garbage", "forged"])
def test_the_cache_decides_nothing(shop: Shop, root: Path, cache: str) -> None:
    shop.render(root)
    before = contents(root)
    seen = root / ".provision" / "seen"
    if cache == "lost":
        shutil.rmtree(root / ".provision")
    elif cache == "garbage":
        seen.write_bytes(b"\xff\x00 not ours")
    elif cache == "forged":
        seen.write_text(seen.read_text().replace("ada ", "ada 9"))
    assert statuses(shop.render(root)) == dict.fromkeys(shop.users, "unchanged")
    assert contents(root) == before
    (root / "ada" / "config.yaml").write_text("evil: true\n")
    assert statuses(shop.render(root))["ada"] == "changed"


def test_only_who_changed_is_made_anew(shop: Shop, root: Path) -> None:
    first = shop.render(root)
    before = contents(root)
    shop.keys["bob"] = fresh_key("bob2")
    second = shop.render(root)
    assert statuses(second) == {"ada": "unchanged", "bob": "changed", "eve": "unchanged"}
    assert second["bob"].generation == first["bob"].generation + 1
    after = contents(root)
    assert {n for n in after if after[n] != before[n]} == {f"bob/{n}" for n in (SEALED_ENV, MANIFEST, SIGNATURE)}


@pytest.mark.parametrize(
    "change",
    [
        {"platform": "macos"},
        {"hermes_profile": "work"},
        {"hermes_home": "/opt/hermes"},
        {"recipients": ()},
    ],
)
def test_each_input_counts(shop: Shop, root: Path, change: dict[str, object]) -> None:
    from provision.fleet.desired import Platform

    shop.render(root)
    if "platform" in change:
        change = {"platform": Platform.MACOS}
    if "recipients" in change:
        change = {"recipients": (*shop.states[0].recipients, shop.identities["bob"][1])}
    shop.states = (replace(shop.states[0], **change), *shop.states[1:])  # type: ignore[arg-type]
    assert statuses(shop.render(root)) == {"ada": "changed", "bob": "unchanged", "eve": "unchanged"}


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_damage_is_seen_and_mended(shop: Shop, root: Path, name: str) -> None:
    shop.render(root)
    path = root / "ada" / name
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    assert statuses(shop.render(root))["ada"] == "changed"
    path.unlink()
    assert statuses(shop.render(root))["ada"] == "changed"
    files = {p.name: p.read_bytes() for p in (root / "ada").iterdir()}
    assert verify_bundle(files, AcceptanceRules(shop.signers, NOW))


def test_renewal_force_and_a_new_signer(shop: Shop, root: Path) -> None:
    shop.render(root)
    shop.now = NOW + timedelta(days=59)
    assert statuses(shop.render(root))["ada"] == "unchanged"
    shop.now = NOW + timedelta(days=61)
    outcomes = shop.render(root)
    assert statuses(outcomes)["ada"] == "renewed"
    assert outcomes["ada"].generation == int(shop.now.timestamp())
    assert statuses(shop.render(root, force=True))["ada"] == "renewed"
    shop.signer = Ed25519PrivateKey.generate()
    assert statuses(shop.render(root))["ada"] == "changed"
    assert statuses(shop.render(root))["ada"] == "unchanged"


def test_a_generation_never_goes_back(shop: Shop, root: Path) -> None:
    high = shop.render(root)["ada"].generation
    shop.now -= timedelta(days=400)
    shop.keys["ada"] = fresh_key("ada2")
    assert shop.render(root)["ada"].generation == high + 1
    shutil.rmtree(root)
    shop.now = NOW + timedelta(seconds=5)
    assert shop.render(root)["ada"].generation == high + 5


def test_one_failure_is_a_line_and_the_others_go_on(shop: Shop, root: Path) -> None:
    del shop.keys["ada"]
    shop.keys["bob"] = Secret("your-api-key-here")
    outcomes = shop.render(root)
    assert statuses(outcomes) == {"ada": "failed", "bob": "failed", "eve": "new"}
    assert "no current key" in outcomes["ada"].message
    assert "placeholder" in outcomes["bob"].message
    assert not (root / "ada").exists()
    shop.states = tuple(replace(s, recipients=()) for s in shop.states)
    assert "no recipients" in shop.render(root)["eve"].message
    assert (root / "eve" / MANIFEST).exists(), "a bundle that was good stays when the next cannot be made"


def test_a_base_url_that_is_no_gateway_gets_no_key(root: Path) -> None:
    shop = Shop(users=("ada",), profile=replace(Shop().profile, base_url="https://api.aisa.example/v1"))
    outcome = shop.render(root)["ada"]
    assert outcome.status is RenderStatus.FAILED
    assert "base_url" in outcome.message


def test_foreign_things_are_left_alone(shop: Shop, root: Path, tmp_path: Path) -> None:
    shop.render(root)
    (root / "ada" / "notes.txt").write_text("mine")
    (root / "README").write_text("mine")
    (root / "holiday-photos").mkdir()
    shutil.rmtree(root / "bob")
    (tmp_path / "elsewhere").mkdir()
    (root / "bob").symlink_to(tmp_path / "elsewhere")
    outcomes = shop.render(root, force=True)
    assert statuses(outcomes) == {"ada": "failed", "bob": "failed", "eve": "renewed"}
    assert "notes.txt" in outcomes["ada"].message
    assert (root / "ada" / "notes.txt").read_text() == "mine"
    assert (root / "README").exists()
    assert (root / "holiday-photos").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_those_who_left_are_named_and_pruned_only_on_request(shop: Shop, root: Path) -> None:
    shop.render(root)
    shop.states = shop.states[:1]
    outcomes = shop.render(root)
    assert statuses(outcomes) == {"ada": "unchanged", "bob": "left", "eve": "left"}
    assert (root / "bob").exists()
    assert statuses(shop.render(root, prune=True)) == {"ada": "unchanged", "bob": "pruned", "eve": "pruned"}
    assert sorted(p.name for p in root.iterdir()) == [".provision", "ada"]


def test_processes_make_the_same_bundles(shop: Shop, root: Path) -> None:
    shop = Shop(users=tuple(f"user{i}" for i in range(90)))
    assert set(statuses(shop.render(root, workers=2)).values()) == {"new"}
    for user in shop.users:
        files = {p.name: p.read_bytes() for p in (root / user).iterdir()}
        assert examine_bundle(files, public_blob(shop.signer.public_key())).genuine
    assert set(statuses(shop.render(root, workers=2)).values()) == {"unchanged"}


def test_a_worker_that_dies_is_an_error_and_no_hang(shop: Shop, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(users=tuple(f"user{i}" for i in range(200)))
    started = BundleWorkers._start

    def start_and_kill(self: BundleWorkers) -> None:
        started(self)
        self._processes[-1].kill()

    monkeypatch.setattr(BundleWorkers, "_start", start_and_kill)
    with pytest.raises(WorkerDiedError):
        shop.render(root, workers=2)
    monkeypatch.undo()
    assert set(statuses(shop.render(root, workers=2)).values()) <= {"new", "unchanged"}


def test_without_the_exchange_call_old_bundles_are_moved_aside(
    shop: Shop, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dist_module, "system_exchange", lambda: None)
    shop.render(root)
    assert statuses(shop.render(root, force=True)) == dict.fromkeys(shop.users, "renewed")
    assert sorted(p.name for p in root.iterdir()) == [".provision", *shop.users]
    (root / "ada").rename(root / ".provision" / "old-ada")  # as a kill between the two renames leaves it
    assert statuses(shop.render(root)) == dict.fromkeys(shop.users, "unchanged")


def test_leftovers_of_a_killed_run_are_swept(shop: Shop, root: Path) -> None:
    shop.render(root)
    stray = root / ".provision" / "new-0123456789ab" / "ada"
    stray.mkdir(parents=True)
    (stray / "config.yaml").write_text("half")
    shop.render(root)
    assert sorted(p.name for p in (root / ".provision").iterdir()) == [".gitignore", "lock", "seen"]


def test_two_renders_at_once_do_not_mix(shop: Shop, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dist = Dist(root, None)
    dist.prepare()
    monkeypatch.setattr(build_module, "locked", partial(locked, wait_s=0.1))
    with locked(dist.lock_path, "render"), pytest.raises(LockedError, match="locked by"):
        shop.render(root)


def test_a_dist_that_cannot_be_written_fails_each_user_by_name(shop: Shop, root: Path) -> None:
    shop.render(root)
    outcomes = {}
    order = RenderOptions(shop.states, user_ids(shop.states), shop.common, force=True)
    with opened_dist(root) as dist:
        shutil.rmtree(dist._stage)
        outcomes = {o.user: o for o in render_bundles(order, dist, shop.signer, lambda *_: None, workers=0)}
    assert statuses(outcomes) == dict.fromkeys(shop.users, "failed")
    assert all("cannot write" in o.message for o in outcomes.values())
    assert parse_manifest((root / "ada" / MANIFEST).read_bytes())


def test_diff_names_what_render_would_change(shop: Shop, root: Path) -> None:
    signer = public_blob(shop.signer.public_key())

    def drift() -> dict[str, tuple[str, str]]:
        order = RenderOptions(shop.states, user_ids(shop.states), shop.common)
        return {d.user: (d.status, "; ".join(map(str, d.differences))) for d in diff_bundles(order, root, signer)}

    assert {s for s, _ in drift().values()} == {"new"}
    shop.render(root)
    assert drift() == {}
    shop.keys["ada"] = fresh_key("new")
    slower = replace(shop.profile, model="gpt-5", hermes={"security": {"redact_secrets": False}})
    shop.states = (shop.states[0], replace(shop.states[1], profile=slower))
    found = drift()
    assert found["ada"][0] == "changed"
    assert found["ada"][1].startswith("key: fp_")
    assert "model: gpt-5.2 -> gpt-5" in found["bob"][1]
    assert "config.yaml: security.redact_secrets: true -> false" in found["bob"][1]
    assert found["eve"][0] == "removed"
    shop.render(root, prune=True)
    assert drift() == {}
    (root / "ada" / "WELCOME.md").write_text("altered")
    assert drift()["ada"][0] == "altered"
    shop.render(root)
    shop.now += timedelta(days=70)
    assert {s for s, _ in drift().values()} == {"expiring"}
