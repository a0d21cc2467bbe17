"""Compute where each rule has to run: in windows around its keywords, its mark or the matches of its gate.

Hyperscan reports where gates match. For the other engines this module checks the gates with RE2: rules with the same keywords
form a family, and where no gate of the family matches, none of its rules runs.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from provision.detect.engines.hits import Gate
from provision.detect.engines.needles import NeedleKind
from provision.detect.engines.patterns import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Span
    from provision.detect.rule import Rule

_LONGEST_WORD = 32
_MEMORY_BYTES = 32 << 20
_LONGEST_RUN = 2048
"""In a gate; values are shorter."""


@dataclass(slots=True)
class _Family:
    """Rules (by index) that run in the same windows."""

    reach: int
    rules: list[int] = field(default_factory=list)
    gates: list[bytes] = field(default_factory=list)
    """One per rule, or none."""
    words: frozenset[int] = frozenset()
    """Their keywords, as indices."""
    union: Any = None
    """One expression for all gates, compiled on first use."""


class Windows:
    """`words` are the keywords of all rules (lower case), `gates` their gates; `Hits` refers to both by index."""

    def __init__(self, rules: Sequence[Rule], more_words: Sequence[bytes] = ()) -> None:
        self._rules = rules
        self._always = [index for index, rule in enumerate(rules) if not rule.keywords and not rule.mark]
        self._alone = {
            index: _Family(rule.reach + _LONGEST_WORD, [index], [rule.gate.encode("latin-1")])
            for index, rule in enumerate(rules)
            if rule.gate
        }
        self._gated = list(self._alone.values())
        by_word: dict[bytes, list[_Family]] = {word: [] for word in more_words}
        self._marked: list[_Family] = []
        for words, family in self._families():
            for word in words:
                by_word.setdefault(word, []).append(family)
            self._marked += [family] if rules[family.rules[0]].mark else []
        self.words = tuple(by_word)
        index_of = {word: index for index, word in enumerate(self.words)}
        for rule, family in self._alone.items():
            family.words = frozenset(index_of[word.lower().encode()] for word in rules[rule].keywords)
        self.gates = tuple(Gate(family.gates[0], family.words, family.reach) for family in self._gated)
        self._by_word = dict(enumerate(by_word.values()))
        self._ungated = {
            word: others for word, met in self._by_word.items() if (others := [each for each in met if not each.gates])
        }

    @property
    def everywhere(self) -> bool:
        """Whether a rule runs over all bytes."""
        return bool(self._always)

    def _families(self) -> list[tuple[list[bytes], _Family]]:
        found: dict[object, tuple[list[bytes], _Family]] = {}
        for index, rule in enumerate(self._rules):
            words = [word.lower().encode() for word in dict.fromkeys(rule.keywords)]
            key = frozenset(words), rule.mark, rule.reach, bool(rule.gate)
            family = found.setdefault(key, (words, _Family(rule.reach + _LONGEST_WORD)))[1]
            family.rules.append(index)
            family.gates += [rule.gate.encode("latin-1")] if rule.gate else []
        return list(found.values())

    def around(self, data: bytes, hits: Hits) -> dict[int, list[Span]]:
        """Return the windows of each rule that has any, sorted and disjoint."""
        windows = {index: [(0, len(data))] for index in self._always}
        for family, spans in self._family_windows(hits):
            check = family.gates and hits.gates is None
            passed = _passing(family, data, spans) if check else spans
            for index in family.rules if passed else ():
                one_of_many = check and len(family.rules) > 1
                windows[index] = _passing(self._alone[index], data, passed) if one_of_many else passed
        finders: dict[object, list[int]] = {}
        for index in windows:
            if find := self._rules[index].find:
                finders.setdefault(find, []).append(index)
        for together in finders.values():
            if not any(self._opens(index, data, hits, windows[index]) for index in together):
                for index in together:
                    del windows[index]
        return windows

    def _opens(self, index: int, data: bytes, hits: Hits, spans: list[Span]) -> bool:
        """Return whether one of the keywords, or of the matches of the gate, of a rule can matter: see `Rule.opens`."""
        opens, family = self._rules[index].opens, self._alone.get(index)
        if opens is None:
            return True
        offsets: Iterable[int]
        if family is None:
            words = {word.lower().encode() for word in self._rules[index].keywords}
            offsets = (at for word, at in hits.words if self.words[word] in words)
        elif hits.gates is None:
            offsets = (end - 1 for span in spans for end in _ends(family, data, *span))
        else:
            offsets = (end - 1 for end in hits.gates[list(self._alone).index(index)])
        return any(True for _ in opens(data, offsets))

    def _opened(self, hits: Hits) -> Iterator[tuple[_Family, list[int]]]:
        """Yield the gates that matched near a keyword of their rule, so that both engines run the same rules."""
        places = [at for _, at in hits.words] if hits.gates else []

        def announced(family: _Family, end: int) -> bool:
            index = bisect.bisect_left(places, end - family.reach)
            while index < len(places) and places[index] <= end + family.reach:
                if hits.words[index][0] in family.words:
                    return True
                index += 1
            return False

        for gate, ends in (hits.gates or {}).items():
            family = self._gated[gate]
            yield family, [at for at in ends if announced(family, at)]

    def _family_windows(self, hits: Hits) -> list[tuple[_Family, list[Span]]]:
        by_word: Mapping[int, list[_Family]] = self._by_word if hits.gates is None else self._ungated
        places = [(at, by_word[word]) for word, at in hits.words if word in by_word]
        marks = [(at, self._marked) for at in hits.needles.get(NeedleKind.MARK, ())]
        gates = [(at, [family]) for family, ends in self._opened(hits) for at in ends]
        if marks or gates:
            places = sorted([*places, *marks, *gates], key=itemgetter(0))
        found: dict[int, tuple[_Family, list[Span]]] = {}
        for at, families in places:
            for family in families:
                low, high = at - family.reach, at + family.reach
                spans = found.setdefault(id(family), (family, []))[1]
                if spans and low <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], high)
                else:
                    spans.append((max(low, 0), high))
        return list(found.values())


def _passing(family: _Family, data: bytes, spans: list[Span]) -> list[Span]:
    return [(start, end) for start, end in spans if any(True for _ in _ends(family, data, start, end))]


def _ends(family: _Family, data: bytes, start: int, end: int) -> Iterator[int]:
    """Yield where the matches of a family's gates between two offsets end."""
    if family.union is None:
        gates = b"|".join(b"(?:%b)" % gate for gate in family.gates)
        family.union = compiled(gates, memory_bytes=_MEMORY_BYTES, longest_run=_LONGEST_RUN)
    while found := family.union.search(data, start, end):
        start = found.end()
        yield start
