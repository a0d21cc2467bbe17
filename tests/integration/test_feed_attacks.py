"""The attacks that The Update Framework names, each against a real server: refused, with the last good state kept.

`Extraneous dependencies` has no counterpart: a bundle names nothing else to be installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from bundlecraft import NOW, Shop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from feedcraft import SECRET, FeedServer, Publisher, Puller, drip, served

from provision.bundle.tar import bundle_tar
from provision.endpoint.fetch import DownloadError
from provision.endpoint.verify import OtherWorkspaceError
from provision.errors import ProvisionError
from provision.feed.http import EndlessFeedError, FeedUnreachableError, SlowFeedError
from provision.feed.index import NAMESPACE, BadFeedError, FeedEntry, address_of, endpoint_id, index_bytes, parse_index
from provision.feed.state import read_state
from provision.feed.trust import (
    FeedClockError,
    FeedRollbackError,
    FrozenFeedError,
    MixedFeedError,
    NotListedError,
    OtherFeedError,
    UntrustedFeedError,
)
from provision.signing.allowed_signers import parse_allowed_signers, signer_line
from provision.signing.signed_text import sign_text, verify_text
from provision.signing.sshsig import public_line


class Stage:
    """A feed in its second generation; ada's machine has installed the first, and remembers it."""

    def __init__(self, folder: Path, server: FeedServer, publisher: Publisher, ada: Puller) -> None:
        self.folder, self.server, self.publisher, self.ada = folder, server, publisher, ada
        self.first_index = publisher.index_path("ada").read_bytes()
        self.first_bundle = publisher.bundle_path("ada")
        self.before = ada.tree()
        assert self.before

    @property
    def index(self) -> Path:
        return self.publisher.index_path("ada")

    def renew(self, hours: int = 1) -> None:
        """The operator renders and publishes anew; so does time go by."""
        self.publisher.shop.now += timedelta(hours=hours)
        self.publisher.render(force=True)
        self.publisher.publish()

    def refused(self, error: type[ProvisionError] | tuple[type[ProvisionError], ...], match: str) -> None:
        """The pull fails so, the home is what it was, and the failure is remembered; undone, the pull works again."""
        with pytest.raises(error, match=match):
            self.ada.pull()
        assert self.ada.tree() == self.before
        state = read_state(self.ada.config)
        assert state is not None
        assert state.failures >= 1
        assert state.last_error
        assert state.wait(self.ada.now or self.publisher.shop.now) is not None

    def recovers(self) -> None:
        """Without the attacker the same machine gets the news."""
        self.server.misbehaviour = None
        done = self.ada.pull()
        assert done.report is not None
        assert done.report.ok
        assert done.state.failures == 0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    shop = Shop(users=("ada", "bob"), now=NOW)
    publisher = Publisher(tmp_path / "operator", shop)
    publisher.render()
    publisher.publish()
    with served(publisher.tree) as server:
        ada = Puller(tmp_path / "ada", shop, "ada", server.url)
        assert ada.pull().report is not None
        yield Stage(tmp_path, server, publisher, ada)


def test_indefinite_freeze_of_the_index(stage: Stage) -> None:
    stage.publisher.shop.now += timedelta(days=8)
    stage.refused(FrozenFeedError, "expired on 2026-06-08")
    stage.renew()
    stage.recovers()


def test_indefinite_freeze_by_not_modified(stage: Stage) -> None:
    """A server that says 304 for ever gets no further than the expiry of what was believed last."""

    def frozen(handler: SimpleHTTPRequestHandler) -> bool:
        handler.send_response(304)
        handler.end_headers()
        return True

    stage.renew()
    stage.server.misbehaviour = frozen
    assert stage.ada.pull().not_modified  # within the life of the index nobody can tell
    stage.publisher.shop.now += timedelta(days=8)
    stage.refused(DownloadError, "unconditional request")
    stage.renew()
    stage.recovers()


def test_rollback_of_the_index(stage: Stage) -> None:
    stage.renew()
    newest = stage.index.read_bytes()
    assert stage.ada.pull().report is not None
    stage.before = stage.ada.tree()
    stage.index.write_bytes(stage.first_index)
    stage.refused(FeedRollbackError, "has version .* has seen")
    stage.index.write_bytes(newest)
    assert stage.ada.pull().report is None


def test_rollback_with_a_forgotten_memory_ends_at_the_generation(stage: Stage) -> None:
    stage.renew()
    assert stage.ada.pull().report is not None
    stage.before = stage.ada.tree()
    (stage.ada.config / "pull.json").unlink()
    stage.index.write_bytes(stage.first_index)
    stage.refused(ProvisionError, "generation .* is installed")


def test_equal_version_with_other_content(stage: Stage) -> None:
    index = parse_index(verify_text(stage.first_index, NAMESPACE)[0])
    other = index.model_copy(update={"endpoints": {}})
    stage.index.write_bytes(sign_text(index_bytes(other), stage.publisher.key, NAMESPACE))
    stage.refused(FeedRollbackError, "two different indexes")


def test_index_of_another_workspace(stage: Stage) -> None:
    """One operator's key may serve two workspaces: its signature alone does not make an index ours."""
    stage.renew()
    good = stage.index.read_bytes()
    index = parse_index(verify_text(good, NAMESPACE)[0])
    other = index.model_copy(update={"workspace": "ee" * 16})
    stage.index.write_bytes(sign_text(index_bytes(other), stage.publisher.key, NAMESPACE))
    stage.refused(OtherFeedError, "belongs to workspace eeee.*expected 0f0f")
    stage.index.write_bytes(good)
    stage.recovers()


def test_bundle_of_another_workspace_in_the_index(stage: Stage) -> None:
    shop = stage.publisher.shop
    stage.renew()
    other = Shop(users=("ada",), signer=shop.signer, now=shop.now, workspace_id="ee" * 16)
    other.identities = shop.identities
    _list(stage, bundle_tar(other.bundle("ada", generation=2_000_000_000)), 2_000_000_000, stage.publisher.key)
    stage.refused(OtherFeedError, "the bundle belongs to workspace eeee")


def test_home_of_another_workspace(stage: Stage) -> None:
    """A feed of another workspace, believed on first contact, does not take over a home."""
    shop = stage.publisher.shop
    shop.workspace_id = "ee" * 16
    shutil.rmtree(stage.publisher.tree / "index")
    stage.renew()
    (stage.ada.config / "pull.json").unlink()
    stage.refused(OtherWorkspaceError, "this home was set up from workspace 0f0f")


def test_mix_and_match_of_index_and_bundle(stage: Stage) -> None:
    """The new index with the old bundle in the new one's place."""
    old = stage.first_bundle.read_bytes()
    stage.renew()
    (new,) = set(stage.first_bundle.parent.glob("*.tar")) - {stage.first_bundle}
    good = new.read_bytes()
    new.write_bytes(old)
    wrong_size = "sends more than"  # the old one may be the larger of the two
    stage.refused((MixedFeedError, EndlessFeedError), f"not the one that the feed's index lists|{wrong_size}")
    new.write_bytes(good)
    stage.recovers()


def test_mix_and_match_of_another_part(stage: Stage) -> None:
    stage.renew()
    good = stage.index.read_bytes()
    shutil.copyfile(stage.publisher.index_path("bob"), stage.index)
    stage.refused(MixedFeedError, "answered with part")
    stage.index.write_bytes(good)
    stage.recovers()


def test_somebody_elses_bundle_signed_into_the_index(stage: Stage) -> None:
    """Even an operator's slip in the index installs nothing: the bundle says for whom it is."""
    stage.renew()
    bob = bundle_tar(stage.publisher.shop.bundle("bob", generation=2_000_000_000))
    _list(stage, bob, 2_000_000_000, stage.publisher.key)
    stage.refused(ProvisionError, "'bob'")


def test_arbitrary_installation_wrong_signer_of_the_index(stage: Stage) -> None:
    stage.renew()
    text, _ = verify_text(stage.index.read_bytes(), NAMESPACE)
    good = stage.index.read_bytes()
    stage.index.write_bytes(sign_text(text, Ed25519PrivateKey.generate(), NAMESPACE))
    stage.refused(UntrustedFeedError, "which this machine does not trust")
    stage.index.write_bytes(good)
    stage.recovers()


def test_arbitrary_installation_wrong_signer_of_the_bundle(stage: Stage) -> None:
    """A feed-only key that was stolen can list a bundle, not make one."""
    shop = stage.publisher.shop
    thief = Shop(users=("ada",), now=shop.now)
    thief.identities = shop.identities
    forged = bundle_tar(thief.bundle("ada", generation=2_000_000_000))
    stage.renew()
    _list(stage, forged, 2_000_000_000, stage.publisher.key)
    stage.refused(ProvisionError, "which this machine does not trust")


def test_a_key_for_the_feed_alone_signs_the_index_and_no_bundle(stage: Stage) -> None:
    """The key of a nightly job: `allowed_signers` lets it sign indexes; a bundle that it signs is refused."""
    nightly = Ed25519PrivateKey.generate()
    line = signer_line("nightly", public_line(nightly.public_key()), NAMESPACE)
    both = (*stage.publisher.shop.signers, *parse_allowed_signers(line))
    stage.ada.signers = both
    stage.renew()
    text, _ = verify_text(stage.index.read_bytes(), NAMESPACE)
    stage.index.write_bytes(sign_text(text, nightly, NAMESPACE))
    assert stage.ada.pull().report is not None
    stage.before = stage.ada.tree()
    thief = Shop(users=("ada",), signer=nightly, now=stage.publisher.shop.now)
    thief.identities = stage.publisher.shop.identities
    _list(stage, bundle_tar(thief.bundle("ada", generation=2_000_000_000)), 2_000_000_000, nightly)
    stage.refused(ProvisionError, "its line allows only the namespaces hermes-provision-feed")


def test_a_bundles_signature_is_none_for_an_index(stage: Stage) -> None:
    stage.renew()
    text, _ = verify_text(stage.index.read_bytes(), NAMESPACE)
    stage.index.write_bytes(sign_text(text, stage.publisher.key, "hermes-provision"))
    stage.refused(BadFeedError, "of namespace 'hermes-provision'")


def test_endless_data_in_the_index(stage: Stage) -> None:
    stage.server.misbehaviour = _endless
    started = time.monotonic()
    stage.refused(EndlessFeedError, "sends more than")
    assert time.monotonic() - started < 10
    stage.renew()
    stage.recovers()


def test_endless_data_in_the_bundle(stage: Stage) -> None:
    stage.renew()
    stage.server.misbehaviour = lambda handler: handler.path.endswith(".tar") and _endless(handler)
    stage.refused(EndlessFeedError, "sends more than")
    stage.recovers()


def test_slow_retrieval_of_the_body(stage: Stage) -> None:
    stop = threading.Event()
    stage.server.misbehaviour = drip(stage.first_index, 0.05, stop)
    _slow(stage, stop)


def test_slow_retrieval_of_the_headers(stage: Stage) -> None:
    """Bytes keep coming, so that no pause is ever long: only a deadline for the whole helps."""
    stop = threading.Event()

    def headers(handler: SimpleHTTPRequestHandler) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not stop.is_set():
            handler.wfile.write(b"X")
            handler.wfile.flush()
            time.sleep(0.05)
        return True

    stage.server.misbehaviour = headers
    _slow(stage, stop)


def _slow(stage: Stage, stop: threading.Event) -> None:
    stage.ada.deadline_s = 0.5
    started = time.monotonic()
    try:
        stage.refused(SlowFeedError, "takes longer than")
    finally:
        stop.set()
    assert time.monotonic() - started < 10
    assert len(stage.ada.slept) == 2, "two more attempts, after pauses"
    stage.ada.deadline_s = None
    stage.renew()
    stage.recovers()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_truncated_index(stage: Stage, part: float) -> None:
    stage.renew()
    good = stage.index.read_bytes()
    stage.index.write_bytes(good[: int(len(good) * part)])
    stage.refused(BadFeedError, "truncated")
    stage.index.write_bytes(good)
    stage.recovers()


def test_truncated_in_the_middle_of_the_connection(stage: Stage) -> None:
    def cut(handler: SimpleHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True
        return True

    stage.server.misbehaviour = cut
    stage.refused(FeedUnreachableError, "cannot reach")
    stage.renew()
    stage.recovers()


def test_truncated_bundle(stage: Stage) -> None:
    stage.renew()
    (new,) = set(stage.first_bundle.parent.glob("*.tar")) - {stage.first_bundle}
    good = new.read_bytes()
    new.write_bytes(good[:-700])
    stage.refused(MixedFeedError, "truncated")
    new.write_bytes(good)
    stage.recovers()


def test_partial_upload_index_before_bundle(stage: Stage) -> None:
    """The index is new, its bundle is not there yet; the index that was believed stays believed."""
    stage.renew()
    (new,) = set(stage.first_bundle.parent.glob("*.tar")) - {stage.first_bundle}
    aside = new.rename(new.with_suffix(".later"))
    stage.refused(DownloadError, "answered 404")
    stage.refused(DownloadError, "answered 404")
    assert stage.server.statuses[-2:] == [304, 404]
    aside.rename(new)
    stage.recovers()


def test_partial_upload_bundle_before_index(stage: Stage) -> None:
    stage.renew()
    stage.index.write_bytes(stage.first_index)
    assert stage.ada.pull().report is None
    assert stage.ada.tree() == stage.before


def test_an_endpoint_that_left_the_fleet(stage: Stage) -> None:
    stage.publisher.shop.now += timedelta(hours=1)
    stage.publisher.publish(("bob",))
    stage.refused(NotListedError, "no bundle for this machine")


def test_an_index_from_the_future(stage: Stage) -> None:
    stage.renew(hours=48)
    stage.ada.now = NOW
    stage.refused(FeedClockError, "this machine's clock is at")


def test_a_redirect_to_somewhere_else_is_not_followed(stage: Stage) -> None:
    def login_page(handler: SimpleHTTPRequestHandler) -> bool:
        handler.send_response(302)
        handler.send_header("Location", "https://login.example.com/")
        handler.end_headers()
        return True

    stage.server.misbehaviour = login_page
    stage.refused(DownloadError, "redirect, which is not followed")


def test_a_busy_server_is_left_alone_as_long_as_it_asks(stage: Stage) -> None:
    def busy(handler: SimpleHTTPRequestHandler) -> bool:
        handler.send_response(503)
        handler.send_header("Retry-After", "7200")
        handler.end_headers()
        return True

    stage.server.misbehaviour = busy
    stage.refused(FeedUnreachableError, "answered 503")
    state = read_state(stage.ada.config)
    assert state is not None
    wait = state.wait(NOW)
    assert wait is not None
    assert wait >= timedelta(hours=2)
    assert stage.ada.slept == []


def _endless(handler: SimpleHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"A" * 65536)
    except OSError:
        return True


def _list(stage: Stage, tar: bytes, generation: int, key: Ed25519PrivateKey) -> None:
    """Put another bundle into ada's place in the index, signed by `key`."""
    address = address_of(SECRET, "ada")
    index = parse_index(verify_text(stage.index.read_bytes(), NAMESPACE)[0])
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        member = archive.extractfile("manifest.json")
        manifest = member.read() if member else b""
    digest = hashlib.sha256(tar).hexdigest()
    entry = FeedEntry(
        bundle=digest, size=len(tar), manifest=hashlib.sha256(manifest).hexdigest(), generation=generation
    )
    assert json.loads(manifest)["generation"] == generation
    changed = index.model_copy(
        update={"endpoints": {**index.endpoints, endpoint_id(address): entry}, "version": index.version + 1}
    )
    stage.index.write_bytes(sign_text(index_bytes(changed), key, NAMESPACE))
    later = time.time() + 10  # the server tells versions apart by whole seconds
    os.utime(stage.index, (later, later))
    (stage.publisher.tree / "e" / address / f"{digest}.tar").write_bytes(tar)
