"""From keyword hits to matches: a rule's own expression, run by RE2 in a window around each hit.

RE2 is linear whatever the expression and the text, and windows of one rule that touch are one, so no byte is looked at
twice by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from provision.detect.engine_re2 import compiled
from provision.detect.entropy import shannon
from provision.detect.known import Candidates, KnownKeys
from provision.detect.match import Match, Span
from provision.detect.notsecret import is_not_secret
from provision.detect.rule import Rule
from provision.detect.secret import Secret

_CONTEXT = 64
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
        self._always = [index for index, rule in enumerate(rules) if not rule.keywords and not rule.mark]
        self._marked = [index for index, rule in enumerate(rules) if rule.mark]
        by_word: dict[bytes, list[int]] = {}
        for index, rule in enumerate(rules):
            for word in rule.keywords:
                by_word.setdefault(word.lower().encode(), []).append(index)
        self._candidates = Candidates(known) if known else None
        for prefix in self._candidates.prefixes if self._candidates else ():
            by_word.setdefault(prefix.lower(), [])
        self.words = tuple(by_word)
        self._by_word = list(by_word.values())

    def matches(self, data: bytes, words: list[tuple[int, int]], marks: Sequence[int] = ()) -> Iterator[Match]:
        """All matches, unsorted, overlapping ones too."""
        if self._candidates:
            yield from self._candidates.matches(data, [start for _, start in words])
        for index, windows in sorted((self._windows(words, len(data)) | self._marks(marks, len(data))).items()):
            for start, end in windows:
                yield from self._run(self._rules[index], data, start, end)

    def _windows(self, words: list[tuple[int, int]], size: int) -> dict[int, list[Span]]:
        windows: dict[int, list[Span]] = {index: [(0, size)] for index in self._always}
        for word, at in words:
            for index in self._by_word[word]:
                reach = self._rules[index].rule.reach
                start, end = max(at - reach, 0), at + reach + len(self.words[word])
                mine = windows.setdefault(index, [])
                if mine and start <= mine[-1][1]:
                    mine[-1] = (mine[-1][0], end)
                else:
                    mine.append((start, end))
        return windows

    def _marks(self, marks: Sequence[int], size: int) -> dict[int, list[Span]]:
        windows: dict[int, list[Span]] = {}
        for at in marks:
            for index in self._marked:
                reach = self._rules[index].rule.reach
                mine = windows.setdefault(index, [])
                if not mine or at - reach > mine[-1][1]:
                    mine.append((max(at - reach, 0), min(at + reach, size)))
                else:
                    mine[-1] = (mine[-1][0], min(at + reach, size))
        return windows

    def _run(self, each: _Compiled, data: bytes, left: int, right: int) -> Iterator[Match]:
        search = each.pattern.search
        while found := search(data, left, right):
            start, end = found.span(each.secret)
            left = max(found.end(), left + 1)
            if start < end and (match := self._confirmed(each, data, start, end, found)):
                yield match

    def _confirmed(self, each: _Compiled, data: bytes, start: int, end: int, found: Any) -> Match | None:
        rule, value = each.rule, data[start:end]
        if (rule.entropy and shannon(value) < rule.entropy) or (rule.accept and not rule.accept(value)):
            return None
        text = value.decode("utf-8", "surrogateescape")
        known = self._candidates.known.find(text) if self._candidates else None
        if not known and is_not_secret(text, rule.id, data[max(0, start - _CONTEXT) : end + _CONTEXT]):
            return None
        name = found.group(each.name) if each.name else None
        key = name.decode("utf-8", "replace") if name else None
        return Match(rule.id, rule.severity, rule.confidence, ((start, end),), Secret(text), (), known, key)
