"""What a package contains, and the scripts that all kinds of packages share."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING

from provision.bundle.manifest import MANIFEST, parse_manifest
from provision.bundle.tar import bundle_tar
from provision.errors import ProvisionError, UsageError
from provision.fleet.names import ACCOUNT
from provision.hermes.facts import names as facts
from provision.packaging.zipapp import SUPPORTED_MINORS, zipapp_pythons
from provision.trust.files import TAR_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.bundle.manifest import Manifest

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+~]{0,63}")
_EVERY = re.compile(r"[0-9]{1,5}[mhdw]")
_UNIT_S = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_STALE_PULLS, _LEAST_STALE_S = 3, 2 * 86400
"""A check says `pulling` for this many intervals after a good pull, and at least for two days: machines are off at times."""
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


class PackageError(ProvisionError):
    """A package cannot be built."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package."""

    data: bytes = field(repr=False)
    mode: int = 0o644


Files = dict[str, PackageFile]


@dataclass(frozen=True, slots=True)
class Payload:
    """What a package installs, for which user, and which signers the machine trusts afterwards.

    `chain` are the workspace's trust lists as a tar, which `install` reads beside the bundle. Exactly one of `bundle` (its
    files) and `address` (of a feed) is given. `account` is the account on the machine; empty means the logged-in user. `zipapp`
    is provision itself, if the package includes it.
    """

    user: str
    signers: str
    chain: bytes | None = field(default=None, repr=False)
    bundle: Mapping[str, bytes] | None = None
    address: str | None = field(default=None, repr=False)
    account: str = ""
    every: str = "1h"
    version: str = ""
    zipapp: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.bundle is None) == (self.address is None):
            raise RuntimeError("a package wraps either a bundle or an address")
        if self.account and (not re.fullmatch(ACCOUNT, self.account) or self.account == "root"):
            raise UsageError(
                f"invalid --account {self.account!r}",
                hint="use an account name such as ada, ada@corp.example or CORP\\ada; root is refused",
            )
        if not _EVERY.fullmatch(self.every):
            raise UsageError(
                f"invalid duration {self.every!r} for --every", hint="use a number and a unit: 30m, 1h or 1d"
            )
        if self.version and not _VERSION.fullmatch(self.version):
            raise UsageError(f"invalid --package-version {self.version!r}", hint="use a version such as 1.4")
        if not self.signers.strip():
            raise PackageError(
                "allowed_signers is empty: the machine would trust no signer and install nothing",
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
        """The given version, else the bundle's generation, or 1 for a feed address."""
        return self.version or (str(self.manifest.generation) if self.manifest else "1")

    @property
    def name(self) -> str:
        """A package name valid for dpkg and rpm; `_` becomes `+`, which no user id contains."""
        return f"hermes-provision-{self.user.replace('_', '+')}"

    def content(self) -> Files:
        """The files in the payload folder. Only root and the user may read the address."""
        found = {"allowed_signers": PackageFile(self.signers.encode())}
        if self.bundle is not None:
            found["bundle.tar"] = PackageFile(bundle_tar(self.bundle))
            if self.chain is not None:
                found[TAR_NAME] = PackageFile(self.chain)
        if self.address is not None:
            found["address"] = PackageFile(f"{self.address}\n".encode(), 0o600)
        if self.zipapp is not None:
            found["provision.pyz"] = PackageFile(self.zipapp, 0o755)
        return found

    def shell(self, name: str, *, payload: str = "") -> bytes:
        """Fill in one of the shell scripts; `payload` is shell text for the payload's folder."""
        values = self._values() | {
            "USER": shlex.quote(self.user),
            "ACCOUNT": shlex.quote(self.account) if self.account else "''",
            "KIND": self.kind,
            "EVERY": self.every,
            "PYTHONS": f"'{' '.join(self._pythons())}'",
            "BROUGHT": "yes" if self.zipapp is not None else "no",
            facts.HOME_ENV: self._posix_home(),
            "PAYLOAD": payload or "''",
        }
        return _filled(_script(name), values)

    def powershell(self, name: str) -> bytes:
        """Fill in one of the PowerShell scripts: ASCII, which Windows PowerShell 5 reads right without a byte order mark.

        Intune refuses a mark in scripts whose signature it checks.
        """
        values = self._values() | {
            "USER": _ps_quoted(self.user),
            "KIND": _ps_quoted(self.kind),
            "EVERY": _ps_quoted(self.every),
            "PYTHONS": ", ".join(map(_ps_quoted, self._pythons())),
            "BROUGHT": _ps_quoted("yes" if self.zipapp is not None else "no"),
            "FUNCTIONS": _script("Functions.ps1"),
            facts.HOME_ENV: self._windows_home(),
        }
        return _filled(_script(name), values).replace(b"\n", b"\r\n")

    def _values(self) -> dict[str, str]:
        stale_s = max(_STALE_PULLS * int(self.every[:-1]) * _UNIT_S[self.every[-1]], _LEAST_STALE_S)
        return {"GENERATION": str(self.manifest.generation if self.manifest else 0), "STALE": str(stale_s)}

    def _pythons(self) -> tuple[str, ...]:
        """The versions that run the program in the package, newest first."""
        known = zipapp_pythons(self.zipapp) if self.zipapp is not None else ()
        return tuple(f"3.{minor}" for minor in known or SUPPORTED_MINORS)

    def _posix_home(self) -> str:
        """Shell text for the Hermes home and Hermes profile, `''` for the default one; `~` is the account's home."""
        manifest = self.manifest
        if manifest is None or (manifest.hermes_home is None and manifest.hermes_profile is None):
            return "''"
        named = manifest.hermes_home or "~/.hermes"
        full = _under(named, manifest, "/")
        return '"$home"/' + shlex.quote(full[2:]) if full.startswith("~/") else shlex.quote(full)

    def _windows_home(self) -> str:
        """A PowerShell expression for the Hermes home and Hermes profile, `''` for the default one."""
        manifest = self.manifest
        if manifest is None or (manifest.hermes_home is None and manifest.hermes_profile is None):
            return "''"
        full = _under(manifest.hermes_home or r"%LOCALAPPDATA%\hermes", manifest, "\\")
        if full.startswith("~"):
            full = "%USERPROFILE%" + full[1:].replace("/", "\\")
        quoted = _ps_quoted(full)
        return f"[Environment]::ExpandEnvironmentVariables({quoted})" if full.startswith("%") else quoted


def _under(home: str, manifest: Manifest | None, separator: str) -> str:
    """The home, or the folder of the Hermes profile inside it."""
    if manifest is None or manifest.hermes_profile is None or manifest.hermes_profile == "default":
        return home
    return separator.join((home, "profiles", manifest.hermes_profile))


def _script(name: str) -> str:
    return resources.files(__package__ or "").joinpath("scripts", name).read_text("utf-8")


def _filled(text: str, values: Mapping[str, str]) -> bytes:
    """Replace placeholders in one pass, so that placeholders inside values stay."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text).encode()


def _ps_quoted(text: str) -> str:
    """A PowerShell string in ASCII: single-quoted, every other character by its code."""
    if re.search("[\r\n\0]", text):
        raise PackageError("a value for the PowerShell script contains line breaks")
    utf16 = text.encode("utf-16-le")
    units = [int.from_bytes(utf16[at : at + 2], "little") for at in range(0, len(utf16), 2)]
    parts = (
        "'" + "".join(map(chr, run)).replace("'", "''") + "'" if plain else "+".join(f"[char]{unit}" for unit in run)
        for plain, run in groupby(units, lambda unit: unit < 0x7F)
    )
    joined = " + ".join(parts) or "''"
    return joined if joined.startswith("'") and " + " not in joined else f"('' + {joined})"


def description(payload: Payload) -> str:
    """One line for descriptions in consoles."""
    manifest = payload.manifest
    if manifest is None:
        return f"Hermes settings for {payload.user}, pulled from IT's feed every {payload.every}"
    return f"Hermes settings for {payload.user} ({manifest.profile}), generation {manifest.generation}"
