"""Python reads RE2's expressions as RE2 does, or refuses them."""

from __future__ import annotations

import pytest

from provision.detect.engines import patterns
from provision.detect.engines.patterns import InvalidPatternError, PythonPattern, compiled
from provision.detect.rules.builtin import BUILTIN

TEXTS = [
    b"",
    b"ab",
    b"AB\nab",
    b"a\x0bb",
    b"ab\n",
    b"x ab]-c",
    b"aab\r\nABab ",
    b"{,3}a{2",
    b"a_b [b] \xff\xe9b\x00",
    b"abababab" * 9,
]
ALIKE = [
    rb"a(?i)b|ab\z", rb"(?:x(?i)a|B)b", rb"(?i)AB", rb"ab$", rb"(?m)^ab$", rb"(?m:^ab$)|ab$", rb"a\sb", rb"a\S?b", rb"[\s]b",
    rb"[^\S]b", rb"[[:alpha:]_]+", rb"[^[:^xx]", rb"[]a]+", rb"[^]a]+", rb"a[b\]-]", rb"(?P<one>a)(?<two>b)",
    rb"\x61\x{62}", rb"\141b",
    rb"a{2}b", rb"a{,3}", rb"\{,3\}a", rb"(?s)a.b", rb"a.b", rb"(?s-i:A.?b)|\bab", rb"\Cb", rb"[&&b||a~~]+", rb"a\Bb",
    rb"[\x80-\xff]{2}",
    rb"(a|b)*?b$", rb"ab??", rb"\w+\b", rb"\d|\D\W", rb"((?i)a(?s).|B)+", rb"a|(?i)B|ab", rb"[a-z]{2,}\b", rb"\Aab",
]  # fmt: skip
REFUSED = [
    rb"(?=a)",
    rb"a*+",
    rb"(?U)a",
    rb"\pL",
    rb"\1",
    rb"(a",
    rb"a)",
    rb"[a",
    rb"[[:no:]]",
    rb"\x{100}",
    rb"a**",
    rb"(?#a)",
    rb"\Qa\E",
    b"(",
]


@pytest.mark.parametrize("pattern", ALIKE)
def test_both_find_the_same_in_every_range(pattern: bytes) -> None:
    try:
        ours = PythonPattern(pattern)
    except InvalidPatternError:
        ours = None
    try:
        theirs = compiled(pattern)
    except InvalidPatternError:
        assert ours is None
        return
    assert ours
    assert (ours.groups, ours.groupindex) == (theirs.groups, dict(theirs.groupindex))
    for text in TEXTS:
        for start in range(0, len(text) + 1, 3):
            for end in range(start, len(text) + 1, 2):
                found, expected = ours.search(text, start, end), theirs.search(text, start, end)
                assert (found and found.span()) == (expected and expected.span()), (text, start, end)


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_python_would_read_otherwise_is_refused(pattern: bytes) -> None:
    with pytest.raises(InvalidPatternError):
        PythonPattern(pattern)


def test_every_expression_of_a_rule_can_be_written_for_python() -> None:
    for rule in BUILTIN:
        for pattern in (rule.pattern, rule.gate):
            if pattern:
                theirs = compiled(pattern.encode("latin-1"))
                assert PythonPattern(pattern.encode("latin-1")).groupindex == dict(theirs.groupindex), rule.id


def test_without_re2_python_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(compiled(b"a"), PythonPattern)
    monkeypatch.setattr(patterns, "RE2_INSTALLED", False)
    assert isinstance(compiled(b"a"), PythonPattern)


def test_a_long_run_may_be_given_up() -> None:
    assert PythonPattern(b"a[b]*c", 9).search(b"a" + b"b" * 9 + b"c")
    assert not PythonPattern(b"a[b]*c", 9).search(b"a" + b"b" * 10 + b"c")
