"""Regular expressions that are compiled at their first use: all of them are valid, and behave like compiled ones."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from provision.lazy_regex import lazy_regex

IMPORT_ALL = """
import re, sys
import provision.lazy_regex

provision.lazy_regex.lazy_regex = re.compile
import provision.detect.engines.patterns as patterns
patterns.lazily_compiled = patterns.compiled
import provision.detect.engines.uncounted as uncounted
uncounted.lazily_confirming = uncounted.ConfirmingPattern
from importlib import import_module
from pkgutil import walk_packages
import provision.detect, provision.report

for room in (provision.detect, provision.report):
    for each in walk_packages(room.__path__, room.__name__ + "."):
        import_module(each.name)
left = [(module, name) for module, each in sys.modules.items() for name, value in vars(each).items()
    if type(value).__name__ == "LazyRegex"]
print(left, type(sys.modules["provision.detect.rules.columns"]._STATEMENT).__name__)
"""


def test_every_expression_compiles_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[] Pattern\n", "")


def test_it_has_what_a_compiled_expression_has() -> None:
    lazy, compiled = lazy_regex(r"(?P<name>a+)b", re.IGNORECASE), re.compile(r"(?P<name>a+)b", re.IGNORECASE)
    found = lazy.search("xAAb")
    assert found is not None
    assert found["name"] == "AA"
    assert (lazy.pattern, lazy.flags, lazy.groups, lazy.groupindex) == (
        compiled.pattern,
        compiled.flags,
        compiled.groups,
        compiled.groupindex,
    )
    assert lazy.sub("-", "aab ab") == "- -"


def test_it_is_compiled_once_and_not_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    compile_ = re.compile
    monkeypatch.setattr(re, "compile", lambda *given: made.append(given[0]) or compile_(*given))
    lazy = lazy_regex("a")
    assert made == []
    assert [bool(lazy.search(text)) for text in ("a", "b", "ca")] == [True, False, True]
    assert lazy.match("a")
    assert made == ["a"]


def test_a_wrong_expression_is_refused_when_it_is_used() -> None:
    with pytest.raises(re.error, match="unterminated"):
        lazy_regex("(").search("")
