"""What a package carries, and the scripts that every kind of package shares."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from provision.bundle.manifest import MANIFEST, parse_manifest
from provision.bundle.tar import bundle_tar
from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.bundle.manifest import Manifest

_ACCOUNT = re.compile(r"^[A-Za-z0-9._-]{0,64}$")
_VERSION = re.compile(r"^[0-9][0-9A-Za-z.+~]{0,63}$")
_EVERY = re.compile(r"^[0-9]{1,5}[mhdw]$")
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


class PackageError(ProvisionError):
    """A package cannot be made."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package."""

    data: bytes = field(repr=False)
    mode: int = 0o644


Files = dict[str, PackageFile]


@dataclass(frozen=True, slots=True)
class Payload:
    """What is installed, for whom, and whom the machine shall trust from then on.

    Exactly one of `bundle` (its files) and `address` (a feed's) is given. `account` is the account on the machine, empty for
    whoever is logged in. `zipapp` is the program itself, when the package brings it along.
    """

    user: str
    signers: str
    bundle: Mapping[str, bytes] | None = None
    address: str | None = field(default=None, repr=False)
    account: str = ""
    every: str = "1h"
    version: str = ""
    zipapp: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.bundle is None) == (self.address is None):
            raise RuntimeError("a package wraps either a bundle or an address")
        if not _ACCOUNT.match(self.account) or self.account == "root":
            raise UsageError(f"--account {self.account!r} is no account that Hermes is set up for")
        if not _EVERY.match(self.every):
            raise UsageError("--every takes a span of time", hint="such as 30m, 1h or 1d")
        if self.version and not _VERSION.match(self.version):
            raise UsageError(f"--package-version {self.version!r} is no version", hint="such as 1.4")
        if not self.signers.strip():
            raise PackageError(
                "allowed_signers is empty: the machine would trust nobody, and install nothing",
                hint="`provision init` writes the signing key's line into it",
            )

    @property
    def kind(self) -> str:
        return "bundle" if self.bundle is not None else "pull"

    @property
    def manifest(self) -> Manifest | None:
        return parse_manifest(self.bundle[MANIFEST]) if self.bundle is not None else None

    @property
    def package_version(self) -> str:
        """As given, else the bundle's generation; a pull configuration starts at 1."""
        return self.version or (str(self.manifest.generation) if self.manifest else "1")

    @property
    def name(self) -> str:
        """A package name that dpkg and rpm both take; `_` is written `+`, which no user id holds."""
        return f"hermes-provision-{self.user.replace('_', '+')}"

    def content(self) -> Files:
        """What the scripts work on, as it lies in the payload folder. The address is for root and its user alone."""
        found = {"allowed_signers": PackageFile(self.signers.encode())}
        if self.bundle is not None:
            found["bundle.tar"] = PackageFile(bundle_tar(self.bundle))
        if self.address is not None:
            found["address"] = PackageFile(f"{self.address}\n".encode(), 0o600)
        if self.zipapp is not None:
            found["provision.pyz"] = PackageFile(self.zipapp, 0o755)
        return found

    def shell(self, name: str, *, payload: str = "") -> bytes:
        """One of our shell scripts, filled in; `payload` is shell text that names the payload's folder."""
        values = {
            "USER": shlex.quote(self.user),
            "ACCOUNT": shlex.quote(self.account) if self.account else "''",
            "KIND": self.kind,
            "EVERY": self.every,
            "GENERATION": str(self.manifest.generation if self.manifest else 0),
            "HERMES_HOME": self._posix_home(),
            "PAYLOAD": payload or "''",
        }
        return _filled(_script(name), values)

    def powershell(self, name: str) -> bytes:
        """One of our PowerShell scripts, filled in; with the mark that Windows PowerShell 5 needs to read UTF-8, and CRLF."""
        home = self.manifest.hermes_home if self.manifest else None
        values = {
            "USER": _ps_quoted(self.user),
            "KIND": _ps_quoted(self.kind),
            "EVERY": _ps_quoted(self.every),
            "GENERATION": str(self.manifest.generation if self.manifest else 0),
            "HERMES_HOME": _ps_quoted(_under(home, self.manifest, "\\")) if home else self._windows_profile(),
        }
        return b"\xef\xbb\xbf" + _filled(_script(name), values).replace(b"\n", b"\r\n")

    def _posix_home(self) -> str:
        """Shell text for the Hermes home (with its Hermes profile), empty for the default one; `~` is the account's."""
        manifest = self.manifest
        if manifest is None or (manifest.hermes_home is None and manifest.hermes_profile is None):
            return "''"
        named = manifest.hermes_home or "~/.hermes"
        full = _under(named, manifest, "/")
        return '"$home"/' + shlex.quote(full[2:]) if full.startswith("~/") else shlex.quote(full)

    def _windows_profile(self) -> str:
        manifest = self.manifest
        if manifest is None or manifest.hermes_profile is None:
            return "''"
        return f"(Join-Path $env:LOCALAPPDATA {_ps_quoted(_under('hermes', manifest, chr(92)))})"


def _under(home: str, manifest: Manifest | None, separator: str) -> str:
    """A home, or the Hermes profile inside it."""
    if manifest is None or manifest.hermes_profile is None or manifest.hermes_profile == "default":
        return home
    return separator.join((home, "profiles", manifest.hermes_profile))


def _script(name: str) -> str:
    return resources.files(__package__ or "").joinpath("scripts", name).read_text("utf-8")


def _filled(text: str, values: Mapping[str, str]) -> bytes:
    """Placeholders replaced in one pass, so that no value is searched again."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text).encode()


def _ps_quoted(text: str) -> str:
    """A single-quoted PowerShell string; the typographic quotes end one too."""
    if re.search("[\u2018\u2019\u201a\u201b\r\n\0]", text):
        raise PackageError("a value for the PowerShell script holds quotes or line ends that do not belong there")
    return "'" + text.replace("'", "''") + "'"


def description(payload: Payload) -> str:
    """A line for descriptions in consoles."""
    manifest = payload.manifest
    if manifest is None:
        return f"Hermes settings for {payload.user}, pulled from IT's feed every {payload.every}"
    return f"Hermes settings for {payload.user} ({manifest.profile}), generation {manifest.generation}"


def summary_json(payload: Payload) -> str:
    """What the package is, for the README beside it."""
    return json.dumps({"user": payload.user, "kind": payload.kind, "version": payload.package_version})
