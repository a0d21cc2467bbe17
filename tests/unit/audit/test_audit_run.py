"""From raw results to an audit: names for ids, findings that are one, the baseline."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from leakcraft import NOW, context, match, raw

from provision.audit.baseline import BaselineEntry
from provision.audit.finding import Location
from provision.audit.homes import HomeReport, home_finding
from provision.audit.leaks import collect_leaks
from provision.audit.result import Counts
from provision.audit.run import RawAudit, finish_audit, path_namer
from provision.detect.match import FindingSeverity


def raw_audit() -> RawAudit:
    leaks = collect_leaks(
        [raw("/h/config.yaml", match("secret"), "model.api_key"), raw("/h/x", match("other"))], context()
    )
    route = [
        home_finding(rule, FindingSeverity.HIGH, Location("/h/config.yaml", None, None, where), "m", "c", str)
        for rule, where in (
            ("route-inline-key", "model.api_key"),
            ("route-inline-key", "model.key"),
            ("drift", "model.api_key"),
        )
    ]
    return RawAudit(leaks.leaks, HomeReport(findings=tuple(route)), context(), None, Counts(2), ())  # type: ignore[arg-type]


def test_a_key_in_clear_is_one_finding() -> None:
    found = raw_audit().findings({})
    assert [(f.rule, f.place.where) for f in found] == [
        ("route-inline-key", "model.key"),
        ("drift", "model.api_key"),
        ("some-rule", "model.api_key"),
        ("some-rule", None),
    ], "the most severe first"


def test_the_baseline_is_applied_at_the_end() -> None:
    everything = raw_audit().findings({})
    entry = BaselineEntry(id=everything[0].id, rule="drift", path="x", reason="accepted", added=date(2026, 1, 1))
    audit = finish_audit(raw_audit(), [entry], {}, "host", ["/h"], NOW, elapsed_s=1.0)
    assert [f.id for f in audit.findings] == [f.id for f in everything[1:]]
    assert [(i.finding.id, i.reason, i.since) for i in audit.ignored] == [(entry.id, "accepted", "2026-01-01")]
    assert (audit.started, audit.counts.files) == ("2026-06-01T12:00:00+00:00", 2)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/repo/a/b", "a/b"),
        ("/srv/repository/a", "/srv/repository/a"),
        ("/home/ada/.env", "~/.env"),
        ("/home/ada", "/home/ada"),
        ("/srv/repo/../x", "/srv/x"),
    ],
)
def test_names_in_ids(path: str, expected: str) -> None:
    assert path_namer(Path("/srv/repo"), Path("/home/ada"))(path) == expected
