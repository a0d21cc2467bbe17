"""Where chains of trust lists are read from: a folder, or the one tar that travels beside bundles."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import FileProblemError, read_bounded, read_optional
from provision.formats.tar_errors import TAR_ERRORS
from provision.trust.trust_list import FOLDER, MAX_LIST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from provision.trust.walk import Fetch

MAX_PAGE_BYTES = 1 << 20
_BEGINS = {"json": (0, b"{"), "sig": (0, b"-----BEGIN SSH SIGNATURE-----"), "tar": (257, b"ustar")}
"""How files of a chain begin, and at which byte, by the end of their names."""
TAR_NAME = ".trust.tar"
"""The chain beside bundles: hidden, so that it does not look like a user's folder in dist/."""
MAX_TAR_BYTES = 16 << 20
_NAME = re.compile(rf"{FOLDER}/[1-9][0-9]{{0,8}}-[1-9][0-9]{{0,8}}\.json(?:\.[0-9a-f]{{16}}\.sig)?")


class BadChainError(ProvisionError):
    """The chain of trust lists cannot be read."""


def folder_source(root: Path) -> Fetch:
    """The chain in `root/trust/`."""

    def fetch(name: str, limit_bytes: int) -> bytes | None:
        try:
            return read_bounded(root / name, limit_bytes, follow=False)
        except FileNotFoundError:
            return None

    return fetch


def mapping_source(files: Mapping[str, bytes]) -> Fetch:
    """A chain in memory, by path."""
    return lambda name, limit_bytes: files.get(name, b"")[: limit_bytes + 1] or None


def web_source(get: Fetch) -> Fetch:
    """The chain on a web server. Some answer 200 with a page of their own for what they do not have: that file is absent.

    A server can withhold lists with a 404 too, so a page proves and changes nothing. A damaged list stays a damaged list.
    """

    def fetch(name: str, limit_bytes: int) -> bytes | None:
        data = get(name, max(limit_bytes, MAX_PAGE_BYTES))
        at, begin = _BEGINS[name.rpartition(".")[2]]
        return data[: limit_bytes + 1] if data is not None and data[at : at + len(begin)] == begin else None

    return fetch


def read_chain(root: Path) -> dict[str, bytes]:
    """All lists and signatures in `root/trust/`, by path, unverified."""
    folder = root / FOLDER
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = f"{FOLDER}/{path.name}"
        if _NAME.fullmatch(name):
            found[name] = read_bounded(path, MAX_LIST_BYTES, follow=False)
    return found


def chain_tar(files: Mapping[str, bytes]) -> bytes:
    """The chain as a tar; the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(files[name]), 0o644
            archive.addfile(member, io.BytesIO(files[name]))
    return buffer.getvalue()


def tar_source(path: Path) -> Fetch | None:
    """The chain in a tar; None without one. Raises BadChainError for anything else in it."""
    data = read_optional(path, MAX_TAR_BYTES)
    return None if data is None else chain_source(data, str(path))


def chain_source(data: bytes, shown: str) -> Fetch:
    """The chain in the bytes of a tar; `shown` names it in errors. Raises BadChainError for anything else in it."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                extracted = archive.extractfile(member) if member.isreg() else None
                if extracted is None or not _NAME.fullmatch(member.name) or member.size > MAX_LIST_BYTES:
                    raise BadChainError(f"{shown} contains something other than trust lists", hint=_HINT)
                files[member.name] = extracted.read(MAX_LIST_BYTES)
    except (*TAR_ERRORS, FileProblemError) as e:
        raise BadChainError(f"{shown} is not a readable tar archive", hint=_HINT) from e
    return mapping_source(files)


_HINT = "build it again with `provision render`"
