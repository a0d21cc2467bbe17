"""Baselines as values, ids, allow comments."""

from __future__ import annotations

from datetime import date

import pytest

from provision.audit.allow_comment import is_allowed
from provision.audit.baseline import BaselineEntry, apply_baseline, update_baseline
from provision.audit.finding import Finding, Location, finding_id
from provision.audit.result import severity_order
from provision.detect.match import Confidence, FindingSeverity

TODAY = date(2026, 6, 1)


def finding(
    path: str,
    severity: FindingSeverity = FindingSeverity.HIGH,
    key: str | None = None,
    owner: str | None = None,
) -> Finding:
    place = Location(path, 1, 1)
    return Finding(
        finding_id("r", place, key), "r", severity, Confidence.HIGH, place, owner, None, key, "****", "m", "c"
    )


def test_ids_depend_on_rule_place_key_and_order_but_not_on_lines() -> None:
    base = finding_id("rule", Location("a", 1, 2, "w"), "fp")
    assert base == finding_id("rule", Location("a", 9, 9, "w"), "fp")
    assert base == "pf_" + base[3:].lower()
    others = {
        finding_id("other", Location("a", 1, 2, "w"), "fp"),
        finding_id("rule", Location("b", 1, 2, "w"), "fp"),
        finding_id("rule", Location("a", 1, 2, None), "fp"),
        finding_id("rule", Location("a", 1, 2, "w"), "fp2"),
        finding_id("rule", Location("a", 1, 2, "w"), "fp", 1),
    }
    assert len(others | {base}) == 6
    assert finding_id("r", Location("a\\b"), None) == finding_id("r", Location("a/b"), None)


def test_an_entry_applies_until_its_last_day() -> None:
    a, b = finding("a"), finding("b")
    first = update_baseline((), [a], TODAY, "ours", date(2026, 6, 30))
    assert (first.added, first.dropped) == (1, 0)
    split = apply_baseline(first.entries, [a, b], TODAY)
    assert (split.new, [e.finding for e in split.ignored], split.expired) == ((b,), [a], ())
    late = apply_baseline(first.entries, [a, b], date(2026, 7, 1))
    assert late.new == (a, b)
    assert late.expired == first.entries


def test_an_update_keeps_reasons_drops_what_is_gone_and_renews_what_has_expired() -> None:
    a, b = finding("a"), finding("b")
    old = BaselineEntry(id=a.id, rule="r", path="a", reason="old", added=date(2026, 1, 1))
    expired = BaselineEntry(id=b.id, rule="r", path="b", reason="soon", added=date(2026, 1, 1), until=date(2026, 2, 1))
    gone = BaselineEntry(id=finding("c").id, rule="r", path="c", reason="x", added=date(2026, 1, 1))
    done = update_baseline([old, expired, gone], [a, b], TODAY, "new", None)
    assert {e.path: (e.reason, e.added) for e in done.entries} == {"a": ("old", date(2026, 1, 1)), "b": ("new", TODAY)}
    assert (done.added, done.dropped) == (1, 1)


def test_an_entry_follows_its_secret_into_a_renamed_file() -> None:
    entries = update_baseline((), [finding("old/a", key="fp_1")], date(2026, 1, 1), "ours", None).entries
    moved = finding("new/b", key="fp_1")
    assert [e.finding for e in apply_baseline(entries, [moved], TODAY).ignored] == [moved]
    done = update_baseline(entries, [moved], TODAY, "again", None)
    assert [(e.id, e.path, e.reason, e.added) for e in done.entries] == [(moved.id, "new/b", "ours", date(2026, 1, 1))]
    assert (done.added, done.dropped) == (0, 0)


@pytest.mark.parametrize(
    "found",
    [
        [finding("a", key="fp_1"), finding("b", key="fp_1")],  # a copy; the old place still has it
        [finding("b", key="fp_2")],
        [finding("b")],  # a password has no fingerprint
        [finding("b", key="fp_1", owner="ada")],
    ],
)
def test_an_entry_covers_no_other_finding(found: list[Finding]) -> None:
    entries = update_baseline((), [finding("a", key="fp_1"), finding("c")], TODAY, "ours", None).entries
    assert apply_baseline(entries, found, TODAY).new == tuple(found[-1:])


def test_one_entry_covers_one_copy() -> None:
    entries = update_baseline((), [finding("a", key="fp_1")], TODAY, "ours", None).entries
    copies = [finding("b", key="fp_1"), finding("c", key="fp_1")]
    assert apply_baseline(entries, copies, TODAY).new == (copies[1],)


def test_an_expired_entry_follows_nothing() -> None:
    entries = update_baseline((), [finding("a", key="fp_1")], TODAY, "ours", date(2026, 6, 2)).entries
    moved = finding("b", key="fp_1")
    assert apply_baseline(entries, [moved], date(2026, 6, 3)).new == (moved,)


@pytest.mark.parametrize(
    ("line", "rule", "quiet"),
    [
        ("# provision:allow", "r", True),
        ("# provision:allow because it is a test", "r", True),
        ("# provision:allow=r,s it is", "s", True),
        ("# provision:allow=r", "s", False),
        ("# provision:allowed", "r", False),
        ("# allow", "r", False),
    ],
)
def test_allow_comments(line: str, rule: str, quiet: bool) -> None:
    assert is_allowed(line, rule) is quiet


def test_the_worst_comes_first() -> None:
    found = sorted(
        [finding("b"), finding("a", FindingSeverity.LOW), finding("z", FindingSeverity.CRITICAL), finding("a")],
        key=severity_order,
    )
    assert [f.place.path for f in found] == ["z", "a", "b", "a"]
