"""A workspace: the folder that an operator keeps in git, found and opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.errors import InvalidFilesError, Place, Problem, ProvisionError
from provision.files import read_optional
from provision.fleet.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTINGS_FILE = "provision.toml"
MAX_SETTINGS_BYTES = 1 << 20


class NoWorkspaceError(ProvisionError):
    """There is no workspace here."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """An opened workspace. All paths are absolute; `root` is as the operator named it, made absolute."""

    root: Path
    settings: Settings
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where provision.toml sets each of its keys."""

    @property
    def profiles_dir(self) -> Path:
        """Where team profiles are."""
        return self.root / "profiles"

    @property
    def templates_dir(self) -> Path:
        """Where the Jinja templates are."""
        return self.root / "templates"

    @property
    def inventory(self) -> Path:
        """The inventory file."""
        return self._absolute(self.settings.inventory)

    @property
    def vault(self) -> Path:
        """The sealed keys."""
        return self._absolute(self.settings.vault)

    @property
    def dist(self) -> Path:
        """Where bundles are built."""
        return self._absolute(self.settings.dist)

    @property
    def allowed_signers(self) -> Path:
        """Who may sign bundles."""
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
        """The workspace's own model catalogue; may be absent."""
        return self._absolute(self.settings.catalogue)

    @property
    def tls_bundle(self) -> Path | None:
        """Further certificate authorities, if any."""
        return self._absolute(self.settings.tls_bundle) if self.settings.tls_bundle else None

    def _absolute(self, path: Path) -> Path:
        return self.root / path.expanduser()

    def name_of(self, path: Path) -> str:
        """A path as messages name it: relative to the workspace when it is inside."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def find_workspace(start: Path) -> Path:
    """The nearest folder from `start` upwards that holds a provision.toml. Raises NoWorkspaceError."""
    for folder in (start, *start.parents):
        if (folder / SETTINGS_FILE).is_file():
            return folder
    raise NoWorkspaceError(
        f"no {SETTINGS_FILE} in {start} or above it",
        hint="`provision init DIR` makes a workspace; --workspace DIR names one",
    )


def load_workspace(root: Path) -> Workspace:
    """Open a workspace. Raises NoWorkspaceError, and InvalidFilesError with every problem of its provision.toml."""
    workspace, problems = read_workspace(root)
    if problems:
        raise InvalidFilesError(problems)
    return workspace


def read_workspace(root: Path) -> tuple[Workspace, tuple[Problem, ...]]:
    """Open a workspace as far as that goes, with everything that is wrong with its provision.toml.

    A folder without that file is a workspace when it has profiles. Raises NoWorkspaceError when there is nothing at all.
    """
    root = root.absolute()
    if not root.is_dir():
        raise NoWorkspaceError(f"{root} is no folder", hint="`provision init DIR` makes a workspace")
    data = read_optional(root / SETTINGS_FILE, MAX_SETTINGS_BYTES)
    if data is None and not (root / "profiles").is_dir():
        raise NoWorkspaceError(
            f"{root} is no workspace", hint=f"it has no {SETTINGS_FILE}; `provision init DIR` makes one"
        )
    settings, problems, places = read_settings(data or b"", SETTINGS_FILE)
    workspace = Workspace(root, settings, places)
    for key in ("identity", "signing_key"):
        if getattr(workspace, key).resolve().is_relative_to(root.resolve()):
            what = "identity" if key == "identity" else "signing key"
            hint = f"leave `{key}` out: the default is in your own config folder"
            message = f"{key}: the {what} must not lie in the workspace, which is committed"
            problems.append(Problem("key-in-workspace", message, places.get(key, Place(SETTINGS_FILE)), hint))
    return workspace, tuple(problems)
