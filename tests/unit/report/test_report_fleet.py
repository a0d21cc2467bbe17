"""The page of the fleet: a view over what the workspace holds, which never says "ok" about what was not asked."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from bundlecraft import PROFILE

from provision.audit.finding import Finding, Location
from provision.audit.machines import AuditedMachine
from provision.detect.match import Confidence, FindingSeverity
from provision.errors import Place
from provision.fleet.desired import DesiredState
from provision.keys.events.log import Verified
from provision.keys.events.text import LogFault
from provision.keys.policy import check_key_ages
from provision.keys.vault.ledger import KeyVersion, Ledger, Stage, VaultLine
from provision.receipts.fleet import Standing
from provision.report.attention import Attention, AttentionCause
from provision.report.fleet.document import as_json
from provision.report.fleet.groups import groups, headline
from provision.report.fleet.metrics import as_prometheus
from provision.report.fleet.page import as_html
from provision.report.fleet.results import FleetMachine, FleetReport
from provision.report.fleet.rows import AS_FAR_AS_KNOWN as KNOWN
from provision.report.fleet.rows import count_in_order, grid
from provision.report.fleet.trend import NAME, DaySummary, keep_summary, read_trend
from provision.report.fleet.user_page import user_html
from provision.report.fleet.validation_reader import ValidationDocument
from provision.report.html.when import When
from provision.report.prometheus import Metric, metrics_text
from provision.rotate.key_advice import key_advice

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
LEDGER = Ledger(
    {
        user: (
            VaultLine(KeyVersion(user, 1, Stage.CURRENT, f"fp_{user}", NOW - timedelta(days=days), label, demo), "x"),
        )
        for user, days, label, demo in [
            ("ada", 10, "laptop", None),
            ("bob", 200, "", None),
            ("dan", 1, "d", date(2026, 7, 1)),
        ]
    }
)
STATES = [DesiredState(user, PROFILE, Place("inventory.yaml", 1)) for user in ("ada", "bob", "dan", "eve")]
LEAK = Finding(
    id="f1",
    rule="aisa-key",
    severity=FindingSeverity.CRITICAL,
    confidence=Confidence.HIGH,
    place=Location("/home/ada/notes.txt", 3, 1),
    message="ada's current key",
    excerpt="sk-a…",
    cure="rotate it",
    owner="ada",
    stage="current",
    fingerprint="fp_ada",
)


KEYED = STATES[:3]


def report(**changes: object) -> FleetReport:
    fields: dict[str, object] = {"findings": (), "rotations": (), "events": (), "log": Verified(3, "ab", 3, NOW, ())}
    states = changes.pop("states", STATES)
    return FleetReport("acme", NOW, states, LEDGER, **fields | changes)  # type: ignore[arg-type]


def validated(verdict: str, fingerprint: str = "fp_ada") -> ValidationDocument:
    user = {"user": "ada", "verdict": verdict, "key_fingerprint": fingerprint}
    return ValidationDocument.model_validate({"users": [user], "summary": {"started": "now"}})


def machines(**standings: tuple[Standing, ...]) -> list[FleetMachine]:
    return [FleetMachine(user, user, each) for user, each in standings.items()]


def rows(found: FleetReport) -> dict[str, dict[str, object]]:
    return {row["user"]: row for row in json.loads("".join(as_json(found)))["users"]}


def test_what_was_not_given_is_null_and_not_zero() -> None:
    document = json.loads("".join(as_json(report())))
    assert [document["summary"][name] for name in ("verdicts", "audit", "endpoints")] == [None, None, None]
    ada = document["users"][0]
    assert [ada[name] for name in ("verdict", "endpoint", "leaks", "rotation")] == [None] * 4
    assert document["not_looked_at"] == ["the gateway", "leaks", "machines"]
    html = "".join(as_html(report(states=KEYED)))
    assert html.count("not looked at: run provision") == 2
    assert "Nothing needs attention in what was looked at. Not looked at: the gateway, leaks, machines." in html


def test_users_without_a_key_are_counted() -> None:
    found = rows(report())
    assert found["eve"]["key"] is None
    assert (found["ada"]["age_days"], found["dan"]["demo_until"]) == (10, "2026-07-01")
    assert json.loads("".join(as_json(report())))["summary"]["without_key"] == 1


def test_a_verdict_about_another_key_is_not_shown() -> None:
    assert rows(report(validated=validated("ok")))["ada"]["verdict"] == "ok"
    assert rows(report(validated=validated("ok", "fp_older")))["ada"]["verdict"] is None


def test_zero_leaks_are_only_said_of_an_audited_machine() -> None:
    audited = (AuditedMachine("shop", None, "now", (LEAK,)), AuditedMachine("bob@pc", "bob", "now", (), unread=2))
    found = report(audited=audited)
    assert [rows(found)[user]["leaks"] for user in ("ada", "bob", "dan")] == [1, 0, None]
    leaks = next(column for column in grid(found).columns if column.name == "leaks")
    by_user = dict(zip(grid(found).columns[0].cells, map(leaks.text, leaks.cells), strict=True))
    assert by_user == {"ada": "1", "bob": "0", "dan": "not looked at", "eve": "not looked at"}
    missing = list(found.not_looked_at())
    assert missing == [
        "the gateway",
        "leaks on the machines of 3 users",
        "2 files that audits could not read",
        "machines",
    ]


def test_a_limited_report_is_only_about_its_users() -> None:
    eves = replace(LEAK, owner="eve", message="eve's key", fingerprint="fp_eve")
    audited = (
        AuditedMachine("ada@mbp", "ada", "now", (LEAK,), routes=(("/home/ada/.hermes", "no"),)),
        AuditedMachine("bob@pc", "bob", "now", (eves,), unread=1, routes=(("/home/bob/.hermes", "no"),)),
    )
    given = {"audited": audited, "validated": validated("key_invalid"), "complete": False}
    bob = report(states=STATES[1:2], **given)
    assert (list(bob.answers), [m.name for m in bob.machines]) == ([], ["bob@pc"])
    assert "fp_ada" not in "".join(as_json(bob)) + "".join(as_html(bob))
    ada = report(states=STATES[:1], **given)
    assert ada.attention_counts == {"leaked": 1, "misrouted": 1, "refused by the gateway": 1}
    dan = report(states=STATES[2:3], **given)
    assert (dan.has_findings, list(dan.leaks)) == (False, [])
    assert "not looked at: no audit of these users" in "".join(as_html(dan))


def test_an_answer_about_a_retired_key_does_not_count() -> None:
    found = report(states=KEYED, validated=validated("key_invalid", "fp_older"))
    document = json.loads("".join(as_json(found)))
    assert (found.has_findings, document["summary"]["verdicts"], document["summary"]["outdated_verdicts"]) == (
        False,
        {},
        1,
    )
    html = "".join(as_html(found))
    assert "key_invalid" not in html
    assert "1 answer about a key that is no longer current not counted" in html


def test_a_current_endpoint_is_named_so_and_an_unknown_one_is_null() -> None:
    found = rows(report(endpoints=machines(ada=(), bob=(Standing.BEHIND, Standing.SILENT))))
    assert found["ada"]["endpoint"] == ["current"]
    assert found["bob"]["endpoint"] == ["behind", "silent"]
    assert found["eve"]["endpoint"] is None


@pytest.mark.parametrize(
    ("changes", "has_findings"),
    [
        ({}, False),
        ({"validated": validated("ok")}, False),
        ({"validated": validated("unreachable")}, False),  # inconclusive
        ({"validated": validated("key_invalid")}, True),
        ({"audited": (AuditedMachine("host", None, "now", (LEAK,)),)}, True),
        ({"log": Verified(3, "ab", 3, NOW, (LogFault(2, "a line was changed"),))}, True),
        ({"endpoints": machines(ada=())}, False),
        ({"endpoints": machines(ada=(Standing.BEHIND,))}, True),
        ({"states": STATES}, True),  # eve has no key
        ({"states": STATES, "vault_only": False}, False),  # eve's key may come from a key_command
        ({"findings": list(check_key_ages(LEDGER, STATES, NOW))}, True),  # bob's key is overdue
    ],
)
def test_what_counts_as_a_finding(changes: dict[str, object], has_findings: bool) -> None:
    found = report(**{"states": KEYED} | changes)
    assert found.has_findings is has_findings
    assert json.loads("".join(as_json(found)))["ok"] is not has_findings
    assert ("Nothing needs attention" not in "".join(as_html(found))) is has_findings


def test_old_keys_are_listed_with_what_to_do() -> None:
    findings = [replace(f, cure=key_advice(f, ())) for f in check_key_ages(LEDGER, STATES, NOW)]
    assert [f.key.user for f in findings] == ["bob"]
    assert "provision rotate" in "".join(as_html(report(findings=findings)))


def test_every_column_has_a_cell_for_every_user() -> None:
    found = report(validated=validated("ok"), endpoints=machines(ada=()))
    columns = grid(found).columns
    assert {len(column.cells) for column in columns} == {4}
    assert all(column.text(cell) for column in columns if column.shown for cell in column.cells)
    html = "".join(as_html(replace(report(), workspace="<b>acme</b>")))
    assert "<b>acme" not in html
    label = next(column for column in columns if column.name == "label")
    assert "d (demo until 2026-07-01)" in label.cells


def test_users_are_sorted_worst_first_and_several_machines_are_one_row() -> None:
    laptop = FleetMachine("ada/laptop", "ada", (Standing.SILENT,))
    found = report(
        endpoints=[laptop, FleetMachine("ada/desktop", "ada", (Standing.MISROUTED,)), *machines(bob=(), dan=())]
    )
    made = grid(found)
    by_name = {column.name: list(column.cells) for column in made.columns}
    assert (by_name["user"], by_name["state"]) == (
        ["ada", "eve", "bob", "dan"],
        ["misrouted", "no key", KNOWN, KNOWN],
    )
    assert by_name["machine"] == ["misrouted, silent", None, "current", "current"]
    assert rows(found)["ada"]["endpoint"] == ["silent", "misrouted"]
    data = json.loads(gzip.decompress(base64.b64decode(made.island())))
    state = data["columns"][1]
    assert [state["words"][cell] for cell in state["cells"]] == [
        ["misrouted", "bad"],
        ["no key", "unsure"],
        [KNOWN, "neutral"],
        [KNOWN, "neutral"],
    ]


def test_the_headline_and_the_groups_say_who_and_what_to_do() -> None:
    found = report(states=STATES, endpoints=machines(ada=(Standing.BEHIND,), bob=(Standing.MISROUTED,)))
    html = "".join(as_html(found))
    assert "3 of 4 users need attention, 1 of them now: 1 misrouted, 1 no key, 1 behind." in html
    assert "<code>provision deploy -l bob</code>" in html
    many = [Attention(AttentionCause.OVERDUE, f"u{number:03}", f"{number} days") for number in range(150)]
    (group,) = groups(many)
    assert (group.count, len(group.lines), group.more, group.command) == (
        150,
        100,
        50,
        "provision rotate start --from FILE",
    )
    assert group.lines[7] == "u007: 7 days"
    assert headline(report(states=KEYED)) == (
        "Nothing needs attention in what was looked at. Not looked at: the gateway, leaks, machines.",
        "unsure",
    )


def test_in_order_is_only_said_of_users_about_whom_everything_was_looked_at() -> None:
    audited = tuple(AuditedMachine(f"{user}@pc", user, "now", ()) for user in ("ada", "bob", "dan"))
    answers = [{"user": user, "verdict": "ok", "key_fingerprint": f"fp_{user}"} for user in ("ada", "bob", "dan")]
    asked = ValidationDocument.model_validate({"users": answers, "summary": {"started": "now"}})
    whole = {"audited": audited, "validated": asked, "endpoints": machines(ada=(), bob=(), dan=())}
    found = report(states=KEYED, **whole)
    assert headline(found) == ("Nothing needs attention: 3 users in order.", "good")
    assert (count_in_order(found), found.quiet) == (3, 3)
    for missing, count in (
        ({"audited": audited[1:]}, 2),
        ({"validated": validated("ok")}, 1),
        ({"endpoints": None}, 0),
    ):
        less = report(states=KEYED, **whole | missing)
        assert (count_in_order(less), less.quiet) == (count, 3)
        assert headline(less)[1] == "unsure"
        assert set(grid(less).columns[1].cells) <= {"in order", KNOWN}


def test_what_concerns_a_stranger_is_said_but_no_user_of_the_report() -> None:
    stranger = replace(LEAK, owner="zoe", message="zoe's key")
    found = report(states=KEYED, audited=(AuditedMachine("shop", None, "now", (stranger,)),))
    assert (found.attention_counts, found.quiet, found.worst) == ({"leaked": 1}, 3, {})
    assert headline(found)[0].startswith("The fleet needs attention: 1 leaked.")


def test_the_page_compares_with_an_earlier_day(tmp_path: Path) -> None:
    found = report(endpoints=machines(bob=(Standing.BEHIND,)))
    for day, quiet in (NOW.date() - timedelta(days=2), 4), (NOW.date(), 1):
        keep_summary(tmp_path, read_trend(tmp_path), DaySummary(day, 4, quiet, {"behind": 3}))
    with (tmp_path / NAME).open("a") as file:
        file.write('{"day": "yesterday"}\n[]\nnull\n')
    earlier = read_trend(tmp_path)
    assert [(day.day.day, day.quiet) for day in earlier] == [(30, 4), (1, 1)]
    html = "".join(as_html(found, earlier))
    assert "not all looked at · ▼ 2" in html
    assert "soon · ▼ 2" in html
    assert "Users of whom nothing needs attention, by day: from 4 on 30 May 2026 to 2 on 01 Jun 2026" in html
    assert html.count('<svg class="spark"') == 2
    assert 'aria-label="behind, by day: from 3 on 30 May 2026 to 1 on 01 Jun 2026"' in html
    assert 'aria-label="no key, by day: from 0 on 30 May 2026 to 1 on 01 Jun 2026"' in html
    assert '<svg class="spark"' not in "".join(as_html(found))
    assert found.day_summary() == DaySummary(NOW.date(), 4, 2, {"no key": 1, "behind": 1})


def test_times_are_words_with_the_exact_time_behind_them() -> None:
    when = When.read("2026-05-29T08:00:00+02:00", datetime(2026, 6, 1, 6, tzinfo=UTC))
    assert isinstance(when, When)
    assert (when.words, when.iso) == ("3 days ago", "2026-05-29T08:00:00+02:00")
    made = When.read("2026-06-01T06:00:00Z")
    assert isinstance(made, When)
    assert made.words == "1 June 2026, 06:00 UTC"
    assert When.read("<b>") == "<b>"
    assert re.findall(r"<dt>as of</dt><dd><time [^>]*>([^<]+)<", "".join(as_html(report()))) == [
        "1 June 2026, 12:00 UTC"
    ]


def test_the_page_of_a_user_has_all_that_is_known() -> None:
    audited = (AuditedMachine("ada@mbp", "ada", "now", (LEAK,)),)
    found = report(states=STATES[:1], audited=audited, endpoints=machines(ada=(Standing.BEHIND,)), complete=False)
    html = "".join(user_html(found))
    for text in ("/home/ada/notes.txt:3:1", "fp_ada, 10 days old", "behind", "provision rotate leaked ada", "never"):
        assert text in html
    assert "fp_bob" not in html


def test_metrics_are_numbers_about_what_was_looked_at() -> None:
    text = "".join(as_prometheus(report(endpoints=machines(ada=(Standing.BEHIND,)))))
    assert 'provision_attention{cause="behind"} 1\n' in text
    assert 'provision_endpoints{standing="behind"} 1\n' in text
    assert "provision_users_in_order 0\n" in text
    assert "provision_users_quiet 2\n" in text
    assert "provision_verdicts" not in text
    assert metrics_text([Metric("a", "b", [({"c": 'd"\\\n'}, 1)])]).splitlines()[2] == 'a{c="d\\"\\\\\\n"} 1'


def test_machines_with_an_unverified_hermes_are_counted_apart() -> None:
    found = report(endpoints=machines(ada=(), bob=(Standing.BEHIND,)))
    assert "1 of 2 current, 1 of them with an unverified Hermes: ok as far as known" in "".join(as_html(found))
    assert json.loads("".join(as_json(found)))["summary"]["unverified"] == 1
    assert "not looked at: no receipts" in "".join(as_html(report()))
