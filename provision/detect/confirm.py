"""From keyword hits to matches: a rule's own expression, run by RE2 in a window around each hit.

RE2 is linear whatever the expression and the text, and windows of one rule that touch are one, so no byte is looked at
twice by the same rule.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from provision.detect.engine_re2 import compiled
from provision.detect.entropy import shannon
from provision.detect.known import Candidates, KnownKeys
from provision.detect.match import Confidence, Match, Span
from provision.detect.needles import Kind
from provision.detect.notsecret import is_not_secret
from provision.detect.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.engine import Hits
    from provision.detect.rule import Rule

Gates = Callable[[bytes, "Sequence[Span]"], dict[int, list[int]] | None]
"""See `engine.Engine.gates`."""
_CONTEXT = 64
_LONGEST_WORD = 32
_NOT_WORTH_A_GAP = 2048
_MEMORY_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    pattern: Any
    secret: int
    name: int | None


def _compiled(rule: Rule) -> _Compiled:
    pattern = compiled(rule.pattern.encode("latin-1"), memory_bytes=_MEMORY_BYTES)
    groups = {name.decode(): at for name, at in pattern.groupindex.items()}
    return _Compiled(rule, pattern, groups.get("secret", 1 if pattern.groups else 0), groups.get("name"))


class Confirmer:
    """Rules, compiled, and the keywords that call for them: `words`, lower case, in the order that hits name them by."""

    def __init__(self, rules: Sequence[Rule], known: KnownKeys | None) -> None:
        self._rules = [_compiled(rule) for rule in rules]
        sure = list(Confidence)
        self._order = [(sure.index(rule.confidence), index) for index, rule in enumerate(rules)]
        self._always = [index for index, rule in enumerate(rules) if not rule.keywords and not rule.mark]
        self._reach = [rule.reach + _LONGEST_WORD for rule in rules]
        self._marked = [index for index, rule in enumerate(rules) if rule.mark]
        by_word: dict[bytes, list[int]] = {}
        for index, rule in enumerate(rules):
            for word in rule.keywords:
                by_word.setdefault(word.lower().encode(), []).append(index)
        self._gated = [index for index, rule in enumerate(rules) if rule.gate]
        self._closable = frozenset(self._gated)
        self._compiled_gates: dict[int, Any] = {}
        self.gates = tuple(rule.gate.encode("latin-1") for rule in rules if rule.gate)
        self._candidates = Candidates(known) if known else None
        for prefix in self._candidates.prefixes if self._candidates else ():
            by_word.setdefault(prefix.lower(), [])
        self.words = tuple(by_word)
        self._by_word = list(by_word.values())
        own = {prefix.lower() for prefix in self._candidates.prefixes} if self._candidates else set()
        self._own = [word in own for word in by_word]
        self._before_gates = [not self._closable.isdisjoint(rules) for rules in self._by_word]
        self._gates_reach = max((self._reach[index] for index in self._gated), default=0)

    def matches(self, data: bytes, hits: Hits, gates: Gates) -> list[Match]:
        """All matches, unsorted, overlapping ones too, but for those inside of a surer one: those would not count."""
        found: list[Match] = []
        covered = _Covered()
        if self._candidates:
            found += self._candidates.matches(data, [start for word, start in hits.words if self._own[word]])
            for match in found:
                covered.add(match.start, match.end)
        ends = self._ends(data, hits, gates)
        windows = self._windows(hits, len(data), ends)
        for index in sorted(windows, key=self._order.__getitem__):
            gate = self._gate(index) if ends is None and index in self._closable else None
            for start, end in windows[index]:
                if gate is not None and gate.search(data, start, end) is None:
                    continue
                found += self._run(self._rules[index], data, start, end, covered)
        return found

    def known_at(self, data: bytes, longer_than: int) -> Match | None:
        """The known key of more than so many bytes with which `data` begins."""
        return self._candidates.beginning(data, longer_than) if self._candidates else None

    def _ends(self, data: bytes, hits: Hits, gates: Gates) -> dict[int, list[int]] | None:
        """For each rule with a gate, where matches of the gate end; None when the engine does not say."""
        leads, reach = self._before_gates, self._gates_reach
        ranges: list[Span] = []
        first = last = -1
        for word, at in hits.words:
            if leads[word]:
                if last >= 0 and at - reach > last + _NOT_WORTH_A_GAP:
                    ranges.append((first, last))
                    first = at - reach
                elif last < 0:
                    first = max(at - reach, 0)
                last = at + reach
        if last < 0:
            return {}
        ends = gates(data, [*ranges, (first, last)])
        return None if ends is None else {self._gated[gate]: at for gate, at in ends.items()}

    def _gate(self, index: int) -> Any:
        """A rule's gate for RE2: a small automaton, where the rule's own is a large one."""
        if index not in self._compiled_gates:
            pattern = self.gates[self._gated.index(index)]
            self._compiled_gates[index] = compiled(pattern, memory_bytes=_MEMORY_BYTES)
        return self._compiled_gates[index]

    def _windows(self, hits: Hits, size: int, ends: dict[int, list[int]] | None) -> dict[int, list[Span]]:
        windows: dict[int, list[Span]] = {index: [(0, size)] for index in self._always}
        closed = set() if ends is None else self._closable - ends.keys()
        open_: dict[int, list[int]] = {}
        for word in {word for word, _ in hits.words}:
            if rules := [index for index in self._by_word[word] if index not in closed]:
                open_[word] = rules
        places = [(at, open_[word]) for word, at in hits.words if word in open_]
        if marks := hits.needles.get(Kind.MARK):
            places = sorted([*places, *((at, self._marked) for at in marks)], key=itemgetter(0))
        for at, rules in places:
            for index in rules:
                reach = self._reach[index]
                mine = windows.get(index)
                if mine and at - reach <= mine[-1][1]:
                    mine[-1] = (mine[-1][0], at + reach)
                elif mine:
                    mine.append((at - reach, at + reach))
                else:
                    windows[index] = [(max(at - reach, 0), at + reach)]
        for index, opened in (ends or {}).items():
            if index in windows:
                windows[index] = [(start, end) for start, end in windows[index] if _one_between(opened, start, end)]
        return windows

    def _run(self, each: _Compiled, data: bytes, left: int, right: int, covered: _Covered) -> Iterator[Match]:
        search = each.pattern.search
        while found := search(data, left, right):
            start, end = found.span(each.secret)
            left = max(found.end(), left + 1)
            if start == end or covered.holds(start, end):
                continue
            if match := self._confirmed(each, data, start, end, found):
                covered.add(start, end)
                yield match

    def _confirmed(self, each: _Compiled, data: bytes, start: int, end: int, found: Any) -> Match | None:
        rule, value = each.rule, data[start:end]
        if (rule.entropy and shannon(value) < rule.entropy) or (rule.accept and not rule.accept(value)):
            return None
        text = value.decode("utf-8", "surrogateescape")
        known = self._candidates.find(text) if self._candidates else None
        if not known and is_not_secret(text, rule.id, data[max(0, start - _CONTEXT) : end + _CONTEXT]):
            return None
        name = found.group(each.name) if each.name else None
        key = name.decode("utf-8", "replace") if name else None
        return Match(rule.id, rule.severity, rule.confidence, ((start, end),), Secret(text), (), known, key)


def _one_between(ends: list[int], start: int, end: int) -> bool:
    at = bisect.bisect_right(ends, start)
    return at < len(ends) and ends[at] <= end


class _Covered:
    """Ranges in which a match was found by a rule that is at least as sure as those that come later."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def holds(self, start: int, end: int) -> bool:
        """Whether one of the ranges holds this one."""
        index = bisect.bisect_right(self._starts, start) - 1
        return index >= 0 and self._ends[index] >= end

    def add(self, start: int, end: int) -> None:
        """One more range."""
        index = bisect.bisect_right(self._starts, start)
        self._starts.insert(index, start)
        self._ends.insert(index, end)
