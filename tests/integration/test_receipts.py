"""Receipts from a real home to the operator's store: who is believed, who is not, and what an old one is worth."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundlecraft import NOW, WORKSPACE_ID, Shop

from provision.endpoint.apply import DiskWriter
from provision.endpoint.identity import EndpointFolder, enroll
from provision.endpoint.install import InstallRequest, install_bundle
from provision.endpoint.state import read_installed
from provision.endpoint.status import home_status
from provision.files import FileProblemError, read_bounded
from provision.fleet.desired import Platform
from provision.hermes.facts.installed_version import installed_versions
from provision.hermes.facts.selection import hermes_in_use
from provision.keys.age import load_identities
from provision.receipts.receipt import (
    NAMESPACE,
    RECEIPT,
    RECEIPT_SIGNATURE,
    NoEndpointKeyError,
    SignedReceipt,
    issue_receipt,
    next_counter,
    parse_receipt,
)
from provision.receipts.store import ImportResult, KnownEndpoints, ReceiptStore, import_receipt, key_blob, receipts_in

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


class Machine:
    """A machine with its own config folder, home and endpoint key."""

    def __init__(self, folder: Path, shop: Shop, user: str) -> None:
        self.shop, self.user, self.folder, self.home = shop, user, folder, folder / ".hermes"
        self.config = EndpointFolder(folder / "config")
        self.enrolled = enroll(self.config, [shop.allowed_signers], comment=user, now=NOW)
        shop.identity_file(user, self.config.identity)
        self.environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        self.now = NOW

    def install(self, **changes: object) -> None:
        request = InstallRequest(
            signers=self.shop.signers,
            identities=load_identities(self.config.identity),
            platform=Platform.LINUX,
            home=self.home,
        )
        bundle = self.shop.bundle(self.user, **changes)  # type: ignore[arg-type]
        install_bundle(bundle, request, DiskWriter(self.folder), environ=self.environ, now=self.now)

    def receipt(self) -> SignedReceipt:
        hermes = hermes_in_use(["0.19.0"])
        found = home_status(self.home, signers=self.shop.signers, environ=self.environ, now=self.now, hermes=hermes)
        assert found.installed is not None
        assert found.check is not None
        return issue_receipt(found.home, found.installed, found.check, found.drift, self.config, now=self.now)


@pytest.fixture
def shop() -> Shop:
    return Shop(users=("ada", "bob"))


@pytest.fixture
def ada(tmp_path: Path, shop: Shop) -> Machine:
    machine = Machine(tmp_path / "ada", shop, "ada")
    machine.install()
    return machine


@pytest.fixture
def bob(tmp_path: Path, shop: Shop) -> Machine:
    machine = Machine(tmp_path / "bob", shop, "bob")
    machine.install()
    return machine


@pytest.fixture
def store(tmp_path: Path) -> ReceiptStore:
    return ReceiptStore(tmp_path / "receipts")


def endpoints(*machines: Machine) -> KnownEndpoints:
    return KnownEndpoints(WORKSPACE_ID, {m.user: key_blob(m.enrolled.endpoint_key) for m in machines})


def test_what_a_receipt_says(ada: Machine) -> None:
    signed = ada.receipt()
    receipt = signed.receipt
    assert (receipt.user, receipt.profile, receipt.generation) == ("ada", "engineering", int(NOW.timestamp()))
    assert receipt.route.as_expected == "yes"
    assert receipt.route.url == "https://api.aisa.one/v1/chat/completions"
    assert receipt.drift == ()
    assert (receipt.hermes_version, receipt.hermes_verified) == ("0.19.0", True)
    assert receipt.route.key_fingerprint == receipt.key_fingerprint
    assert ada.shop.keys["ada"].reveal().encode() not in signed.data
    kept = [ada.home / RECEIPT, ada.home / RECEIPT_SIGNATURE]
    assert b"".join(path.read_bytes() for path in kept) == signed.data
    modes = {p.stat().st_mode & 0o777 for p in (ada.home / ".provision").glob("receipt.json*")}
    assert modes == {0o600}


def test_drift_and_hijacks_are_in_it(ada: Machine) -> None:
    text = (ada.home / "config.yaml").read_text().replace("default: gpt-5.2", "default: other-model")
    (ada.home / "config.yaml").write_text(text)
    receipt = ada.receipt().receipt
    assert receipt.route.as_expected == "no"
    assert any("model.default was changed" in d.what for d in receipt.drift)


def test_half_a_character_in_the_users_yaml_does_not_stop_it(ada: Machine) -> None:
    text = (ada.home / "config.yaml").read_text().replace("default: gpt-5.2", 'default: "\\ud800"')
    (ada.home / "config.yaml").write_text(text)
    assert ada.receipt().receipt.route.as_expected != "yes"


@pytest.mark.programs("ssh-keygen")
def test_stock_ssh_keygen_verifies_it(ada: Machine, tmp_path: Path) -> None:
    ada.receipt()
    (tmp_path / "signers").write_text(f"ada {ada.enrolled.endpoint_key}\n")
    folder = ada.home / ".provision"
    command = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "signers"), "-I", "ada", "-n", NAMESPACE]
    with (folder / "receipt.json").open("rb") as text:
        done = subprocess.run(
            [*command, "-s", str(folder / "receipt.json.sig")], stdin=text, capture_output=True, check=False
        )
    assert done.returncode == 0, done.stderr


def test_import_keeps_the_newest_and_refuses_replays(ada: Machine, store: ReceiptStore) -> None:
    known = endpoints(ada)
    first = ada.receipt().data
    assert import_receipt("a", first, store, known, NOW).result is ImportResult.IMPORTED
    assert import_receipt("a", first, store, known, NOW).result is ImportResult.UNCHANGED
    second = ada.receipt().data
    assert import_receipt("a", second, store, known, NOW).result is ImportResult.IMPORTED
    replayed = import_receipt("a", first, store, known, NOW)
    assert replayed.result is ImportResult.REFUSED
    assert "replay" in replayed.message
    assert store.read("ada") == second


def test_foreign_altered_and_future_receipts_are_refused(ada: Machine, bob: Machine, store: ReceiptStore) -> None:
    known = endpoints(ada, bob)
    good = ada.receipt()

    def refusal(data: bytes, against: KnownEndpoints = known) -> str:
        done = import_receipt("x", data, store, against, NOW)
        assert done.result is ImportResult.REFUSED
        return done.message

    assert "does not match the content" in refusal(good.data.replace(b'"ada"', b'"bob"', 1))
    swapped = KnownEndpoints(WORKSPACE_ID, {"ada": known.keys["bob"], "bob": known.keys["ada"]})
    assert "the endpoint key of 'bob'" in refusal(good.data, swapped)
    assert "it belongs to workspace 0f0f" in refusal(good.data, KnownEndpoints("ee" * 16, known.keys))
    assert "is not in the inventory" in refusal(good.data, KnownEndpoints(WORKSPACE_ID, {"bob": known.keys["bob"]}))
    assert "no endpoint_key for 'ada'" in refusal(good.data, KnownEndpoints(WORKSPACE_ID, {"ada": None}))
    assert "does not end in a complete signature" in refusal(good.data[:-40])
    ada.now = NOW + timedelta(days=3)
    assert "in the future" in refusal(ada.receipt().data)
    assert not store.root.exists()


def test_a_signature_for_a_bundle_is_none_for_a_receipt(ada: Machine, store: ReceiptStore) -> None:
    from provision.receipts.receipt import receipt_bytes
    from provision.signing.signed_text import sign_text
    from provision.signing.sshsig import load_signing_key

    text = receipt_bytes(ada.receipt().receipt)
    forged = sign_text(text, load_signing_key(ada.config.endpoint_key), "hermes-provision")
    done = import_receipt("x", forged, store, endpoints(ada), NOW)
    assert done.result is ImportResult.REFUSED
    assert "is of namespace" in done.message


def test_the_counter_grows_whatever_the_clock_does(ada: Machine) -> None:
    numbers = [next_counter(ada.config, NOW + timedelta(seconds=s)) for s in (0, 0, 5, -86400, 6)]
    assert numbers == sorted(set(numbers))
    (ada.config.root / "receipt-counter").unlink()
    assert next_counter(ada.config, NOW + timedelta(minutes=1)) > numbers[-1]


def test_without_an_endpoint_key_there_is_a_named_error(ada: Machine) -> None:
    ada.config.endpoint_key.unlink()
    with pytest.raises(NoEndpointKeyError):
        ada.receipt()


def test_sources(ada: Machine, bob: Machine, store: ReceiptStore, tmp_path: Path) -> None:
    a, b = ada.receipt().data, bob.receipt().data
    assert [data for _, data in receipts_in("-", io.BytesIO(a + b"\n" + b))] == [a, b]
    assert [data for _, data in receipts_in(str(tmp_path))] == [a, b]
    known = endpoints(ada, bob)
    for name, data in receipts_in("-", io.BytesIO(a + b)):
        import_receipt(name, data, store, known, NOW)
    assert sorted(p.name for p in store.root.iterdir()) == ["ada.receipt", "bob.receipt"]
    assert store.receipt_of("ada", known) == parse_receipt(a.partition(b"-----BEGIN")[0])


@pytest.mark.skipif(not AS_ROOT, reason="only root can work for another")
def test_root_leaves_the_receipt_to_the_homes_owner(ada: Machine) -> None:
    for path in (ada.home, *ada.home.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for folder in ada.home.parents:
        if folder.stat().st_uid == 0 and folder != Path("/") and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    ada.receipt()
    owners = {path.stat().st_uid for path in (ada.home / ".provision").glob("receipt.json*")}
    assert owners == {65534}


def test_a_hundred_thousand_receipts_in_one_stream_take_linear_time() -> None:
    from provision.signing.signed_text import BEGIN, END, split_stream

    data = (b"x" * 400 + b"\n" + BEGIN + b"y" * 200 + b"\n" + END) * 100_000
    began = time.perf_counter()
    assert sum(1 for _ in split_stream(data)) == 100_000
    assert time.perf_counter() - began < 10


def test_hermes_version_is_told_without_running_it(tmp_path: Path) -> None:
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    (packages / "hermes_agent-0.19.0.dist-info").mkdir(parents=True)
    script = tmp_path / "bin" / "hermes"
    script.parent.mkdir()
    script.write_text(f"#!{tmp_path}/venv/bin/python3\nraise SystemExit('must not run')\n")
    script.chmod(0o755)
    assert installed_versions({"PATH": str(script.parent)}, own_prefix="/nonexistent") == ("0.19.0",)
    assert installed_versions({"PATH": "/nonexistent"}, own_prefix="/nonexistent") == ()


def test_a_receipt_of_another_generation_names_the_installed_one(ada: Machine) -> None:
    before = ada.receipt().receipt
    ada.install(generation=before.generation + 7)
    after = ada.receipt().receipt
    assert after.generation == before.generation + 7
    assert after.bundle != before.bundle
    installed = read_installed(ada.home)
    assert installed is not None
    assert json.loads(installed.kept.manifest or b"")["generation"] == after.generation
    assert replace(installed, kept=installed.kept) == installed


def test_odd_files_in_a_drop_folder_cost_a_line_each_and_no_memory(tmp_path: Path, ada: Machine) -> None:
    import resource

    signed = ada.receipt().data
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "a.receipt").write_bytes(b"")
    (folder / "b.receipt").mkdir()
    os.mkfifo(folder / "c.receipt")
    (folder / "d.receipt").symlink_to(folder / "missing")
    with (folder / "e.receipt").open("wb") as file:
        file.truncate(2 << 30)  # sparse
    (folder / "f.receipt").write_bytes(b"\xff" * 100)
    (folder / "receipt.json").mkdir()
    (folder / "z.receipt").write_bytes(signed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = dict(receipts_in(str(folder)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
    assert found[str(folder / "z.receipt")] == signed
    bad = {Path(name).name for name, data in found.items() if not isinstance(data, bytes)}
    assert bad == {"a.receipt", "b.receipt", "c.receipt", "d.receipt", "e.receipt", "receipt.json"}
    store = ReceiptStore(tmp_path / "receipts")
    results = [import_receipt(name, data, store, endpoints(ada), NOW).result for name, data in found.items()]
    assert results.count(ImportResult.IMPORTED) == 1
    assert results.count(ImportResult.REFUSED) == len(bad) + 1


@pytest.mark.hostile
def test_links_and_folders_that_others_put_into_a_drop_folder(
    tmp_path: Path, ada: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link may lead to a file whose reading never ends; a folder may be closed, or nested beyond every path."""
    signed = ada.receipt().data
    drop, outside = tmp_path / "drop", tmp_path / "outside"
    for folder in (drop, outside, drop / "closed"):
        folder.mkdir()
    (outside / "a.receipt").write_bytes(signed)
    (drop / "a.receipt").symlink_to(outside / "a.receipt")
    (drop / "endless.receipt").symlink_to("/proc/kmsg")
    (drop / "folder").symlink_to(outside)
    (drop / "home").mkdir()
    (drop / "home" / "receipt.json").write_bytes(b"{}")
    (drop / "home" / "receipt.json.sig").symlink_to("/proc/kmsg")
    with contextlib.chdir(drop):
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
    (drop / "d" / "d" / "z.receipt").write_bytes(signed)
    scandir = os.scandir

    def closed(path: str) -> Any:
        if path == str(drop / "closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    try:
        found = dict(receipts_in(str(drop)))
    finally:
        monkeypatch.undo()
        subprocess.run(["rm", "-rf", drop], check=True)  # shutil recurses
    good = {name for name, data in found.items() if isinstance(data, bytes)}
    assert good == {str(drop / "d" / "d" / "z.receipt")}
    bad = {str(Path(name).relative_to(drop)) for name in found.keys() - good if len(name) < 300}
    assert bad == {"a.receipt", "endless.receipt", "home/receipt.json", "closed"}


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="root on Linux")
def test_a_file_in_which_nothing_is_yet_is_read_without_waiting() -> None:
    list(receipts_in("/proc/kmsg"))
    with contextlib.suppress(FileProblemError):
        read_bounded(Path("/proc/kmsg"), 100)
    read_bounded(Path("/proc/self/status"), 1 << 20)


def test_one_file_with_many_receipts_is_read_piece_by_piece(tmp_path: Path, ada: Machine) -> None:
    signed = ada.receipt().data
    path = tmp_path / "all.txt"
    path.write_bytes((signed + b"\n") * 3000)
    found = list(receipts_in(str(path)))
    assert len(found) == 3000
    assert {data for _, data in found} == {signed}
