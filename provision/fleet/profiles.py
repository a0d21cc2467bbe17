"""Read team profiles, apply inheritance and overrides.

A profile's settings are those of its parent, merged deeply with its own: lists replace, null removes. The origin of a value
is the place that set it, in any of the files. Users with equal settings share one object.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from provision.errors import Place, Problem
from provision.fleet.desired import ApiMode, EffectiveProfile, GuardrailPolicy, SecretDelivery, SideRoutes
from provision.fleet.explain import describe_value, drop_consequences, validation_problems
from provision.fleet.models import ProfileFile
from provision.fleet.names import ID, id_refusal
from provision.fleet.nearest import spelling_hint
from provision.formats.located import Map, leaves, mark, place, quoted, without_positions
from provision.formats.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ID = re.compile(ID)


@dataclass(frozen=True, slots=True)
class ProfileLayer:
    """One profile file: its settings as written, with their places."""

    name: str
    file: str
    settings: Map

    @property
    def parent(self) -> str | None:
        """Return the name of the profile that this one extends."""
        found: str | None = self.settings.get("extends")
        return found


@dataclass(frozen=True, slots=True)
class InheritedProfile:
    """A profile after inheritance: all settings, and the place that set each."""

    name: str
    file: str
    values: Mapping[str, Any]
    origins: Mapping[str, Place]


def read_profile(name: str, data: bytes, file: str) -> tuple[ProfileLayer | None, list[Problem]]:
    """Read one profile file and all its problems. The layer is None if the file cannot be read. Never raises."""
    refusal = id_refusal(name) if _ID.match(name) else "use a-z, 0-9, '.', '_' and '-', at most 64 characters"
    problems = (
        [] if refusal is None else [Problem("bad-id", f"invalid profile name {quoted(name)}", Place(file), refusal)]
    )
    root, found = read_yaml(data, file)
    problems += found
    if root is None and not found:
        root = Map()  # an empty file is valid and sets nothing
    if not isinstance(root, Map):
        if not found:
            message = f"a profile must be a mapping (`name: value` lines), not {describe_value(root)}"
            problems.append(Problem("wrong-type", message, place(file, mark(1, 1))))
        return None, problems
    try:
        ProfileFile.model_validate(root)
    except ValidationError as e:
        problems += validation_problems(e, ProfileFile, root, file, mark(1, 1))
    return ProfileLayer(name, file, root), drop_consequences(problems)


@dataclass(slots=True)
class Profiles:
    """All profiles of a workspace. `broken`: profiles whose files have errors; their users are not checked further."""

    layers: dict[str, ProfileLayer]
    broken: dict[str, ProfileLayer | None] = field(default_factory=dict)
    base_url: tuple[str, Place] = ("", Place("provision.toml"))
    """The workspace's gateway and the place that sets it, for profiles without `base_url`."""
    problems: list[Problem] = field(default_factory=list)
    _inherited: dict[str, InheritedProfile | None] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Return the names of all profiles, including broken ones."""
        return sorted({*self.layers, *(name for name in self.broken if _ID.match(name))})

    def check_broken(self) -> None:
        """Report missing parents of broken profiles. `inherit` reports those of the others."""
        for layer in self.broken.values():
            parent = layer.parent if layer else None
            known = parent in self.layers or parent in self.broken
            if layer and isinstance(parent, str) and _ID.match(parent) and not known:
                self._no_parent(layer, parent)

    def _no_parent(self, layer: ProfileLayer, parent: str) -> None:
        where = place(layer.file, layer.settings.marks["extends"])
        hint = spelling_hint(parent, [name for name in self.names if name != layer.name])
        self.problems.append(Problem("unknown-profile", f"unknown profile {quoted(parent)}", where, hint))

    def inherit(self, name: str) -> InheritedProfile | None:
        """Return a profile after inheritance. None if it, or a parent, is broken, missing or in a cycle (reported once)."""
        chain: list[ProfileLayer] = []
        at: str | None = name
        while at is not None and at not in self._inherited:
            layer = self.layers.get(at)
            if layer is None or any(seen.name == at for seen in chain):
                self._refuse(chain, at)
                return None
            chain.append(layer)
            at = layer.parent
        parent = self._inherited[at] if at is not None else None
        usable = at is None or parent is not None
        for layer in reversed(chain):
            parent = _inherit(layer, parent) if usable else None
            self._inherited[layer.name] = parent
        return self._inherited[name]

    def _refuse(self, chain: list[ProfileLayer], at: str) -> None:
        for layer in chain:
            self._inherited[layer.name] = None
        if not chain or at in self.broken:
            return
        last = chain[-1]
        if at not in self.layers:
            self._no_parent(last, at)
            return
        cycle = [layer.name for layer in chain][[layer.name for layer in chain].index(at) :]
        message = f"profiles extend each other in a cycle: {' → '.join([*cycle, at])}"
        where = place(last.file, last.settings.marks["extends"])
        self.problems.append(Problem("extends-cycle", message, where, "remove one `extends`"))


def _inherit(layer: ProfileLayer, parent: InheritedProfile | None) -> InheritedProfile:
    own = Map()
    for key, value in layer.settings.items():
        if key != "extends":
            own.put(key, value, layer.settings.key_marks[key], layer.settings.marks[key])
    values = merge_settings(parent.values if parent else {}, own)
    origins = dict(parent.origins) if parent else {}
    for path, at in leaves(own):
        stale = path + "."
        for known in [k for k in origins if k.startswith(stale)]:
            del origins[known]  # a list or mapping that this file replaced or removed
        above = path.rpartition(".")[0]
        while above:
            origins.pop(above, None)  # a value that became a mapping
            above = above.rpartition(".")[0]
        origins[path] = place(layer.file, at)
    return InheritedProfile(layer.name, layer.file, values, origins)


def merge_settings(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `over` into a copy of `base`: mappings merge deeply, lists and values replace, null removes."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merge_settings(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = without_positions(value)
    return result


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


class EffectiveProfiles:
    """Builds effective profiles; equal ones are one object.

    Mappings in them are sorted by key, so that a rendering does not depend on the order of users.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._by_override: dict[tuple[str, str], EffectiveProfile | None] = {}
        self._by_content: dict[tuple[str, str], EffectiveProfile] = {}

    def build(self, inherited: InheritedProfile, overrides: Mapping[str, Any] | None = None) -> EffectiveProfile | None:
        """Return the effective profile with a user's overrides. None if no model is set."""
        key = (inherited.name, json.dumps(overrides, sort_keys=True) if overrides else "")
        if key not in self._by_override:
            self._by_override[key] = self._build(inherited.name, merge_settings(inherited.values, overrides or {}))
        return self._by_override[key]

    def _build(self, name: str, values: dict[str, Any]) -> EffectiveProfile | None:
        values.setdefault("base_url", self._base_url)
        if not values.get("model") or not values["base_url"]:
            return None
        content = (name, json.dumps(values, sort_keys=True))
        if content not in self._by_content:
            self._by_content[content] = _effective(name, values)
        return self._by_content[content]


_KINDS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("api_mode", ApiMode),
    ("secret_delivery", SecretDelivery),
    ("side_routes", SideRoutes),
    ("fallback_models", tuple),
    ("allowed_hosts", tuple),
    ("policy", GuardrailPolicy.of),
)
"""Settings whose value in the file becomes one of another type."""


def _effective(name: str, values: dict[str, Any]) -> EffectiveProfile:
    typed = _sorted(values)
    for key, kind in _KINDS:
        if key in typed:
            typed[key] = kind(typed[key])
    return EffectiveProfile(name=name, **typed)
