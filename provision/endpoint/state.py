"""What is installed in a Hermes home: the folder `.provision/` beside the user's files.

It holds the manifest and its signature, the rendering as last installed (the base of the next merge), marks of the `.env`
lines that the install set (fingerprints, so that a later install can distinguish them from the user's lines), the welcome
page, and, with `secret_delivery: run`, the sealed `.env`. It holds no secret in plaintext.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.bundle.file_names import LIMITS
from provision.bundle.manifest import (
    CONFIG,
    MANIFEST,
    SEALED_ENV,
    SIGNATURE,
    WELCOME,
    BadManifestError,
    Manifest,
    parse_manifest,
)
from provision.endpoint.privileges import refuse_linked_folder
from provision.errors import ProvisionError
from provision.files import read_optional
from provision.hermes.home import HomePaths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = ".provision"
JOURNAL = f"{FOLDER}/transaction.json"
REMOVED = f"{FOLDER}/removed"
_MAX_MARKS_BYTES = 256 << 10


class NotInstalledError(ProvisionError):
    """Nothing is installed in this home."""


class BrokenInstallationError(ProvisionError):
    """A file in `.provision/` is invalid; the message names it."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """The files of `.provision/`; None for missing ones."""

    manifest: bytes | None = None
    signature: bytes | None = None
    rendering: bytes | None = None
    sealed_env: bytes | None = field(default=None, repr=False)
    marks: bytes | None = None
    welcome: bytes | None = None


@dataclass(frozen=True, slots=True)
class InstalledBundle:
    """An installation: the manifest, and the other kept files of its bundle."""

    manifest: Manifest
    kept: KeptFiles

    @property
    def marks(self) -> Mapping[str, str]:
        """Names of the `.env` lines that the install set, with the fingerprint of each value; empty for an invalid file."""
        try:
            plain = json.loads(self.kept.marks or b"{}")
        except (ValueError, RecursionError):
            return {}
        return {str(k): str(v) for k, v in plain.items()} if isinstance(plain, dict) else {}

    def bundle_files(self) -> dict[str, bytes]:
        """The kept files under their names in the bundle."""
        kept = self.kept
        pairs = {
            MANIFEST: kept.manifest,
            SIGNATURE: kept.signature,
            CONFIG: kept.rendering,
            SEALED_ENV: kept.sealed_env,
            WELCOME: kept.welcome,
        }
        return {name: data for name, data in pairs.items() if data is not None}


@dataclass(frozen=True, slots=True)
class KeptPaths:
    """The paths of the kept files, relative to the home, as POSIX paths."""

    manifest: str
    signature: str
    rendering: str
    sealed_env: str
    marks: str
    welcome: str


def kept_paths(home: Path) -> KeptPaths:
    """The paths of the kept files of a home, relative to it."""
    paths = HomePaths(home)
    manifest = paths.manifest.relative_to(home).as_posix()
    return KeptPaths(
        manifest=manifest,
        signature=f"{manifest}.sig",
        rendering=paths.rendering.relative_to(home).as_posix(),
        sealed_env=paths.sealed_env.relative_to(home).as_posix(),
        marks=f"{FOLDER}/env-marks.json",
        welcome=f"{FOLDER}/{WELCOME}",
    )


def read_kept(home: Path) -> KeptFiles:
    """Read the kept files of a home. Raises FileProblemError for unreadable ones."""
    names = kept_paths(home)

    def read(name: str, limit_bytes: int) -> bytes | None:
        return read_optional(home / name, limit_bytes)

    return KeptFiles(
        manifest=read(names.manifest, LIMITS[MANIFEST]),
        signature=read(names.signature, LIMITS[SIGNATURE]),
        rendering=read(names.rendering, LIMITS[CONFIG]),
        sealed_env=read(names.sealed_env, LIMITS[SEALED_ENV]),
        marks=read(names.marks, _MAX_MARKS_BYTES),
        welcome=read(names.welcome, LIMITS[WELCOME]),
    )


def read_installed(home: Path) -> InstalledBundle | None:
    """The installation in a home; None when there is none. Raises BrokenInstallationError and LinkedHomeError."""
    refuse_linked_folder(home / FOLDER)
    kept = read_kept(home)
    if kept.manifest is None:
        return None
    try:
        return InstalledBundle(parse_manifest(kept.manifest), kept)
    except BadManifestError as e:
        raise BrokenInstallationError(
            f"{home / kept_paths(home).manifest}: {e.message}",
            hint="move that file away, then install the bundle again",
        ) from e


def key_in_place_since(home: Path) -> float | None:
    """When the installed key was written (Unix time): the marks file is written only when the key changes."""
    try:
        return (home / kept_paths(home).marks).stat().st_mtime
    except OSError:
        return None


def require_installed(home: Path) -> InstalledBundle:
    """The installation in a home. Raises NotInstalledError and BrokenInstallationError."""
    found = read_installed(home)
    if found is None:
        raise NotInstalledError(
            f"no bundle is installed in {home}",
            hint="run `provision install BUNDLE`, or use --home for another home",
        )
    return found
