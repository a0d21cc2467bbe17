"""Select the home that Hermes opens: the root, or the Hermes profile named by a flag or the file `active_profile`.

Models `main._apply_profile_override`. A `-p` flag always wins. Without it, a home inside a folder `profiles` is used as it
is. Otherwise `active_profile` decides, even if HERMES_HOME names the root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.hermes.facts import names as facts
from provision.hermes.routing.hazards import Hazard, note, warning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.hermes.home import HermesFiles, HomeFiles


@dataclass(frozen=True, slots=True)
class SelectedHome:
    """The files that Hermes reads. `root` is set for a Hermes profile. `refusal` says why Hermes exits instead."""

    home: HomeFiles
    root: HomeFiles | None = None
    refusal: str | None = None
    hazards: tuple[Hazard, ...] = ()


def select_home(files: HermesFiles, hermes_profile: str | None, environ: Mapping[str, str]) -> SelectedHome:
    """Return the home that Hermes reads. `hermes_profile` is the argument of `-p`, or None."""
    active = _active(files, environ)
    where = files.root.where(facts.ACTIVE_PROFILE_NAME)
    if hermes_profile is not None:
        hazards: tuple[Hazard, ...] = ()
        if _canonical(active or "default") != _canonical(hermes_profile):
            why = "without -p, Hermes opens another Hermes profile"
            hazards = (note("active-profile", where, why, "run `hermes profile use` with this one, or always pass -p"),)
        return _named(files, hermes_profile, hazards)
    if active is None or _canonical(active) == "default":
        return SelectedHome(files.root)
    why = "this file makes Hermes open a Hermes profile instead of the root home"
    return _named(files, active, (warning("active-profile", where, why, "run `hermes profile use default`"),))


def _active(files: HermesFiles, environ: Mapping[str, str]) -> str | None:
    """Return the name in `active_profile`, or None if Hermes does not read that file."""
    in_profiles = re.split(r"[/\\]", files.root.path.rstrip("/\\"))[-2:-1] == [facts.PROFILES_FOLDER]
    if in_profiles or environ.get("HERMES_S6_SUPERVISED_CHILD") or files.active_profile is None:
        return None
    try:
        return files.active_profile.decode("utf-8").strip() or None
    except UnicodeDecodeError:
        return None


def _named(files: HermesFiles, name: str, hazards: tuple[Hazard, ...]) -> SelectedHome:
    canonical = _canonical(name)
    if canonical == "default":
        return SelectedHome(files.root, None, None, hazards)
    if not facts.PROFILE_NAME.fullmatch(canonical):
        return SelectedHome(files.root, None, "the name of the Hermes profile is invalid", hazards)
    if canonical not in files.profiles:
        return SelectedHome(files.root, None, f"the Hermes profile {canonical} does not exist", hazards)
    return SelectedHome(files.profiles[canonical], files.root, None, hazards)


def _canonical(name: str) -> str:
    name = name.strip()
    return "default" if name.casefold() == "default" else name.lower()
