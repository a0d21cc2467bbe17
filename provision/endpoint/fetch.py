"""Fetch a bundle from a folder, a tar file or a web server, into memory and with size limits.

Fetched data is not trusted: sizes are limited before anything is read, only the files of a bundle are taken, and an archive
with anything else in it (links, devices, `..`, absolute names, duplicates) is refused as a whole. Nothing is unpacked to
disk.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from provision.aisa.hosts import is_loopback
from provision.bundle.file_names import (
    BUNDLE_FILES,
    CONFIG,
    LIMITS,
    MANIFEST,
    SEALED_ENV,
    SIGNATURE,
    WELCOME,
    extra_names,
    is_extra_name,
)
from provision.errors import ProvisionError
from provision.files import read_bounded
from provision.formats.tar_errors import TAR_ERRORS
from provision.trust.files import MAX_TAR_BYTES, TAR_NAME, chain_source, web_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from provision.trust.walk import Fetch

MAX_EXTRA_BYTES = 1 << 20
"""The limit for each file that a manifest lists besides the fixed ones."""
MAX_ARCHIVE_BYTES = 4 << 20
MAX_MEMBERS = 16
TIMEOUT_S = 60.0
MAX_REDIRECTS = 3
_IN_FEED = re.compile(r"(.*)/e/[a-z2-7]{32}/[0-9a-f]{64}\.tar$")
_HEADERS = {"Accept-Encoding": "identity"}
_ABSENT = {404, 410}


class BundleNotFoundError(ProvisionError):
    """The given source has no bundle."""


class HostileArchiveError(ProvisionError):
    """An archive holds something that a bundle must not hold."""


class DownloadError(ProvisionError):
    """A bundle could not be downloaded."""


class AbsentDownloadError(DownloadError):
    """The server does not have the file."""


def fetch_bundle(source: str, *, timeout_s: float = TIMEOUT_S) -> dict[str, bytes]:
    """Read the files of a bundle from a folder, a `.tar`/`.tar.gz`, or an `https://` address of either.

    Plain `http://` is for loopback only. Other files are ignored in a folder and refused in an archive. The result is not
    verified: that is up to `endpoint.verify`.
    """
    if "://" in source:
        return _download(source, timeout_s)
    path = Path(source)
    if path.is_dir():
        return _read_folder(path)
    try:
        return read_archive(read_bounded(path, MAX_ARCHIVE_BYTES))
    except (FileNotFoundError, NotADirectoryError) as e:
        raise BundleNotFoundError(
            f"no bundle at {source}", hint="name a folder, a .tar file or an https:// address"
        ) from e


def fetch_chain(url: str, *, timeout_s: float = TIMEOUT_S) -> Fetch | None:
    """The trust lists that belong to the bundle at this address: `.trust.tar` beside it, else those of the feed that it is in.

    None if the server has neither, or answers with a page of its own. Raises DownloadError and BadChainError.
    """
    parts = urlsplit(url)
    beside = f"{parts.path.rstrip('/').rpartition('/')[0]}/{TAR_NAME}"

    def get(path: str, limit_bytes: int) -> bytes | None:
        try:
            return _fetched(urlunsplit(parts._replace(path=path)), limit_bytes, timeout_s)
        except AbsentDownloadError:
            return None

    data = web_source(get)(beside, MAX_TAR_BYTES)
    if data is not None:
        return chain_source(data, beside)
    feed = _IN_FEED.match(parts.path)
    return web_source(lambda name, limit_bytes: get(f"{feed[1]}/{name}", limit_bytes)) if feed else None


def _fetched(url: str, limit_bytes: int, timeout_s: float) -> bytes:

    with _client(urlsplit(url).hostname or "", timeout_s) as client:
        return _get(client, url, limit_bytes, time.monotonic() + timeout_s)


def _read_folder(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def read(names: Iterable[str]) -> None:
        for name in names:
            try:
                found[name] = read_bounded(folder / name, _limit_of(name), follow=False)
            except FileNotFoundError:
                continue

    read(BUNDLE_FILES)
    read(extra_names(found.get(MANIFEST, b"")))
    if not found:
        raise BundleNotFoundError(f"no bundle in {folder}", hint="name the folder that contains manifest.json")
    return found


def read_archive(data: bytes) -> dict[str, bytes]:
    """The bundle files in a tar, plain or gzipped. Raises HostileArchiveError for anything else in it."""
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for count, member in enumerate(archive, 1):
                if count > MAX_MEMBERS:
                    raise HostileArchiveError(
                        f"the archive has more than {MAX_MEMBERS} entries", hint="use the archive of one bundle"
                    )
                name = _member_name(member)
                if name is None:
                    continue
                if name in found:
                    raise HostileArchiveError(
                        f"{name} is in the archive twice", hint="do not use it; fetch the bundle again"
                    )
                extracted = archive.extractfile(member)
                found[name] = extracted.read(_limit_of(name) + 1) if extracted else b""
    except TAR_ERRORS as e:
        raise HostileArchiveError("the file is not a readable tar archive", hint="fetch the bundle again") from e
    if not found:
        raise BundleNotFoundError("no bundle in the archive", hint="archive the folder that contains manifest.json")
    if unlisted := sorted(found.keys() - {*BUNDLE_FILES, *extra_names(found.get(MANIFEST, b""))}):
        raise HostileArchiveError(
            f"the archive contains a file that its manifest does not list: {unlisted[0]}",
            hint="archive only one bundle's folder",
        )
    return found


def _limit_of(name: str) -> int:
    return LIMITS.get(name, MAX_EXTRA_BYTES)


def _member_name(member: tarfile.TarInfo) -> str | None:
    """The name of the bundle file in a member; None for a folder. The files may be in one folder, not deeper."""
    path = PurePosixPath(member.name)
    shown = repr(member.name[:80])
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise HostileArchiveError(
            f"the archive contains a path that leads out of it: {shown}", hint="do not use this archive"
        )
    if member.isdir() and len(path.parts) <= 1:
        return None
    plain = member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and member.sparse is None
    if not plain:
        raise HostileArchiveError(
            f"the archive contains something other than plain files: {shown}", hint="do not use this archive"
        )
    if not (path.name in LIMITS or is_extra_name(path.name)) or len(path.parts) > 2:
        raise HostileArchiveError(
            f"the archive contains a file that does not belong to a bundle: {shown}",
            hint="archive only one bundle's folder",
        )
    if member.size > _limit_of(path.name):
        raise HostileArchiveError(
            f"{path.name} in the archive is larger than {_limit_of(path.name)} bytes", hint="do not use this archive"
        )
    return path.name


def _gunzip(data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, MAX_ARCHIVE_BYTES + 1)
    except zlib.error as e:
        raise HostileArchiveError("the file is not a readable gzip archive", hint="fetch the bundle again") from e
    if len(plain) > MAX_ARCHIVE_BYTES or not stream.eof:
        raise HostileArchiveError(
            f"the archive is truncated or larger than {MAX_ARCHIVE_BYTES} bytes when unpacked",
            hint="fetch the bundle again",
        )
    return plain


def _download(url: str, timeout_s: float) -> dict[str, bytes]:

    deadline = time.monotonic() + timeout_s
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise DownloadError("the address contains a user name or password", hint="use an address without credentials")
    with _client(parts.hostname or "", timeout_s) as client:
        if parts.path.endswith((".tar", ".tar.gz", ".tgz")):
            return read_archive(_get(client, url, MAX_ARCHIVE_BYTES, deadline))
        folder = parts.path.rstrip("/")

        def get(names: Iterable[str]) -> dict[str, bytes]:
            return {
                name: _get(client, urlunsplit(parts._replace(path=f"{folder}/{name}")), _limit_of(name), deadline)
                for name in names
            }

        found = get((MANIFEST, SIGNATURE, CONFIG, SEALED_ENV, WELCOME))
        return found | get(extra_names(found[MANIFEST]))


def _client(host: str, timeout_s: float) -> httpx.Client:
    import httpx  # noqa: PLC0415  takes a third of a second, only for downloads

    from provision.tls import trust_context  # noqa: PLC0415

    return httpx.Client(
        verify=trust_context(),
        timeout=min(20.0, timeout_s),
        follow_redirects=False,
        headers=_HEADERS,
        trust_env=not is_loopback(host),  # no proxy for this machine
    )


def _get(client: httpx.Client, url: str, limit_bytes: int, deadline: float) -> bytes:
    import httpx  # noqa: PLC0415

    origin = urlsplit(url)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            _require_safe(url, origin.hostname, origin.scheme)
            with client.stream("GET", url) as response:
                if response.is_redirect and response.next_request is not None:
                    url = str(response.next_request.url)
                    continue
                if response.status_code != 200:
                    absent = response.status_code in _ABSENT
                    raise (AbsentDownloadError if absent else DownloadError)(
                        f"{_shown(url)} answered {response.status_code}",
                        hint="ask IT whether the address is correct; it may have expired",
                    )
                return _body(response, limit_bytes, deadline)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as e:
        raise DownloadError(f"cannot fetch {_shown(url)}: {e}", hint="check the address and the network") from e
    raise DownloadError(f"{_shown(url)} redirects too often", hint="use the final address")


def _body(response: httpx.Response, limit_bytes: int, deadline: float) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_raw():  # not decoded: a compressed response could be a bomb, and none was requested
        size += len(chunk)
        if size > limit_bytes:
            raise DownloadError(
                f"{_shown(str(response.url))} is larger than {limit_bytes} bytes", hint="check the address"
            )
        if time.monotonic() > deadline:
            raise DownloadError(
                f"{_shown(str(response.url))} takes too long", hint="try again, or copy the bundle by other means"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _require_safe(url: str, host: str | None, scheme: str) -> None:
    parts = urlsplit(url)
    if parts.hostname != host:
        raise DownloadError(
            f"the server redirects to another host: {_shown(url)}", hint="use that address, if it is correct"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise DownloadError(f"{_shown(url)} is not an https:// address", hint="plain http is allowed only for loopback")
    if scheme == "https" and parts.scheme != "https":
        raise DownloadError(f"the server redirects away from https: {_shown(url)}", hint="report this to IT")


def _shown(url: str) -> str:
    """An address without its query, which may hold a credential."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
