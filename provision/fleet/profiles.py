"""Team profiles: read, inherit, override.

A profile's settings are its parent's, merged deeply with its own: lists replace, null takes away. The origin of a value
is the place that really set it, in whichever file that was. Users whose settings come out equal share one object.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from provision.errors import Place, Problem
from provision.fleet.desired import ApiMode, EffectiveProfile, SecretDelivery
from provision.fleet.explain import describe_value, drop_consequences, validation_problems
from provision.fleet.models import ProfileFile
from provision.fleet.names import ID, id_refusal
from provision.fleet.nearest import spelling_hint
from provision.formats.located import Map, leaves, mark, place, quoted, without_positions
from provision.formats.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = re.compile(ID)


@dataclass(frozen=True, slots=True)
class ProfileLayer:
    """One profile file on its own: its settings as written, and where."""

    name: str
    file: str
    settings: Map

    @property
    def parent(self) -> str | None:
        """The profile that this one extends."""
        found: str | None = self.settings.get("extends")
        return found


@dataclass(frozen=True, slots=True)
class InheritedProfile:
    """A profile after inheritance: every setting that was set somewhere, and the place that set it."""

    name: str
    file: str
    values: Mapping[str, Any]
    origins: Mapping[str, Place]


def read_profile(name: str, data: bytes, file: str) -> tuple[ProfileLayer | None, list[Problem]]:
    """One profile file, and everything that is wrong with it; None when nothing of it can be read. Never raises."""
    refusal = id_refusal(name) if _ID.match(name) else "a-z, 0-9, '.', '_' and '-', at most 64"
    problems = (
        [] if refusal is None else [Problem("bad-id", f"{quoted(name)} is no profile name", Place(file), refusal)]
    )
    root, found = read_yaml(data, file)
    problems += found
    if root is None and not found:
        root = Map()  # an empty file: legal, sets nothing
    if not isinstance(root, Map):
        if not found:
            message = f"a profile is a mapping (`name: value` lines), not {describe_value(root)}"
            problems.append(Problem("wrong-type", message, place(file, mark(1, 1))))
        return None, problems
    try:
        ProfileFile.model_validate(root)
    except ValidationError as e:
        problems += validation_problems(e, ProfileFile, root, file, mark(1, 1))
    return ProfileLayer(name, file, root), drop_consequences(problems)


@dataclass(slots=True)
class Profiles:
    """All profiles of a workspace. `broken` are those whose files have errors: users of them are not judged further."""

    layers: dict[str, ProfileLayer]
    broken: dict[str, ProfileLayer | None] = field(default_factory=dict)
    base_url: tuple[str, Place] = ("", Place("provision.toml"))
    """The workspace's gateway, for profiles that name none, and where it is set."""
    problems: list[Problem] = field(default_factory=list)
    _settled: dict[str, InheritedProfile | None] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Every profile there is, the broken ones too."""
        return sorted({*self.layers, *(name for name in self.broken if _ID.match(name))})

    def judge_broken(self) -> None:
        """Report what broken profiles extend and is not there; for the others `settle` does."""
        for layer in self.broken.values():
            parent = layer.parent if layer else None
            known = parent in self.layers or parent in self.broken
            if layer and isinstance(parent, str) and _ID.match(parent) and not known:
                self._no_parent(layer, parent)

    def _no_parent(self, layer: ProfileLayer, parent: str) -> None:
        where = place(layer.file, layer.settings.marks["extends"])
        hint = spelling_hint(parent, [name for name in self.names if name != layer.name])
        self.problems.append(Problem("unknown-profile", f"there is no profile {quoted(parent)}", where, hint))

    def settle(self, name: str) -> InheritedProfile | None:
        """A profile after inheritance; None when it, or one it extends, is broken, missing or in a circle (reported once)."""
        chain: list[ProfileLayer] = []
        at: str | None = name
        while at is not None and at not in self._settled:
            layer = self.layers.get(at)
            if layer is None or any(seen.name == at for seen in chain):
                self._refuse(chain, at)
                return None
            chain.append(layer)
            at = layer.parent
        parent = self._settled[at] if at is not None else None
        usable = at is None or parent is not None
        for layer in reversed(chain):
            parent = _inherit(layer, parent) if usable else None
            self._settled[layer.name] = parent
        return self._settled[name]

    def _refuse(self, chain: list[ProfileLayer], at: str) -> None:
        for layer in chain:
            self._settled[layer.name] = None
        if not chain or at in self.broken:
            return
        last = chain[-1]
        if at not in self.layers:
            self._no_parent(last, at)
            return
        circle = [layer.name for layer in chain][[layer.name for layer in chain].index(at) :]
        message = f"profiles extend each other in a circle: {' → '.join([*circle, at])}"
        where = place(last.file, last.settings.marks["extends"])
        self.problems.append(Problem("extends-cycle", message, where, "take one `extends` out"))


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
            del origins[known]  # a list or mapping that this file replaced or took away
        above = path.rpartition(".")[0]
        while above:
            origins.pop(above, None)  # a value that became a mapping
            above = above.rpartition(".")[0]
        origins[path] = place(layer.file, at)
    return InheritedProfile(layer.name, layer.file, values, origins)


def merge_settings(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on: mappings merge deeply, lists and values replace, null takes away. Both stay as they are."""
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
    """Makes effective profiles, one object for equal ones.

    Mappings inside come sorted by key, so that what is rendered never depends on who happened to be listed first.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._by_override: dict[tuple[str, str], EffectiveProfile | None] = {}
        self._by_content: dict[tuple[str, str], EffectiveProfile] = {}

    def of(self, settled: InheritedProfile, overrides: Mapping[str, Any] | None = None) -> EffectiveProfile | None:
        """The effective profile of a settled one with a user's overrides; None when no model is set."""
        key = (settled.name, json.dumps(overrides, sort_keys=True) if overrides else "")
        if key not in self._by_override:
            self._by_override[key] = self._made(settled.name, merge_settings(settled.values, overrides or {}))
        return self._by_override[key]

    def _made(self, name: str, values: dict[str, Any]) -> EffectiveProfile | None:
        values.setdefault("base_url", self._base_url)
        if not values.get("model") or not values["base_url"]:
            return None
        content = (name, json.dumps(values, sort_keys=True))
        if content not in self._by_content:
            self._by_content[content] = _effective(name, values)
        return self._by_content[content]


def _effective(name: str, values: dict[str, Any]) -> EffectiveProfile:
    typed = _sorted(values)
    for key, kind in (("api_mode", ApiMode), ("secret_delivery", SecretDelivery), ("fallback_models", tuple)):
        if key in typed:
            typed[key] = kind(typed[key])
    return EffectiveProfile(name=name, **typed)
