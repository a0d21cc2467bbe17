"""Load a workspace's profiles and inventory from disk: every desired state, and every problem in every file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import InvalidFilesError, Place, Problem, ProvisionError, Severity
from provision.files import FileProblemError, read_bounded
from provision.fleet.explain import drop_consequences
from provision.fleet.inventory import read_inventory
from provision.fleet.profiles import EffectiveProfiles, Profiles, read_profile
from provision.fleet.recipients import MAX_BYTES, RecipientsFile, read_recipients
from provision.fleet.users import Users
from provision.formats.located import quoted
from provision.formats.shell_output import shell_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.fleet.desired import DesiredState, EffectiveProfile
    from provision.fleet.users import FormerUser
    from provision.fleet.workspace import Workspace

MAX_INVENTORY_BYTES = 256 << 20
MAX_PROFILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fleet:
    """All users of a workspace, in the inventory's order, and all problems of its files, in the order of places.

    Users and profiles with errors are left out; `problems` says why. `profiles` are those with all required settings.
    """

    states: tuple[DesiredState, ...]
    problems: tuple[Problem, ...]
    profiles: Mapping[str, EffectiveProfile]
    profile_origins: Mapping[str, Mapping[str, Place]]
    """For each profile, maps a dotted path to the place that set it."""
    extended: frozenset[str] = frozenset()
    """Names of profiles that other profiles extend."""
    refused: tuple[str, ...] = ()
    """Ids of users who are in the inventory but left out because of errors."""
    left: Mapping[str, FormerUser] = field(default_factory=dict)
    """Users who left, and whose entry is kept as history."""
    default_profile: str | None = None
    """The profile of users whose entries name none."""
    recipient_files: tuple[Path, ...] = ()
    """The files that entries name as `recipients_file`."""

    def require_valid(self) -> None:
        """Raise InvalidFilesError if any problem is an error."""
        if any(p.severity is Severity.ERROR for p in self.problems):
            raise InvalidFilesError(self.problems)


def load_fleet(
    workspace: Workspace, *, inventory: bytes | None = None, changed_profiles: Mapping[str, bytes] | None = None
) -> Fleet:
    """Read all files. Does not raise for invalid files: their problems are in `problems`.

    `inventory` takes the place of the file, and `changed_profiles` of profiles with these names: what an edit would write.
    """
    gateway = workspace.settings.gateway
    profiles = Profiles({}, base_url=(gateway, workspace.places.get("gateway", Place("provision.toml"))))
    _read_profiles(workspace, profiles, changed_profiles or {})
    effective = EffectiveProfiles(gateway)
    problems: list[Problem] = []
    complete: dict[str, EffectiveProfile] = {}
    origins: dict[str, Mapping[str, Place]] = {}
    for name in sorted(profiles.layers):
        inherited = profiles.inherit(name)
        found = effective.build(inherited) if inherited else None
        if inherited and found:
            complete[name] = found
            origins[name] = inherited.origins
    files = _RecipientFiles(workspace)
    file = workspace.name_of(workspace.inventory)
    try:
        data = read_bounded(workspace.inventory, MAX_INVENTORY_BYTES) if inventory is None else inventory
    except FileNotFoundError:
        hint = "copy inventory.example.yaml, or set `inventory` in provision.toml"
        problems.append(Problem("no-inventory", "the inventory is missing", Place(file), hint))
        users = Users(file, profiles, effective, files.read)
    except ProvisionError as e:
        problems.append(Problem("unreadable", e.message, Place(file), e.hint))
        users = Users(file, profiles, effective, files.read)
    else:
        users = read_inventory(data, file, lambda: Users(file, profiles, effective, files.read))
    every = dict.fromkeys([*problems, *profiles.problems, *drop_consequences(users.problems)])
    ordered = sorted(every, key=lambda p: (p.place or Place(""), p.rule, p.message))
    extended = frozenset(layer.parent for layer in profiles.layers.values() if layer.parent)
    default = users.defaults.get("profile")
    return Fleet(
        tuple(users.states),
        tuple(ordered),
        complete,
        origins,
        extended,
        users.refused,
        users.left,
        default,
        files.paths,
    )


def _read_profiles(workspace: Workspace, profiles: Profiles, changed: Mapping[str, bytes]) -> None:
    folder = workspace.profiles_dir
    if not folder.is_dir():
        profiles.problems.append(
            Problem(
                "no-profiles",
                "the folder with profiles is missing",
                Place("profiles"),
                "create it, with a profile base.yaml",
            )
        )
        return
    for path in sorted(folder.iterdir()):
        file = workspace.name_of(path)
        if path.suffix != ".yaml" or path.name.startswith("."):
            if path.suffix.lower() in {".yaml", ".yml", ".json"} and not path.name.startswith("."):
                hint = f"rename it to {path.stem.lower()}.yaml"
                profiles.problems.append(
                    Problem("bad-file-name", "a profile's file name must end in .yaml", Place(file), hint)
                )
            continue
        try:
            if not path.resolve().is_relative_to(workspace.root.resolve()):
                raise FileProblemError("it is a link out of the workspace")
            data = changed[path.stem] if path.stem in changed else read_bounded(path, MAX_PROFILE_BYTES)
            layer, problems = read_profile(path.stem, data, file)
        except (ProvisionError, FileNotFoundError) as e:
            layer, problems = None, [Problem("unreadable", f"cannot read this profile: {e}", Place(file))]
        profiles.problems += problems
        if problems or layer is None:
            profiles.broken[path.stem] = layer
        else:
            profiles.layers[path.stem] = layer
    profiles.check_broken()


class _RecipientFiles:
    """Reads the files named by `recipients_file`, each once, and only inside the workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root.resolve()
        self._known: dict[str, RecipientsFile | Problem] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that were read so far, or could not be."""
        return tuple(Path(os.path.realpath(self._root / name)) for name in self._known)

    def read(self, name: str, asked: Place) -> RecipientsFile | Problem:
        if name not in self._known:
            self._known[name] = self._read(name)
        found = self._known[name]
        return (
            Problem(found.rule, found.message, asked, found.hint)
            if isinstance(found, Problem) and found.place is None
            else found
        )

    def _read(self, name: str) -> RecipientsFile | Problem:
        path = self._root / name
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return Problem(
                "no-file", f"the file {quoted(name)} does not exist", None, "use a path relative to the workspace"
            )
        if not real.is_relative_to(self._root):
            message = f"{quoted(name)} is outside the workspace"
            return Problem(
                "outside-workspace",
                message,
                None,
                "copy the file into the workspace, so that changes to recipients are reviewed",
            )
        try:
            return read_recipients(shell_bytes(read_bounded(real, MAX_BYTES)), Path(name).as_posix())
        except (ProvisionError, FileNotFoundError) as e:
            return Problem("unreadable", f"cannot read {quoted(name)}: {type(e).__name__}", None)
