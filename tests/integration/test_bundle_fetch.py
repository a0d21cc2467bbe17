"""Fetching: folders, archives and servers, friendly and hostile; always bounded, nothing written."""

from __future__ import annotations

import gzip
import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bundlecraft import Shop, resigned, write_bundle

from provision.bundle.file_names import LIMITS, MANIFEST
from provision.bundle.tar import bundle_tar
from provision.endpoint.fetch import (
    MAX_ARCHIVE_BYTES,
    MAX_EXTRA_BYTES,
    BundleNotFoundError,
    DownloadError,
    HostileArchiveError,
    fetch_bundle,
    read_archive,
)
from provision.files import FileProblemError

SHOP = Shop(users=("ada",))
BUNDLE = SHOP.bundle("ada")
FULL = resigned(BUNDLE, SHOP.signer, {"WELCOME.html": b"<p>"})


def tar(*members: tuple[str, bytes], prefix: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def odd(kind: bytes, name: str = "config.yaml", link: str = "/etc/passwd") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return out.getvalue()


def test_a_folder_gives_its_bundle_files_only(tmp_path: Path) -> None:
    folder = write_bundle(BUNDLE, tmp_path / "ada")
    (folder / "extra").write_text("ignored")
    assert fetch_bundle(str(folder)) == BUNDLE


def test_further_files_that_the_manifest_lists_come_along(tmp_path: Path) -> None:
    folder = write_bundle(FULL, tmp_path / "ada")
    (folder / "extra").write_text("ignored")
    assert fetch_bundle(str(folder)) == FULL
    assert read_archive(bundle_tar(FULL)) == FULL

    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, FULL[handler.path.rpartition("/")[2]])

    with server(answer) as url:
        assert fetch_bundle(f"{url}/ada") == FULL
    (folder / "WELCOME.html").write_bytes(b" " * (MAX_EXTRA_BYTES + 1))
    with pytest.raises(FileProblemError, match="larger"):
        fetch_bundle(str(folder))


def test_a_folder_with_links_or_fifos_is_not_followed(tmp_path: Path) -> None:
    import os

    folder = write_bundle(BUNDLE, tmp_path / "ada")
    (folder / "WELCOME.md").unlink()
    (folder / "WELCOME.md").symlink_to("/etc/passwd")
    with pytest.raises(FileProblemError):
        fetch_bundle(str(folder))
    (folder / "WELCOME.md").unlink()
    os.mkfifo(folder / "WELCOME.md")
    with pytest.raises(FileProblemError):
        fetch_bundle(str(folder))


@pytest.mark.parametrize("prefix", ["", "./", "ada/", "./ada/"])
@pytest.mark.parametrize("packed", [False, True])
def test_archives(tmp_path: Path, prefix: str, packed: bool) -> None:
    data = tar(*BUNDLE.items(), prefix=prefix)
    path = tmp_path / "ada.tar"
    path.write_bytes(gzip.compress(data) if packed else data)
    assert fetch_bundle(str(path)) == BUNDLE


def test_an_archive_made_by_tar_with_its_folder(tmp_path: Path) -> None:
    import subprocess

    write_bundle(BUNDLE, tmp_path / "ada")
    subprocess.run(["tar", "czf", tmp_path / "a.tgz", "-C", tmp_path, "ada"], check=True)
    assert fetch_bundle(str(tmp_path / "a.tgz")) == BUNDLE
    subprocess.run(["tar", "cf", tmp_path / "a.tar", "-C", tmp_path / "ada", "."], check=True)
    assert fetch_bundle(str(tmp_path / "a.tar")) == BUNDLE


HOSTILE: dict[str, Callable[[], bytes]] = {
    "parent": lambda: tar(("../config.yaml", b"x")),
    "deep parent": lambda: tar(("ada/../../config.yaml", b"x")),
    "absolute": lambda: tar(("/etc/config.yaml", b"x")),
    "backslash": lambda: tar(("..\\config.yaml", b"x")),
    "symlink": lambda: odd(tarfile.SYMTYPE),
    "hard link": lambda: odd(tarfile.LNKTYPE),
    "device": lambda: odd(tarfile.CHRTYPE),
    "fifo": lambda: odd(tarfile.FIFOTYPE),
    "sparse": lambda: odd(tarfile.GNUTYPE_SPARSE),
    "unknown file": lambda: tar(*BUNDLE.items(), ("install.sh", b"rm -rf /")),
    "unlisted file": lambda: tar(*FULL.items(), ("README", b"x")),
    "further file without a manifest": lambda: tar(("config.yaml", b"x"), ("README", b"x")),
    "further file too large": lambda: tar(("README", b" " * (MAX_EXTRA_BYTES + 1))),
    "nested folder": lambda: tar(("a/b/config.yaml", b"x")),
    "twice": lambda: tar(*BUNDLE.items(), *BUNDLE.items()),
    "too many": lambda: tar(*[("config.yaml", b"x")] * 40),
    "too large": lambda: tar((MANIFEST, b" " * (LIMITS[MANIFEST] + 1))),
    "no tar": lambda: b"this is no archive" * 100,
    "cut short": lambda: tar(*BUNDLE.items())[:700],
    "gzip of junk": lambda: gzip.compress(b"junk"),
    "gzip cut short": lambda: gzip.compress(tar(*BUNDLE.items()))[:-20],
    "gzip bomb": lambda: gzip.compress(b"\0" * (MAX_ARCHIVE_BYTES + 10)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused(name: str) -> None:
    with pytest.raises(HostileArchiveError) as caught:
        read_archive(HOSTILE[name]())
    assert caught.value.hint


@pytest.mark.hostile
def test_a_member_that_claims_gigabytes_is_not_read() -> None:
    info = tarfile.TarInfo("config.yaml")
    info.size = 1 << 33
    with pytest.raises(HostileArchiveError):
        read_archive(info.tobuf() + b"\0" * 1024)


def test_what_is_not_there(tmp_path: Path) -> None:
    for source in (tmp_path / "absent", tmp_path):
        with pytest.raises(BundleNotFoundError):
            fetch_bundle(str(source))
    with pytest.raises(BundleNotFoundError):
        read_archive(tar())
    big = tmp_path / "big.tar"
    with big.open("wb") as file:
        file.truncate(MAX_ARCHIVE_BYTES + 1)
    with pytest.raises(FileProblemError, match="larger"):
        fetch_bundle(str(big))


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None: ...

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, data: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def test_a_server_with_a_tar_or_a_folder() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        if path == "/ada.tar.gz":
            send(handler, gzip.compress(tar(*BUNDLE.items())))
        elif path.startswith("/ada/") and query == "ticket=1":
            send(handler, BUNDLE[path.rpartition("/")[2]])
        elif path == "/moved.tar":
            send(handler, b"", 302, Location="/ada.tar.gz")
        else:
            send(handler, b"no", 404)

    with server(answer) as url:
        assert fetch_bundle(f"{url}/ada.tar.gz") == BUNDLE
        assert fetch_bundle(f"{url}/ada/?ticket=1") == BUNDLE
        assert fetch_bundle(f"{url}/moved.tar") == BUNDLE
        with pytest.raises(DownloadError, match="404") as caught:
            fetch_bundle(f"{url}/ada?ticket=secret")
        assert "secret" not in str(caught.value)


def test_servers_that_misbehave(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if handler.path == "/elsewhere.tar":
            send(handler, b"", 302, Location="https://evil.example/x.tar")
        elif handler.path == "/other-name.tar":
            send(handler, b"", 302, Location=f"http://localhost:{handler.server.server_port}/x.tar")  # type: ignore[attr-defined]
        elif handler.path == "/loop.tar":
            send(handler, b"", 302, Location="/loop.tar")
        elif handler.path == "/huge.tar":
            send(handler, b"\0" * (MAX_ARCHIVE_BYTES + 1))
        elif handler.path == "/slow.tar":
            handler.send_response(200)
            handler.end_headers()
            for _ in range(40):
                try:
                    handler.wfile.write(b"\0")
                    handler.wfile.flush()
                except OSError:
                    return
                time.sleep(0.1)

    with server(answer) as url:
        for name, says in {
            "elsewhere": "another host",
            "other-name": "another host",
            "loop": "too often",
            "huge": "larger",
        }.items():
            with pytest.raises(DownloadError, match=says):
                fetch_bundle(f"{url}/{name}.tar")
        started = time.monotonic()
        with pytest.raises(DownloadError, match=r"too long|timed out"):
            fetch_bundle(f"{url}/slow.tar", timeout_s=0.6)
        assert time.monotonic() - started < 3
    assert "/x.tar" not in asked


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/ada.tar", "http://example.com/ada", "ftp://example.com/x.tar", "file:///etc/passwd"]
)
def test_plain_http_and_other_schemes_are_refused_without_asking(url: str) -> None:
    with pytest.raises(DownloadError, match="not an https"):
        fetch_bundle(url)


def test_credentials_in_an_address_are_refused() -> None:
    with pytest.raises(DownloadError, match="password") as caught:
        fetch_bundle("https://user:hunter2@example.com/ada.tar")
    assert "hunter2" not in str(caught.value)


def test_an_untrusted_certificate_is_refused() -> None:
    with pytest.raises(DownloadError), server(lambda h: send(h, b"x")) as url:
        fetch_bundle(url.replace("http://", "https://") + "/ada.tar")
