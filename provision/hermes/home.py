"""Where a Hermes home is, what lies in it, and its bytes as one value.

Reading is bounded and never follows a FIFO or device; what is absent is None. Which of the folders Hermes itself would
use is `effective_home`; what the bytes mean is `route.py`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import FileProblemError, read_optional
from provision.fleet.desired import Platform
from provision.hermes.facts.v0_19 import (
    ACTIVE_PROFILE_NAME,
    AUTH_NAME,
    CONFIG_NAME,
    ENV_NAME,
    JOBS_NAME,
    ONEPASSWORD_ENV_NAME,
    PROFILE_NAME,
    PROFILES_FOLDER,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILE_BYTES = 8 << 20
"""No config.yaml, .env or auth.json is larger; whatever is, is not read."""
MAX_PROFILES = 1000


class NoHomeError(ProvisionError):
    """There is no telling where Hermes keeps its files."""


def default_home(platform: Platform, environ: Mapping[str, str]) -> str:
    """Where Hermes keeps its files when nobody says otherwise, as a path of that platform.

    `HERMES_HOME`, else `%LOCALAPPDATA%\\hermes` on Windows, else `~/.hermes` (`hermes_constants.get_hermes_home`).
    Raises NoHomeError when the environment names no home folder either.
    """
    if chosen := environ.get("HERMES_HOME", "").strip():
        return chosen
    if platform is Platform.WINDOWS:
        if local := environ.get("LOCALAPPDATA", "").strip():
            return str(PureWindowsPath(local) / "hermes")
        if profile := environ.get("USERPROFILE", "").strip():
            return str(PureWindowsPath(profile) / "AppData" / "Local" / "hermes")
        raise NoHomeError("neither LOCALAPPDATA nor USERPROFILE is set", hint="name the Hermes home with --home")
    if home := environ.get("HOME", "").strip():
        return str(PurePosixPath(home) / ".hermes")
    raise NoHomeError("HOME is not set", hint="name the Hermes home with --home")


@dataclass(frozen=True, slots=True)
class HomePaths:
    """The files of one Hermes home (or of one Hermes profile, which is laid out the same), and ours beside them."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / CONFIG_NAME

    @property
    def env(self) -> Path:
        return self.root / ENV_NAME

    @property
    def auth(self) -> Path:
        return self.root / AUTH_NAME

    @property
    def provision(self) -> Path:
        """Our own folder in the home; Hermes ignores it."""
        return self.root / ".provision"

    @property
    def rendering(self) -> Path:
        """The rendering as last installed: the base of the next three-way merge."""
        return self.provision / "rendering.yaml"

    @property
    def manifest(self) -> Path:
        return self.provision / "manifest.json"

    @property
    def sealed_env(self) -> Path:
        return self.provision / "env.age"

    @property
    def receipts(self) -> Path:
        return self.provision / "receipts"


def effective_home(root: Path, hermes_profile: str | None) -> Path:
    """The folder whose files count: the root itself, or the named Hermes profile inside it (`default` is the root)."""
    if hermes_profile is None or hermes_profile == "default":
        return root
    if not PROFILE_NAME.fullmatch(hermes_profile):
        raise NoHomeError(
            f"{hermes_profile!r} is not a name of a Hermes profile", hint="a-z, 0-9, - and _, at most 64 characters"
        )
    return root / PROFILES_FOLDER / hermes_profile


@dataclass(frozen=True, slots=True)
class HomeFiles:
    """The bytes of one home or one Hermes profile. `path` is how the folder is called in reports; `jobs` are cron's.

    `unreadable` names the files that are there and could not be read, with the reason: nothing may be concluded from
    their absence here.
    """

    path: str
    config: bytes | None = field(default=None, repr=False)
    env: bytes | None = field(default=None, repr=False)
    auth: bytes | None = field(default=None, repr=False)
    onepassword_env: bytes | None = field(default=None, repr=False)
    jobs: bytes | None = field(default=None, repr=False)
    unreadable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def where(self, name: str) -> str:
        """The path of one of the files, for a report."""
        return f"{self.path.rstrip('/')}/{name}"


@dataclass(frozen=True, slots=True)
class HermesFiles:
    """Everything on disk that decides where a Hermes home sends its requests.

    `profiles` maps the name of each Hermes profile to its files; `managed` is the managed scope's folder, None when
    there is none. `active_profile` is the content of the file of that name.
    """

    root: HomeFiles
    profiles: Mapping[str, HomeFiles] = field(default_factory=lambda: MappingProxyType({}))
    active_profile: bytes | None = field(default=None, repr=False)
    managed: HomeFiles | None = None


def read_home(root: Path, *, managed_dir: Path | None) -> HermesFiles:
    """The files of the home at `root` and of the managed scope at `managed_dir`; None leaves that scope out.

    Never raises for what it finds there: a file that cannot be read is listed as unreadable.
    """
    folder = root / PROFILES_FOLDER
    profiles: dict[str, HomeFiles] = {}
    try:
        names = sorted(p.name for p in folder.iterdir() if PROFILE_NAME.fullmatch(p.name))
    except OSError:
        names = []
    for name in names[:MAX_PROFILES]:
        if (folder / name).is_dir():
            profiles[name] = _read_folder(folder / name)
    try:
        active = read_optional(root / ACTIVE_PROFILE_NAME, 4096)
    except FileProblemError:
        active = None
    managed = _read_folder(managed_dir) if managed_dir is not None and managed_dir.is_dir() else None
    return HermesFiles(_read_folder(root), MappingProxyType(profiles), active, managed)


def _read_folder(folder: Path) -> HomeFiles:
    unreadable: dict[str, str] = {}

    def read(name: str) -> bytes | None:
        try:
            return read_optional(folder / name, MAX_FILE_BYTES)
        except FileProblemError as e:
            unreadable[name] = e.message
            return None

    config, env, auth, op, jobs = map(read, (CONFIG_NAME, ENV_NAME, AUTH_NAME, ONEPASSWORD_ENV_NAME, JOBS_NAME))
    return HomeFiles(str(folder), config, env, auth, op, jobs, MappingProxyType(unreadable))
