"""Turn hits into matches: RE2 (see `patterns`) runs a rule's pattern in a window around each hit.

RE2 is linear for any pattern and text, and adjacent windows of one rule are merged, so no rule scans a byte twice.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.detect.engines.uncounted import ConfirmingPattern
from provision.detect.engines.windows import Windows
from provision.detect.entropy import shannon
from provision.detect.known import Candidates, KnownKeys
from provision.detect.match import Confidence, Match
from provision.detect.policy import Policy
from provision.detect.rule import NamedValue
from provision.detect.secret import Secret
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Span
    from provision.detect.rule import Rule

_CONTEXT = 64
_ASSIGNED_TO = lazy_regex(
    rb"(?<![\w.-])([A-Za-z_][A-Za-z0-9_.-]{1,60})[\"'`\])]{0,2}[ \t]{0,4}(?::=|=>|=|:(?![/\w]))[ \t]{0,4}"
    rb"(?:[brfu]{0,2}\\{0,2}[\"'`])?$"
)
"""The name before a value that its own form shows to be a key."""
_MEMORY_BYTES = 32 << 20
Find = Callable[[bytes, int, int], Iterator[NamedValue]]
_Values = dict[tuple[Find, int, int], list[NamedValue]]
"""What the functions of rules found, by function and range."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    pattern: ConfirmingPattern
    secret: int
    name: int | None


def _compiled(rule: Rule) -> _Compiled:
    pattern = ConfirmingPattern(rule.pattern.encode("latin-1"), memory_bytes=_MEMORY_BYTES)
    groups = {name.decode(): at for name, at in pattern.groupindex.items()}
    return _Compiled(rule, pattern, groups.get("secret", 1 if pattern.groups else 0), groups.get("name"))


class Confirmer:
    """Compiled rules. `words` (lower case) and `gates` are in the order of the indices in `Hits`."""

    def __init__(self, rules: Sequence[Rule], known: KnownKeys | None, policy: Policy = Policy.AUDIT) -> None:
        self._rules = rules
        self._policy = policy
        self._compiled: dict[int, _Compiled] = {}
        sure = list(Confidence)
        self._order = [(sure.index(rule.confidence), index) for index, rule in enumerate(rules)]
        self._candidates = Candidates(known) if known else None
        prefixes = [prefix.lower() for prefix in self._candidates.prefixes] if self._candidates else []
        self._windows = Windows(rules, prefixes)
        self.words, self.gates = self._windows.words, self._windows.gates
        self._own = [word in prefixes for word in self.words]
        self._finders: dict[Find, set[int]] = {}
        """The keywords of the rules with a function, as indices."""
        index_of = {word: index for index, word in enumerate(self.words)}
        for rule in rules:
            if rule.find:
                words = {index_of[word.lower().encode()] for word in rule.keywords}
                self._finders.setdefault(rule.find, set()).update(words)

    @property
    def scans_everything(self) -> bool:
        """Whether there are rules or known keys that run without a hit."""
        return self._windows.everywhere or (self._candidates is not None and self._candidates.stand_alone)

    def matches(self, data: bytes, hits: Hits) -> list[Match]:
        """Return all matches, unsorted and with overlaps, except those inside a match of higher confidence."""
        found: list[Match] = []
        covered = _Covered()
        if self._candidates:
            places = [start for word, start in hits.words if self._own[word]]
            found = [
                replace(each, key=_name_before(data, each.start)) for each in self._candidates.matches(data, places)
            ]
            for match in found:
                covered.add(match.start, match.end)
        windows = self._windows.around(data, hits)
        values: _Values = {}
        for index in sorted(windows, key=self._order.__getitem__):
            each = self._compiled.get(index) or self._compiled.setdefault(index, _compiled(self._rules[index]))
            for start, end in windows[index]:
                if each.rule.find:
                    found += self._named_values(each.rule, data, start, min(end, len(data)), covered, values)
                else:
                    found += self._run(each, data, start, end, covered)
        return found

    def ranges(self, find: Find, data: bytes, hits: Hits) -> list[Span]:
        """Return where rules with this function run."""
        if not any(word in self._finders.get(find, ()) for word, _ in hits.words):
            return []
        windows = self._windows.around(data, hits)
        return sorted(span for index, spans in windows.items() if self._rules[index].find is find for span in spans)

    def known_at(self, data: bytes, longer_than: int) -> Match | None:
        """Return the known key at the beginning of `data` that is longer than `longer_than` bytes."""
        return self._candidates.beginning(data, longer_than) if self._candidates else None

    @property
    def candidates(self) -> Candidates | None:
        """What finds the known keys."""
        return self._candidates

    def _run(self, each: _Compiled, data: bytes, left: int, right: int, covered: _Covered) -> Iterator[Match]:
        for found in each.pattern.matches(data, left, right):
            start, end = found.span(each.secret)
            if start == end or covered.holds(start, end):
                continue
            if match := self._confirmed(each, data, start, end, found):
                covered.add(start, end)
                yield match

    def _named_values(  # noqa: PLR0917  one step of `matches`
        self, rule: Rule, data: bytes, left: int, right: int, covered: _Covered, values: _Values
    ) -> Iterator[Match]:
        """Yield what a rule's function finds; rules with one function often run it over the same range."""
        assert rule.find  # noqa: S101  checked by the caller
        range_ = rule.find, left, right
        if range_ not in values:
            before = [found for (find, at, _), found in values.items() if find is rule.find and at <= left]
            rows = (place.end for found in before for place in found if place.in_table)
            first = max(left, max(rows, default=left))  # the rows of a table may reach into this range
            values[range_] = list(rule.find(data, first, right)) if first < right else []
        for place in values[range_]:
            if not covered.holds(place.start, place.end) and (
                match := self._named(rule, data, place.start, place.end, place.name)
            ):
                covered.add(place.start, place.end)
                yield match

    def _confirmed(self, each: _Compiled, data: bytes, start: int, end: int, found: Any) -> Match | None:
        return self._named(each.rule, data, start, end, (found.group(each.name) if each.name else None) or b"")

    def _named(self, rule: Rule, data: bytes, start: int, end: int, name: bytes) -> Match | None:
        value = data[start:end]
        if (rule.entropy and shannon(value) < rule.entropy) or (rule.accept and not rule.accept(value)):
            return None
        text = value.decode("utf-8", "surrogateescape")
        known = self._candidates.find(text) if self._candidates else None
        before, after = data[max(0, start - _CONTEXT) : start], data[end : end + _CONTEXT]
        key = name.decode("utf-8", "replace") if name else _name_before(data, start)
        if not known and self._policy.ignores(text, rule.id, key or "", before, after):
            return None
        return Match(rule.id, rule.severity, rule.confidence, ((start, end),), Secret(text), (), known, key)


def _name_before(data: bytes, start: int) -> str | None:
    """Return the name that the value at `start` is assigned to."""
    found = _ASSIGNED_TO.search(data[max(0, start - _CONTEXT) : start])
    return found[1].decode("ascii") if found else None


class _Covered:
    """Ranges of matches of rules whose confidence is at least that of the rules that run later."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def holds(self, start: int, end: int) -> bool:
        """Return whether one of the ranges contains this one."""
        index = bisect.bisect_right(self._starts, start) - 1
        return index >= 0 and self._ends[index] >= end

    def add(self, start: int, end: int) -> None:
        """Add a range."""
        index = bisect.bisect_right(self._starts, start)
        self._starts.insert(index, start)
        self._ends.insert(index, end)
