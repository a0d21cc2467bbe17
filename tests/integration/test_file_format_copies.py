"""Every version of every file format stays readable: the copies in tests/data/formats are never edited."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.bundle.manifest import CONFIG, Manifest, manifest_bytes
from provision.endpoint.fetch import fetch_bundle
from provision.endpoint.obeyed_order import read_obeyed
from provision.endpoint.verify import AcceptanceRules, open_bundle, verify_bundle
from provision.feed.index import address_of, endpoint_id, index_bytes
from provision.feed.state import read_state
from provision.feed.trust import AcceptedIndex, accept_index
from provision.keys.age import Identity, load_identities, unseal
from provision.keys.feed_secret import feed_secret
from provision.keys.vault.file import open_vault, read_vault, read_workspace_id
from provision.receipts.receipt import Receipt, receipt_bytes
from provision.receipts.store import KnownEndpoints, verified_receipt
from provision.signing.allowed_signers import parse_allowed_signers
from provision.signing.signed_text import split_signed
from provision.trust.acceptance import SignedList, accept_list
from provision.trust.files import folder_source
from provision.trust.orders import accept_order
from provision.trust.walk import first_list, walk

V1 = Path(__file__).parents[1] / "data" / "formats" / "v1"
FULL = V1 / "every-field"
WORKSPACE_ID = "9f9b706373ad0d9ab74013e034d356b1"
NOW = datetime(2026, 6, 2, tzinfo=UTC)
SIGNERS = parse_allowed_signers((V1 / "allowed_signers").read_text())
ADDRESS = "hl5767tjhuha4kpbr4uaqpva7powot6g"
HEAD = (12, "cd" * 32)
HTML = b"<!doctype html>\n<title>test data</title>\n"


@pytest.fixture
def identities(tmp_path: Path) -> tuple[Identity, ...]:
    """The test data's identity, of the mode that git does not keep."""
    path = tmp_path / "identity.txt"
    shutil.copyfile(V1 / "identity.txt", path)
    path.chmod(0o600)
    return load_identities(path)


def bundle(folder: Path, identities: tuple[Identity, ...]) -> tuple[Manifest, bytes]:
    """The manifest of a copied bundle and its decrypted `.env`."""
    files = fetch_bundle(str(folder / "bundle"))
    opened = open_bundle(
        verify_bundle(files, AcceptanceRules(SIGNERS, NOW, "ada", workspace_id=WORKSPACE_ID)),
        lambda data: unseal(data, identities),
    )
    assert manifest_bytes(opened.manifest) == files["manifest.json"]
    assert opened.verified.files.keys() == files.keys()
    return opened.manifest, opened.env


def test_bundle_v1(identities: tuple[Identity, ...]) -> None:
    manifest, env = bundle(V1, identities)
    assert b"AISA_API_KEY=sk-aisa-TEST-DATA-ada-1\n" in env
    assert (manifest.machine, manifest.policy, manifest.trust, manifest.log_head) == (None, None, None, None)
    assert list(manifest.files) == ["config.yaml", ".env.age", "WELCOME.md"]
    assert hashlib.sha256((V1 / "bundle" / CONFIG).read_bytes()).hexdigest() == manifest.files[CONFIG]


def test_bundle_v1_with_every_field(identities: tuple[Identity, ...]) -> None:
    manifest, _ = bundle(FULL, identities)
    assert (manifest.machine, manifest.policy, manifest.trust) == ("ada-mbp", "ab" * 32, "1-3")
    assert manifest.log_head is not None
    assert (manifest.log_head.count, manifest.log_head.sha256) == HEAD
    assert manifest.files["WELCOME.html"] == hashlib.sha256(HTML).hexdigest()


def receipt(folder: Path) -> Receipt:
    data = (folder / "ada.receipt").read_bytes()
    signer = SIGNERS[0].blob  # one key signs all test data
    found = verified_receipt(data, KnownEndpoints(WORKSPACE_ID, {"ada": signer}), NOW).receipt
    assert receipt_bytes(found) == split_signed(data)[0]
    return found


def test_receipt_v1() -> None:
    found = receipt(V1)
    assert (found.user, found.counter, found.route.as_expected) == ("ada", 1780315200, "yes")
    assert (found.machine, found.destinations, found.policy, found.hermes_verified) == (None, None, None, None)


def test_receipt_v1_with_every_field() -> None:
    found = receipt(FULL)
    assert (found.machine, found.hermes_version, found.hermes_verified) == ("ada-mbp", "0.19.0", True)
    assert found.destinations is not None
    assert found.destinations.worst is not None
    assert (found.destinations.problem, found.destinations.worst.sends) == (1, ("key", "content"))
    assert found.policy is not None
    assert found.policy.summary == "approvals: always"


def index(folder: Path) -> AcceptedIndex:
    return accept_index((folder / "index.json").read_bytes(), ADDRESS, SIGNERS, NOW, None)


def test_feed_v1_and_the_derivation_of_addresses(identities: tuple[Identity, ...]) -> None:
    """Addresses are given out once: how a name in the index follows from one must never change."""
    secret = feed_secret(V1 / "feed.secret", [], identities, create=False)
    assert address_of(secret, "ada") == ADDRESS
    assert endpoint_id(ADDRESS) == "2e6f22b869bab49d9f69f58dd606aa08"
    offer = index(V1)
    assert offer.seen.workspace_id == WORKSPACE_ID
    assert offer.entry is not None
    manifest = (V1 / "bundle" / "manifest.json").read_bytes()
    assert offer.entry.manifest == hashlib.sha256(manifest).hexdigest()


def test_feed_v1_with_every_field() -> None:
    from provision.feed.index import parse_index

    text = split_signed((FULL / "index.json").read_bytes())[0]
    found = parse_index(text)
    assert index_bytes(found) == text
    assert found.trust == "1-3"
    assert found.log_head is not None
    assert index(FULL).entry == index(V1).entry


def test_pull_state_v1() -> None:
    state = read_state(V1)
    assert state is not None
    assert (state.workspace, state.failures, state.entry) == (WORKSPACE_ID, 2, index(V1).entry)


def test_vault_v1(identities: tuple[Identity, ...]) -> None:
    assert read_workspace_id(V1 / "keys.vault") == WORKSPACE_ID
    vault = open_vault(V1 / "keys.vault", identities)
    keys = [(known.user, known.stage.value, vault.value(known.user, known.version).reveal()) for known in vault]
    assert keys == [
        ("ada", "previous", "sk-aisa-TEST-DATA-ada-0"),
        ("ada", "current", "sk-aisa-TEST-DATA-ada-1"),
        ("bob", "current", "sk-aisa-TEST-DATA-bob-1"),
    ]


def test_vault_v1_with_every_field(identities: tuple[Identity, ...]) -> None:
    header = read_vault(FULL / "keys.vault").header
    assert header.log_head == HEAD
    assert [recipient.split()[1:] for recipient in header.recovery] == [["on", "paper"]]
    assert open_vault(FULL / "keys.vault", identities).users == ("ada", "bob")


ORDERS = V1 / "orders"
ORDER_SIGNERS = parse_allowed_signers((ORDERS / "allowed_signers").read_text())


def test_orders_v1() -> None:
    """An order, the index that lists it, and what the machine remembers of it."""
    data = (ORDERS / "ada.order").read_bytes()
    order = accept_order(data, ORDER_SIGNERS, NOW, workspace_id=WORKSPACE_ID, endpoints=[endpoint_id(ADDRESS)], last=6)
    assert (order.kind, order.count, order.reason) == ("halt", 7, "incident 7")
    offer = accept_index((ORDERS / "index.json").read_bytes(), ADDRESS, ORDER_SIGNERS, NOW, None)
    assert offer.order == hashlib.sha256(data).hexdigest()
    kept = read_obeyed(ORDERS)
    assert kept is not None
    assert (kept.digest, kept.trust, kept.in_force(NOW)) == (offer.order, "1-2", True)


def test_receipt_v1_with_a_trust_list() -> None:
    data = (ORDERS / "ada.receipt").read_bytes()
    known = KnownEndpoints(WORKSPACE_ID, {"ada": ORDER_SIGNERS[0].blob})
    found = verified_receipt(data, known, NOW).receipt
    assert found.trust == "1-2"
    assert receipt_bytes(found) == split_signed(data)[0]


def test_trust_lists_v1() -> None:
    """A chain of two versions and an epoch by recovery."""
    fetch = folder_source(V1 / "chain")
    first = first_list(fetch)
    assert first is not None
    passed: list[SignedList] = []
    walk(first, fetch, passed.append, NOW)
    assert [step.trust.number for step in passed] == ["2-1"], "the epoch outranks version 1-2"
    second = accept_list(
        first, (V1 / "chain/trust/1-2.json").read_bytes(), [next((V1 / "chain/trust").glob("1-2.*.sig")).read_bytes()]
    )
    assert second.trust.revoked[0].reason == "laptop stolen"
