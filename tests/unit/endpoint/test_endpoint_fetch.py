"""Archives and addresses of bundles: what is accepted, and what is refused before anything is fetched."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from bundlecraft import Shop, resigned

from provision.bundle.manifest import MANIFEST
from provision.bundle.tar import bundle_tar
from provision.endpoint.fetch import (
    MAX_EXTRA_BYTES,
    BundleNotFoundError,
    DownloadError,
    HostileArchiveError,
    _require_safe,
    fetch_bundle,
    read_archive,
)

SHOP = Shop(users=("ada",))
FILES = resigned(SHOP.bundle("ada"), SHOP.signer, {"WELCOME.html": b"<p>"})


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_an_archive_plain_gzipped_and_with_its_folder() -> None:
    assert read_archive(bundle_tar(FILES)) == FILES
    assert read_archive(gzip.compress(bundle_tar(FILES))) == FILES
    assert read_archive(archive(*((f"ada/{name}", data) for name, data in FILES.items()))) == FILES


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("../config.yaml", b"x")], "leads out"),
        ([("/config.yaml", b"x")], "leads out"),
        ([("a\\config.yaml", b"x")], "leads out"),
        ([("a/b/config.yaml", b"x")], "does not belong"),
        ([(".bashrc", b"x")], "does not belong"),
        ([("nul.txt", b"x")], "does not belong"),
        ([("Welcome.MD", b"x")], "does not belong"),
        ([*FILES.items(), ("run.sh", b"x")], "manifest does not list: run.sh"),
        ([("config.yaml", b"x"), ("config.yaml", b"y")], "twice"),
        ([("notes", b" " * (MAX_EXTRA_BYTES + 1))], "larger than"),
        ([(MANIFEST, b"{}")] * 17, "twice"),
    ],
)
def test_hostile_archives_are_refused(members: list[tuple[str, bytes]], says: str) -> None:
    with pytest.raises(HostileArchiveError, match=says) as caught:
        read_archive(archive(*members))
    assert caught.value.hint


def test_an_archive_without_a_bundle() -> None:
    with pytest.raises(BundleNotFoundError):
        read_archive(archive())


@pytest.mark.parametrize(
    "url", ["http://example.com/a.tar", "ftp://example.com/a.tar", "https://u:p@example.com/a.tar"]
)
def test_unsafe_addresses_are_refused_before_a_request(url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch_bundle(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://it.example/b", True),
        ("https://evil.example/b", False),
        ("http://it.example/b", False),
        ("http://127.0.0.1/b", False),
    ],
)
def test_redirects_stay_on_the_host_and_on_https(url: str, safe: bool) -> None:
    if safe:
        _require_safe(url, "it.example", "https")
    else:
        with pytest.raises(DownloadError):
            _require_safe(url, "it.example", "https")
