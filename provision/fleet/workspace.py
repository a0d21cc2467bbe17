"""Find and open a workspace: the folder that an operator keeps in git."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.errors import InvalidFilesError, Place, Problem, ProvisionError
from provision.files import read_optional
from provision.fleet.links import outward_links
from provision.fleet.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTINGS_FILE = "provision.toml"
MAX_SETTINGS_BYTES = 1 << 20


class NoWorkspaceError(ProvisionError):
    """The folder is not a workspace."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """An opened workspace. All paths are absolute."""

    root: Path
    settings: Settings
    places: Mapping[str, Place] = field(default_factory=dict)
    """The place of each key in provision.toml."""

    @property
    def profiles_dir(self) -> Path:
        """The folder with team profiles."""
        return self.root / "profiles"

    @property
    def templates_dir(self) -> Path:
        """The folder with Jinja templates."""
        return self.root / "templates"

    @property
    def inventory(self) -> Path:
        """The inventory file."""
        return self._absolute(self.settings.inventory)

    @property
    def vault(self) -> Path:
        """The vault with sealed keys."""
        return self._absolute(self.settings.vault)

    @property
    def dist(self) -> Path:
        """The folder for bundles."""
        return self._absolute(self.settings.dist)

    @property
    def allowed_signers(self) -> Path:
        """The file with the keys that may sign bundles."""
        return self._absolute(self.settings.allowed_signers)

    @property
    def identity(self) -> Path:
        """The operator's age identity."""
        return self._absolute(self.settings.identity)

    @property
    def signing_key(self) -> Path:
        """The operator's signing key."""
        return self._absolute(self.settings.signing_key)

    @property
    def catalogue(self) -> Path:
        """The workspace's own model catalogue; the file is optional."""
        return self._absolute(self.settings.catalogue)

    @property
    def tls_bundle(self) -> Path | None:
        """A file with certificate authorities, if set."""
        return self._absolute(self.settings.tls_bundle) if self.settings.tls_bundle else None

    def _absolute(self, path: Path) -> Path:
        return self.root / path.expanduser()

    def name_of(self, path: Path) -> str:
        """Return a path for messages: relative to the workspace if it is inside."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def find_workspace(start: Path) -> Path:
    """Return the nearest folder with a provision.toml, from `start` upwards. Raises NoWorkspaceError."""
    for folder in (start, *start.parents):
        if (folder / SETTINGS_FILE).is_file():
            return folder
    raise NoWorkspaceError(
        f"no {SETTINGS_FILE} in {start} or above it",
        hint="run `provision init DIR` to create a workspace, or pass --workspace DIR",
    )


def load_workspace(root: Path) -> Workspace:
    """Open a workspace. Raises NoWorkspaceError, or InvalidFilesError with every problem in its provision.toml."""
    workspace, problems = read_workspace(root)
    if problems:
        raise InvalidFilesError(problems)
    return workspace


def read_workspace(root: Path) -> tuple[Workspace, tuple[Problem, ...]]:
    """Open a workspace as far as possible, and return every problem in its provision.toml.

    A folder without that file is a workspace if it contains profiles. Otherwise raises NoWorkspaceError.
    """
    root = root.absolute()
    if not root.is_dir():
        raise NoWorkspaceError(f"{root} is not a folder", hint="run `provision init DIR` to create a workspace")
    data = read_optional(root / SETTINGS_FILE, MAX_SETTINGS_BYTES)
    if data is None and not (root / "profiles").is_dir():
        raise NoWorkspaceError(
            f"{root} is not a workspace: {SETTINGS_FILE} is missing", hint="run `provision init DIR` to create one"
        )
    settings, problems, places = read_settings(data or b"", SETTINGS_FILE)
    workspace = Workspace(root, settings, places)
    for key in ("identity", "signing_key"):
        if getattr(workspace, key).resolve().is_relative_to(root.resolve()):
            what = "identity" if key == "identity" else "signing key"
            hint = f"remove `{key}`: the default is in your config folder"
            message = f"{key}: the {what} must not be in the workspace, because it is committed"
            problems.append(Problem("key-in-workspace", message, places.get(key, Place(SETTINGS_FILE)), hint))
    return workspace, (*problems, *outward_links(root, settings))
