"""The catalogue of AIsa models: the kind of each model and the API modes that reach it.

The gateway serves more models than any published list, so an unknown id is *unclassified*, not an error. Ids are exact:
case-sensitive and without a vendor prefix. The built-in catalogue is `models.json` beside this module. A workspace may have a
newer copy (`provision models --update`). Sources: docs/gateway.md.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provision.aisa.model_kinds import (
    SUITABLE,
    ModelKind,
    effective_mode,
    kind_by_endpoint_types,
    kind_by_name,
    modes_by_endpoint_types,
)
from provision.errors import Place, ProvisionError
from provision.fleet.desired import ApiMode
from provision.fleet.nearest import edit_distance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

SCHEMA = "provision/models/v1"
CURRENT = "current"
_MODE_WORDS = {
    "chat": ApiMode.CHAT_COMPLETIONS,
    "responses": ApiMode.CODEX_RESPONSES,
    "anthropic": ApiMode.ANTHROPIC_MESSAGES,
}


class CatalogueError(ProvisionError):
    """The workspace's copy of the catalogue cannot be read."""


class ClassifiedBy(StrEnum):
    """The basis of a classification, most reliable first."""

    ENDPOINT_TYPES = "endpoint types"
    CATALOGUE = "catalogue"
    NAME = "name"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One entry. `modes` is None if the catalogue does not list them. `current` is false for ids of earlier editions."""

    id: str
    kind: ModelKind
    modes: frozenset[ApiMode] | None = None
    provider: str = ""
    current: bool = True
    context: int | None = None
    endpoints: tuple[str, ...] = ()
    status: str = CURRENT


@dataclass(frozen=True, slots=True)
class Classified:
    """What is known about an id. `suitable` is None if unclassified, False for media, embeddings and the like."""

    id: str
    kind: ModelKind
    modes: frozenset[ApiMode] | None
    how: ClassifiedBy
    listed: bool
    current: bool

    @property
    def suitable(self) -> bool | None:
        """Whether Hermes can use it as its main model."""
        return None if self.kind is ModelKind.UNKNOWN else self.kind in SUITABLE


class Catalogue:
    """The models of one catalogue file. Immutable."""

    def __init__(self, models: Iterable[CatalogueModel], *, as_of: str, source: str = "") -> None:
        self.models: Mapping[str, CatalogueModel] = {m.id: m for m in models}
        self.as_of = as_of
        self.source = source

    def classify(self, model_id: str, endpoint_types: Sequence[str] | None = None) -> Classified:
        """Classify `model_id` by the live list's endpoint types, else by the exact id, else by the pattern of its name."""
        entry = self.models.get(model_id)
        listed, current = entry is not None, entry is not None and entry.current
        by_table = entry.kind if entry else kind_by_name(model_id)
        if endpoint_types and (kind := kind_by_endpoint_types(endpoint_types, by_table)) is not ModelKind.UNKNOWN:
            modes = modes_by_endpoint_types(endpoint_types)
            return Classified(model_id, kind, modes, ClassifiedBy.ENDPOINT_TYPES, listed, current)
        if entry:
            return Classified(model_id, entry.kind, entry.modes, ClassifiedBy.CATALOGUE, listed, current)
        how = ClassifiedBy.UNKNOWN if by_table is ModelKind.UNKNOWN else ClassifiedBy.NAME
        return Classified(model_id, by_table, None, how, listed, current)

    def nearest(self, model_id: str, *, count: int = 3, among: Collection[str] | None = None) -> tuple[str, ...]:
        """Up to `count` ids similar to `model_id`, best match first. Only models that Hermes can use.

        `among` replaces the catalogue's current ids, for example with the live list.
        """
        return _nearest(model_id, self._candidates() if among is None else self._usable(among), count)

    def near_miss(self, model_id: str) -> str | None:
        """The current id of which `model_id` is probably a misspelling: other case, a prefix or tag, one or two letters.

        Short names may differ in one letter only: `o3` does not count as a misspelling of `o1`. None if nothing is that near.
        """
        wanted = _folded(model_id[:200])
        allowed = 2 if len(wanted) > 5 else 1 if len(wanted) > 3 else 0
        parts = _parts(model_id[:200])
        if whole := next((i for i in self._candidates() if i != model_id and _folded(i) in parts), None):
            return whole
        found = min(((edit_distance(wanted, _folded(i)), i) for i in self._candidates() if i != model_id), default=None)
        return found[1] if found is not None and found[0] <= allowed else None

    def serving(self, mode: ApiMode) -> tuple[CatalogueModel, ...]:
        """Current models that Hermes can use in `mode`, in catalogue order."""
        wanted = effective_mode(mode)
        return tuple(m for m in self.models.values() if m.current and m.kind in SUITABLE and wanted in (m.modes or ()))

    def _candidates(self) -> tuple[str, ...]:
        return tuple(m.id for m in self.models.values() if m.current and m.kind in SUITABLE and m.modes != frozenset())

    def _usable(self, ids: Collection[str]) -> tuple[str, ...]:
        return tuple(i for i in ids if self.classify(i).suitable is not False)


def _parts(model_id: str) -> set[str]:
    """What an id is without a prefix or a tag of other gateways: `anthropic.NAME`, `custom:NAME`, `NAME:free`, `NAME@date`."""
    cuts = [found.start() for found in re.finditer(r"[/:.@]", model_id)]
    return {
        _folded(part)
        for at in cuts
        for part in (model_id[at + 1 :], model_id[:at] if model_id[at] in ":@" else "")
        if part
    }


def _folded(model_id: str) -> str:
    bare = model_id.strip().rpartition("/")[2] or model_id
    return "-".join(bare.lower().replace("_", "-").split())


def _nearest(model_id: str, candidates: Sequence[str], count: int) -> tuple[str, ...]:
    import difflib  # noqa: PLC0415  for hints only

    wanted = _folded(model_id[:200])
    by_fold: dict[str, list[str]] = {}
    for candidate in candidates:
        by_fold.setdefault(_folded(candidate), []).append(candidate)
    close = difflib.get_close_matches(wanted, by_fold, n=count, cutoff=0.6)
    longer = [f for f in by_fold if wanted and f.startswith(wanted + "-") and f not in close]
    found = [i for fold in [*close, *longer] for i in by_fold[fold] if i != model_id]
    return tuple(found[:count])


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str = Field(min_length=1, max_length=200)
    kind: ModelKind
    provider: str = ""
    endpoints: tuple[str, ...] = ()
    hermes_modes: tuple[Literal["chat", "responses", "anthropic"], ...] | None = None
    status: str = CURRENT
    context: int | None = None

    def model(self) -> CatalogueModel:
        modes = None if self.hermes_modes is None else frozenset(_MODE_WORDS[m] for m in self.hermes_modes)
        current = self.status == CURRENT
        return CatalogueModel(
            self.id, self.kind, modes, self.provider, current, self.context, self.endpoints, self.status
        )


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    schema_: Literal["provision/models/v1"] = Field(alias="schema")
    as_of: str
    source: str = ""
    models: tuple[_Entry, ...]


def parse_catalogue(data: bytes, name: str) -> Catalogue:
    """Parse a models file. Raises CatalogueError with `name` and the first mistake."""
    try:
        file = _File.model_validate_json(data)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise CatalogueError(
            f"not a catalogue of models: {where or 'the file'}: {first['msg'].lower()}",
            hint="run `provision models --update`, or remove the file to use the built-in catalogue",
            place=Place(name),
        ) from None
    return Catalogue((entry.model() for entry in file.models), as_of=file.as_of, source=file.source)


def serialise_catalogue(catalogue: Catalogue) -> bytes:
    """Return a models file for `parse_catalogue`. One model per line, so that git shows what changed."""
    words = {mode: word for word, mode in _MODE_WORDS.items()}
    lines = []
    for m in catalogue.models.values():
        entry: dict[str, object] = {"id": m.id, "provider": m.provider, "kind": str(m.kind), "status": m.status}
        if m.endpoints:
            entry["endpoints"] = list(m.endpoints)
        if m.modes is not None:
            entry["hermes_modes"] = [words[mode] for mode in _MODE_WORDS.values() if mode in m.modes]
        if m.context is not None:
            entry["context"] = m.context
        lines.append("  " + json.dumps(entry, ensure_ascii=False))
    head = ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in _head(catalogue).items())
    return ("{\n" + head + ',\n "models": [\n' + ",\n".join(lines) + "\n ]\n}\n").encode()


def _head(catalogue: Catalogue) -> dict[str, str]:
    return {"schema": SCHEMA, "as_of": catalogue.as_of, "source": catalogue.source}


@functools.cache
def builtin() -> Catalogue:
    """The catalogue that ships with provision. `as_of` is its date."""
    from importlib import resources  # noqa: PLC0415

    return parse_catalogue((resources.files("provision.aisa") / "models.json").read_bytes(), "models.json (built in)")
