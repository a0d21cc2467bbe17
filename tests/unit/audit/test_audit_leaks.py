"""From raw findings to findings: what counts, how severe it is, what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from leakcraft import NOW, SALT, context, known_key, match, raw

from provision.audit.leaks import collect_leaks, fingerprint_of, leak_findings
from provision.audit.locations import AuditedHome, LocationKind, MachineLayout
from provision.containers.blob import ContentKind
from provision.detect.match import FindingSeverity

VALUE = "abcdefghij0123456789"
HISTORY = ContentKind.GIT


def test_equal_secrets_in_one_file_are_one_leak_and_comments_allow_unknown_ones() -> None:
    found = collect_leaks(
        [
            raw("b", match(VALUE)),
            raw("a", match(VALUE)),
            raw("a", match(VALUE), after=" # provision:allow=other-rule"),
            raw("a", match("z" * 20), after=" # provision:allow because of a test"),
            raw("a", match("y" * 20, known=known_key()), after=" # provision:allow"),
        ],
        context(),
    )
    assert [(leak.raw.place.path, leak.times) for leak in found.leaks] == [("a", 2), ("a", 1), ("b", 1)]
    assert (found.in_place, found.allowed) == (0, 1), "a comment does not hide a key of the fleet"


def test_a_copy_of_the_key_in_use_is_known_as_such(tmp_path: Path) -> None:
    env, log = tmp_path / ".env", tmp_path / "logs" / "agent.log"
    env.touch(0o600)
    here = context(MachineLayout((AuditedHome(tmp_path),)))
    found = collect_leaks([raw(str(env), match(VALUE)), raw(str(log), match(VALUE))], here)
    assert found.in_place == 1
    (leak,) = found.leaks
    assert (leak.in_use, leak.location_kind) == (True, LocationKind.LOG)
    (finding,) = leak_findings(found.leaks, here, {})
    assert finding.message == "the key that is in use here, in a log"
    assert finding.severity is FindingSeverity.HIGH


@pytest.mark.parametrize(
    ("stage", "kind", "verdict", "severity"),
    [
        ("current", ContentKind.TEXT, None, FindingSeverity.HIGH),
        ("current", ContentKind.GIT, None, FindingSeverity.CRITICAL),
        ("previous", ContentKind.TEXT, None, FindingSeverity.HIGH),
        ("retired", ContentKind.TEXT, None, FindingSeverity.LOW),
        ("retired", ContentKind.TEXT, "live", FindingSeverity.CRITICAL),
        ("current", ContentKind.GIT, "dead", FindingSeverity.LOW),
        (None, ContentKind.TEXT, None, FindingSeverity.MEDIUM),
        (None, ContentKind.GIT, "live", FindingSeverity.CRITICAL),
        (None, ContentKind.GIT, "cannot tell", FindingSeverity.MEDIUM),
    ],
)
def test_severity(stage: str | None, kind: ContentKind, verdict: str | None, severity: FindingSeverity) -> None:
    known = known_key(stage=stage) if stage else None
    found = collect_leaks([raw("/nowhere/file", match(VALUE, known=known), kind=kind)], context())
    verdicts = {str(found.leaks[0].fingerprint): verdict} if verdict else {}
    assert [f.severity for f in leak_findings(found.leaks, context(), verdicts)] == [severity]


def test_a_message_names_owner_age_verdict_and_location() -> None:
    old = known_key(created=NOW - timedelta(days=412))
    leaks = collect_leaks([raw("/nowhere/x.log", match(VALUE, known=old, key="AISA_API_KEY"))], context()).leaks
    (finding,) = leak_findings(leaks, context(), {old.fingerprint: "live"})
    assert finding.message == "ada's current key, 412 days old, live, in a log"
    assert finding.excerpt == "AISA_API_KEY=****"
    assert VALUE not in repr(finding)


def test_equal_findings_get_different_ids_and_secrets_in_names_are_masked() -> None:
    masking = replace(context(), clean=lambda text: text.replace(VALUE, "****"), name=lambda path: "same")
    leaks = collect_leaks([raw(f"/a/{VALUE}", match("p" * 8)), raw("/b", match("q" * 8))], masking).leaks
    first, second = leak_findings(leaks, masking, {})
    assert first.place.path == "/a/****"
    assert (first.fingerprint, second.fingerprint) == (None, None)
    assert first.id != second.id


@pytest.mark.parametrize(
    ("value", "rule", "has_one"),
    [
        (VALUE, "token", True),
        (VALUE, "assigned-password", False),
        (VALUE[:19], "token", False),
        ("ab" * 20, "token", False),
    ],
)
def test_only_secrets_that_cannot_be_guessed_get_a_fingerprint(value: str, rule: str, has_one: bool) -> None:
    assert (fingerprint_of(match(value, rule), SALT) is not None) is has_one


def test_equal_weak_values_share_a_mark_within_a_run() -> None:
    raws = [
        raw(path, match(value, rule="assigned-password"))
        for path, value in (("a", "hunter22"), ("b", "hunter22"), ("c", "other33"), ("d", "third44"), ("e", "third44"))
    ]
    here = context()
    excerpts = [finding.excerpt for finding in leak_findings(collect_leaks(raws, here).leaks, here, {})]
    assert excerpts == ["****1", "****1", "****", "****2", "****2"]


def test_only_keys_of_the_gateway_are_critical_without_a_verdict() -> None:
    here = context()
    for value, severity in (
        ("z9" * 12, FindingSeverity.HIGH),
        ("sk-" + "aisa-" + "q7Vh2LmZp0XcT9bRk4wYs8NdJf3GuEa6hB5tQ1zKvC0"[:43], "critical"),
    ):
        found = collect_leaks([raw("a", replace(match(value), severity=FindingSeverity.CRITICAL))], here)
        (finding,) = leak_findings(found.leaks, here, {})
        assert finding.severity == severity


@pytest.mark.parametrize(
    ("description", "begins"),
    [
        ("OpenAI API key", "OpenAI API key"),
        ("npm access token", "npm access token"),
        ("Quoted value of a name", "quoted value of a name"),
        ("Discord bot token", "Discord bot token"),
        ("AWS access key id", "AWS access key id"),
    ],
)
def test_a_message_begins_with_the_vendors_own_capitals(description: str, begins: str) -> None:
    here = replace(context(), describe={"a-rule": description})
    found = collect_leaks([raw("a", match(VALUE, rule="a-rule"))], here)
    assert leak_findings(found.leaks, here, {})[0].message.startswith(begins)
