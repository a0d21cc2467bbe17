"""Find a Hermes home and read its files into one value.

Reading is bounded and never opens a FIFO or device. A missing file is None. `provision.hermes.routing` interprets the
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import FileProblemError, read_optional
from provision.fleet.desired import Platform
from provision.fleet.names import HOME_VARIABLE, HOME_VARIABLES
from provision.hermes.facts import names as facts
from provision.hermes.facts.memory import MEMORY_FILES
from provision.windows_acl import on_windows, other_accounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.hermes.home_extras import HomeExtras
    from provision.hermes.session_store import SessionChoice

MAX_FILE_BYTES = 8 << 20
"""Larger files are not read; no real config.yaml, .env or auth.json is this large."""
MAX_PROFILES = 1000


class NoHomeError(ProvisionError):
    """The folder of the Hermes home is unknown or has an invalid name."""


def default_home(platform: Platform, environ: Mapping[str, str]) -> str:
    """Return Hermes' default home as a path of that platform.

    `HERMES_HOME`, else `%LOCALAPPDATA%\\hermes` on Windows, else `~/.hermes` (`hermes_constants.get_hermes_home`).
    Raises NoHomeError if the environment names no home folder, or a `HERMES_HOME` that is not an absolute path of this system: a
    shell did not expand it, or it comes from another system (`HERMES_HOME=D:\\hermes` passed into WSL).
    """
    if chosen := environ.get(facts.HOME_ENV, "").strip():
        pure = PureWindowsPath(chosen) if platform is Platform.WINDOWS else PurePosixPath(chosen)
        if not pure.is_absolute():
            raise NoHomeError(
                f"{facts.HOME_ENV} is not an absolute path on this system: {chosen!r}",
                hint=f"set {facts.HOME_ENV} to the full path without quotes, or unset it; or name the home with --home",
            )
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


def expand_home(named: str, platform: Platform, environ: Mapping[str, str]) -> Path:
    """Return the absolute path of a home that the inventory names: `~/…`, a variable of Windows in front, or an absolute path.

    Raises NoHomeError for anything else: it would be a folder below the one in which the command happens to run.
    """
    pure = PureWindowsPath if platform is Platform.WINDOWS else PurePosixPath
    text = named
    if named.startswith("~/") or (platform is Platform.WINDOWS and named.startswith("~\\")):
        user = environ.get("USERPROFILE" if platform is Platform.WINDOWS else "HOME", "").strip() or environ.get(
            "HOME", ""
        )
        text = str(pure(user) / named[2:])
    elif found := HOME_VARIABLE.match(named):
        value = environ.get(found[1].upper(), "").strip() if platform is Platform.WINDOWS else ""
        text = value + named[found.end() :] if value else ""
    if not pure(text).is_absolute() or (platform is Platform.WINDOWS and "%" in text):
        raise NoHomeError(
            f"the Hermes home {named!r} is not an absolute path on this system",
            hint=f"IT sets hermes_home to a full path, ~/…, on Windows {', '.join(HOME_VARIABLES)}; or name the home with --home",
        )
    return Path(text)


def given_home(chosen: Path, platform: Platform, environ: Mapping[str, str]) -> Path:
    """The folder that `--home` names; `~` and `%…%` in front, which the shell did not expand, are expanded or refused."""
    text = str(chosen)
    return expand_home(text, platform, environ) if text.startswith(("~", "%")) else chosen.absolute()


@dataclass(frozen=True, slots=True)
class HomePaths:
    """Paths of the files in one Hermes home or Hermes profile (both have the same layout), Hermes' and ours."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / facts.CONFIG_NAME

    @property
    def env(self) -> Path:
        return self.root / facts.ENV_NAME

    @property
    def auth(self) -> Path:
        return self.root / facts.AUTH_NAME

    @property
    def provision(self) -> Path:
        """The folder of provision in the home; Hermes ignores it."""
        return self.root / ".provision"

    @property
    def rendering(self) -> Path:
        """The last installed rendering: the base of the next three-way merge."""
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
    """Return the folder that Hermes reads: the root, or the named Hermes profile inside it (`default` is the root)."""
    if hermes_profile is None or hermes_profile == "default":
        return root
    if not facts.PROFILE_NAME.fullmatch(hermes_profile):
        raise NoHomeError(
            f"invalid Hermes profile name {hermes_profile!r}", hint="use a-z, 0-9, - and _, at most 64 characters"
        )
    return root / facts.PROFILES_FOLDER / hermes_profile


@dataclass(frozen=True, slots=True)
class HomeFiles:
    """The bytes of one home or Hermes profile. `path` is the folder's name in reports; `jobs` are the cron jobs.

    `unreadable` maps files that exist but could not be read to the reason. Such a file is None here, but not missing.
    """

    path: str
    config: bytes | None = field(default=None, repr=False)
    env: bytes | None = field(default=None, repr=False)
    auth: bytes | None = field(default=None, repr=False)
    onepassword_env: bytes | None = field(default=None, repr=False)
    jobs: bytes | None = field(default=None, repr=False)
    unreadable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    gateway: bytes | None = field(default=None, repr=False)
    """`gateway.json`, and the settings files of memory services in `memory`, by name. None and absent if they cannot be read."""
    memory: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    sessions: tuple[SessionChoice, ...] = ()
    extras: HomeExtras | None = None
    """Plug-ins and skills on disk; None if they were not looked at."""
    code: tuple[str, ...] = ()
    """Folders with code of the user's that Hermes loads without a setting: hooks of the gateway, and model providers."""

    def where(self, name: str) -> str:
        """Return the path of one of the files, for a report."""
        return f"{self.path.rstrip('/')}/{name}"


@dataclass(frozen=True, slots=True)
class HermesFiles:
    """All files that decide where a Hermes home sends its requests.

    `profiles` maps each Hermes profile to its files. `managed` is the managed scope, or None without one.
    `active_profile` is the content of the file of that name.
    """

    root: HomeFiles
    profiles: Mapping[str, HomeFiles] = field(default_factory=lambda: MappingProxyType({}))
    active_profile: bytes | None = field(default=None, repr=False)
    managed: HomeFiles | None = None
    managed_writers: tuple[str, ...] | None = ()
    """Who beside administrators may change the managed scope; None when unknown."""


def read_home(root: Path, *, managed_dir: Path | None) -> HermesFiles:
    """Read the home at `root` and the managed scope at `managed_dir` (None: no managed scope).

    Never raises for a file that cannot be read; it lists the file as unreadable.
    """
    folder = root / facts.PROFILES_FOLDER
    profiles: dict[str, HomeFiles] = {}
    try:
        names = sorted(p.name for p in folder.iterdir() if facts.PROFILE_NAME.fullmatch(p.name))
    except OSError:
        names = []
    for name in names[:MAX_PROFILES]:
        if (folder / name).is_dir():
            profiles[name] = _read_folder(folder / name)
    try:
        active = read_optional(root / facts.ACTIVE_PROFILE_NAME, 4096)
    except FileProblemError:
        active = None
    managed = _read_folder(managed_dir) if managed_dir is not None and managed_dir.is_dir() else None
    writers = () if managed_dir is None or managed is None else _writers_beside_administrators(managed_dir)
    return HermesFiles(_read_folder(root), MappingProxyType(profiles), active, managed, writers)


def home_or_profile_files(files: HermesFiles, hermes_profile: str | None, home: Path) -> HomeFiles:
    """The files of the home itself or of the Hermes profile that an install is for."""
    if hermes_profile is None or hermes_profile == "default":
        return files.root
    return files.profiles.get(hermes_profile, HomeFiles(str(home)))


def _writers_beside_administrators(folder: Path) -> tuple[str, ...] | None:
    """On Windows `/etc/hermes` is a folder of the current drive, which any user may make there."""
    paths = [path for path in (folder, folder / facts.CONFIG_NAME, folder / facts.ENV_NAME) if path.exists()]
    if on_windows():
        lists = [other_accounts(path, owner_counts=False) for path in paths]
        return None if None in lists else _distinct(name for each in lists if each for name in each.writers)
    found = []
    for path in paths:
        status = path.stat()
        found += [f"user {status.st_uid}"] if status.st_uid else []
        found += [f"group {status.st_gid}"] if status.st_mode & 0o020 and status.st_gid else []
        found += ["everyone"] if status.st_mode & 0o002 else []
    return _distinct(found)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _read_folder(folder: Path) -> HomeFiles:
    from provision.hermes.home_extras import read_extras  # noqa: PLC0415  most commands only ask where the home is
    from provision.hermes.session_store import read_session_choices  # noqa: PLC0415  as before

    unreadable: dict[str, str] = {}

    def read(name: str) -> bytes | None:
        try:
            return read_optional(folder / name, MAX_FILE_BYTES)
        except FileProblemError as e:
            unreadable[name] = e.message
            return None

    names = (facts.CONFIG_NAME, facts.ENV_NAME, facts.AUTH_NAME, facts.ONEPASSWORD_ENV_NAME, facts.JOBS_NAME)
    config, env, auth, op, jobs = map(read, names)
    return HomeFiles(
        str(folder),
        config,
        env,
        auth,
        op,
        jobs,
        MappingProxyType(unreadable),
        gateway=_if_readable(folder / facts.GATEWAY_NAME),
        memory={name: data for name in MEMORY_FILES if (data := _if_readable(folder / name)) is not None},
        sessions=read_session_choices(folder),
        code=tuple(_own_code(folder)),
        extras=read_extras(folder),
    )


def _if_readable(path: Path) -> bytes | None:
    try:
        return read_optional(path, MAX_FILE_BYTES)
    except FileProblemError:
        return None


def _own_code(folder: Path) -> Iterator[str]:
    """Yield the folders below a home whose code Hermes runs by itself."""
    for holder, needed in (
        (facts.HOOKS_FOLDER, ("HOOK.yaml", "handler.py")),
        (facts.PROVIDER_PLUGINS_FOLDER, ("__init__.py",)),
    ):
        try:
            found = sorted(p.name for p in (folder / holder).iterdir())
        except OSError:
            continue
        for name in found:
            if all((folder / holder / name / part).exists() for part in needed):
                yield f"{holder}/{name}"
