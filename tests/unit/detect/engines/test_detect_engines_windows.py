"""Rules run around their keywords, marks and gates, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from provision.detect.engines.hits import Hits
from provision.detect.engines.needles import NeedleKind
from provision.detect.engines.windows import Windows
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import NamedValue, Rule


def rule(name: str, *keywords: str, **more: Any) -> Rule:
    return Rule(name, name, FindingSeverity.LOW, Confidence.HIGH, keywords, "x", reach=68, **more)


REACH = 68 + 32


def test_windows_of_one_rule_are_merged_where_they_meet() -> None:
    windows = Windows((rule("a", "tok"),))
    found = windows.around(b"." * 2000, Hits([(0, 150), (0, 300), (0, 1000)], {}))
    assert found == {0: [(150 - REACH, 300 + REACH), (1000 - REACH, 1000 + REACH)]}


def test_a_window_does_not_begin_before_the_data() -> None:
    assert Windows((rule("a", "tok"),)).around(b"." * 500, Hits([(0, 10)], {})) == {0: [(0, 10 + REACH)]}


def test_a_rule_runs_only_for_its_own_keywords() -> None:
    windows = Windows((rule("a", "tok"), rule("b", "KEY", "tok")), (b"own",))
    assert windows.words == (b"own", b"tok", b"key")
    assert set(windows.around(b"." * 500, Hits([(2, 200)], {}))) == {1}
    assert set(windows.around(b"." * 500, Hits([(1, 200)], {}))) == {0, 1}
    assert windows.around(b"." * 500, Hits([(0, 200)], {})) == {}


def test_a_rule_without_keywords_runs_over_everything() -> None:
    windows = Windows((rule("a"), rule("b", "tok")))
    assert windows.everywhere
    assert windows.around(b"." * 7, Hits([], {})) == {0: [(0, 7)]}
    assert not Windows((rule("b", "tok"),)).everywhere


def test_a_mark_calls_for_its_rule() -> None:
    windows = Windows((rule("a", mark=("[0-9]", 1)),))
    assert windows.around(b"." * 300, Hits([], {NeedleKind.MARK: [150]})) == {0: [(50, 250)]}


def test_a_gate_must_match_and_a_keyword_of_its_rule_must_be_near() -> None:
    windows = Windows((rule("a", "tok", gate="tok[0-9]"),))
    closed, opened = b"." * 200 + b"tok." + b"." * 200, b"." * 200 + b"tok7" + b"." * 200
    for gates_of, data in (([], closed), ([204], opened)):
        by_engine = windows.around(data, Hits([(0, 200)], {}, {0: gates_of} if gates_of else {}))
        by_re2 = windows.around(data, Hits([(0, 200)], {}))
        assert bool(by_engine) == bool(by_re2) == bool(gates_of)
    assert windows.around(opened, Hits([], {}, {0: [204]})) == {}, "no keyword near the gate"
    two = Windows((rule("a", "tok", gate="tok[0-9]"), rule("b", "other")))
    assert set(two.around(opened, Hits([(1, 190)], {}, {0: [204]}))) == {1}, "a keyword of another rule"


def _after_a_star(data: bytes, offsets: Iterable[int]) -> Iterator[int]:
    return (at for at in offsets if b"*" in data[:at])


def _nothing(_data: bytes, _left: int, _right: int) -> Iterator[NamedValue]:
    return iter(())


@pytest.mark.parametrize("gate", [None, "tok[0-9]"])
def test_rules_with_one_function_run_only_where_one_of_them_can_find_something(gate: str | None) -> None:
    together = {"find": _nothing, "gate": gate}
    windows = Windows(
        (rule("a", "tok", opens=_after_a_star, **together), rule("b", "tok", opens=_after_a_star, **together))
    )
    for data in (b"." * 200 + b"tok7", b"*" * 200 + b"tok7"):
        for gates in (None, {0: [204], 1: [204]} if gate else {}):
            found = windows.around(data, Hits([(0, 200)], {}, gates))
            assert set(found) == ({0, 1} if b"*" in data else set())
    always = Windows((rule("a", "tok", opens=_after_a_star, **together), rule("b", "tok", **together)))
    assert set(always.around(b"." * 200 + b"tok7", Hits([(0, 200)], {}))) == {0, 1}
