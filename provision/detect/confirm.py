"""From keyword hits to matches: the rule's own expression, run by a linear engine in a window around each hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ahocorasick_rs
import re2

from provision.detect.known import KNOWN_RULE, KnownKeys
from provision.detect.match import Confidence, Match, Severity
from provision.detect.notsecret import is_not_secret
from provision.detect.rule import Rule
from provision.detect.secret import Secret

KEY_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    pattern: Any
    secret: int
    name: int | None


def _compiled(rule: Rule) -> _Compiled:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    pattern = re2.compile(rule.pattern.encode("latin-1"), options)
    groups = {name.decode() if isinstance(name, bytes) else name: at for name, at in pattern.groupindex.items()}
    return _Compiled(rule, pattern, groups.get("secret", 1 if pattern.groups else 0), groups.get("name"))


class Confirmer:
    """Rules compiled, keywords in one automaton."""

    def __init__(self, rules: tuple[Rule, ...], known: KnownKeys | None) -> None:
        self._rules = [_compiled(rule) for rule in rules]
        self._known = known
        self._always = [each for each in self._rules if not each.rule.keywords]
        by_word: dict[bytes, list[_Compiled]] = {}
        for each in self._rules:
            for word in each.rule.keywords:
                by_word.setdefault(word.lower().encode(), []).append(each)
        self._by_word = list(by_word.values())
        self._automaton = ahocorasick_rs.BytesAhoCorasick(list(by_word)) if by_word else None

    def matches(self, data: bytes) -> Iterator[Match]:
        """All matches, unsorted, overlapping ones too."""
        if self._known:
            yield from _known_keys(data, self._known)
        done: dict[str, int] = {}
        if self._automaton:
            for word, start, end in self._automaton.find_matches_as_indexes(data.lower(), overlapping=True):
                for each in self._by_word[word]:
                    reach = each.rule.reach
                    left = max(start - reach, done.get(each.rule.id, 0), 0)
                    done[each.rule.id] = yield from self._run(each, data, left, min(end + reach, len(data)))
        for each in self._always:
            yield from self._run(each, data, 0, len(data))

    def _run(self, each: _Compiled, data: bytes, left: int, right: int) -> Any:
        while found := each.pattern.search(data, left, right):
            start, end = found.span(each.secret)
            value = data[start:end]
            left = max(found.end(), left + 1)
            rule = each.rule
            if start == end or (rule.accept and not rule.accept(value)):
                continue
            text = value.decode("utf-8", "surrogateescape")
            if is_not_secret(text, rule.id, data[max(0, start - _CONTEXT) : end + _CONTEXT]):
                continue
            known = self._known.find(text) if self._known else None
            name = found.group(each.name) if each.name else None
            yield Match(
                rule.id, rule.severity, rule.confidence, ((start, end),), Secret(text),
                known=known, key=name.decode("utf-8", "replace") if name else None,
            )  # fmt: skip
        return left


def _known_keys(data: bytes, known: KnownKeys) -> Iterator[Match]:
    for prefix, length in known.shapes:
        word = prefix.encode()
        at = data.find(word) if word else -1
        while at >= 0:
            value = data[at : at + length]
            if len(value) == length and KEY_CHARACTERS.issuperset(value) and (key := known.find(value.decode())):
                yield Match(
                    KNOWN_RULE, Severity.CRITICAL, Confidence.HIGH, ((at, at + length),), Secret(value.decode()), (), key
                )
            at = data.find(word, at + 1)
