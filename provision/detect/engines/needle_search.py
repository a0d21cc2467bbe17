"""Search for needles with Hyperscan, in a database of their own.

What a search needs of thousands of needles (kinds, lengths, names of databases) is kept beside the databases: a start that finds
both does not even read the needles.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from provision.detect.engines.databases import ONCE, database_name, found, kept_database, library_state
from provision.detect.engines.kept import keep, read_kept
from provision.detect.engines.needle_plan import KINDS, PlannedNeedles
from provision.detect.engines.needles import ATOM, NeedleKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.engines.needles import Needle

_HEAD_BYTES = 32
_ZERO = rb"\x00"


class _Group(NamedTuple):
    """Needles that are searched for together, as columns, and the name of their database."""

    kinds: list[NeedleKind]
    lengths: list[int]
    database: str


class _Expressions(NamedTuple):
    patterns: list[bytes]
    flags: list[int]


class NeedleSearch:
    """Three groups: the usual needles, long marks, and those with zeros; the last two are loaded only where they can be."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._needles = needles
        self._usual, self._long, self._zeros = _kept_groups(needles)
        self._database = self._loaded(self._usual, 0)

    @functools.cached_property
    def _long_database(self) -> Any:
        return self._loaded(self._long, 1)

    @functools.cached_property
    def _zero_database(self) -> Any:  # not loaded where all is text
        return self._loaded(self._zeros, 2)

    def _loaded(self, group: _Group, number: int) -> Any:
        return kept_database(group.database, lambda: _expressions(_divided(self._needles))[number])

    def hits(self, data: bytes) -> dict[NeedleKind, list[int]]:
        """Return the offsets of the needles in `data`, by kind."""
        usual = found(self._database, data)
        has_zeros = b"\0" in data
        if not usual and not has_zeros:
            return {}
        starts: dict[NeedleKind, set[int]] = {}

        def note(group: _Group, ends: list[tuple[int, int]]) -> None:
            for at, end in ends:
                starts.setdefault(group.kinds[at], set()).add(end - group.lengths[at])

        heads = [each for each in usual if each[0] >= len(self._usual.kinds)]
        note(self._usual, [each for each in usual if each not in heads] if heads else usual)
        if heads:
            note(self._long, found(self._long_database, data))
        if has_zeros:
            note(self._zeros, found(self._zero_database, data))
        return {kind: sorted(each) for kind, each in starts.items()}


def _kept_groups(needles: Sequence[Needle]) -> list[_Group]:
    """Return the groups of needles; those of planned needles are kept."""
    source = _source()
    if not isinstance(needles, PlannedNeedles) or needles.key is None or source is None:
        return _groups(needles)
    name = hashlib.sha256(repr((needles.key, library_state(), source)).encode()).hexdigest()[:24] + ".groups"
    body = read_kept(name)
    if body is not None and (kept := _parsed(body)):
        return kept
    groups = _groups(needles)
    rows = [([KINDS.index(kind) for kind in group.kinds], group.lengths, group.database) for group in groups]
    keep(name, json.dumps(rows).encode())
    return groups


def _parsed(body: bytes) -> list[_Group] | None:
    """The groups of a kept text; None if it is not one."""
    with contextlib.suppress(ValueError, TypeError, IndexError):
        groups = [
            _Group([KINDS[kind] for kind in kinds], lengths, str(name)) for kinds, lengths, name in json.loads(body)
        ]
        if len(groups) == 3 and all(len(group.kinds) == len(group.lengths) for group in groups):
            return groups
    return None


def _groups(needles: Sequence[Needle]) -> list[_Group]:
    divided = _divided(needles)
    return [
        _Group([each.kind for each in group], [each.length for each in group], database_name(*expressions))
        for group, expressions in zip(divided, _expressions(divided), strict=True)
    ]


def _divided(needles: Sequence[Needle]) -> tuple[list[Needle], list[Needle], list[Needle]]:
    usual: list[Needle] = []
    zeros: list[Needle] = []
    long: list[Needle] = []
    for each in needles:
        is_long = each.kind is NeedleKind.MARK and each.length > _HEAD_BYTES
        (zeros if _needs_zero(each) else long if is_long else usual).append(each)
    return usual, long, zeros


def _expressions(divided: tuple[list[Needle], list[Needle], list[Needle]]) -> tuple[_Expressions, ...]:
    usual, long, zeros = ([each.pattern for each in group] for group in divided)
    heads = [_head(pattern) for pattern in long]
    of_usual = _Expressions([*usual, *heads], [0] * len(usual) + [ONCE] * len(heads))
    return of_usual, _Expressions(long, []), _Expressions(zeros, [])


def _needs_zero(needle: Needle) -> bool:
    return _ZERO in needle.pattern and any(atom[0] == _ZERO for atom in ATOM.finditer(needle.pattern))


def _head(mark: bytes) -> bytes:
    """The first bytes of a long mark: whether they are there costs nearly nothing, the mark itself a fifth of a pass."""
    return b"".join(atom[0] for atom in itertools.islice(ATOM.finditer(mark), _HEAD_BYTES))


def _source() -> bytes | None:
    """The source of this module, on which kept groups depend; None where it was not installed."""
    try:
        return Path(__file__).read_bytes()
    except OSError:
        return None
