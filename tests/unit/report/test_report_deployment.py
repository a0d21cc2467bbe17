"""The result of `deploy`."""

from __future__ import annotations

import json

from provision.push.engine import PushResult
from provision.push.outcomes import Failed, Installed, PushOutcome, Unchanged, Unreachable
from provision.report.deployment import as_json, as_table

OUTCOMES: list[PushOutcome] = [
    Unreachable("eve", "eve-pc", "no-answer", "no answer", "check the network"),
    Installed("ada", "ada-mbp", 7, "fp_aaaa", "https://api.aisa.one/v1", restart=("hermes chat (pid 3)",), receipt="r"),
    Failed("dan", "dan-pc", "disk-full", "the disk is \x1b[2Jfull", "free some space"),
    Unchanged("bob", "bob-pc", 6, "fp_bbbb", "https://api.aisa.one/v1"),
]


def result(**more: object) -> PushResult:
    return PushResult({o.user: o for o in OUTCOMES}, waves=2, **more)  # type: ignore[arg-type]


def test_the_table_lists_users_in_order_with_cause_and_fix() -> None:
    lines = as_table(result(not_asked=("zoe",))).splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["ada", "bob", "dan", "eve"]
    assert "restart hermes chat (pid 3)" in lines[1]
    assert "disk-full" in lines[3]
    assert "the disk is \\x1b[2Jfull; free some space" in lines[3]
    assert lines[-1] == "1 failed, 1 installed, 1 unchanged, 1 unreachable, 1 not contacted after too many failures"


def test_a_check_says_what_would_be_done() -> None:
    table = as_table(result(), check=True)
    assert "would install" in table.splitlines()[1]
    assert table.splitlines()[-1] == "1 failed, 1 unchanged, 1 unreachable, 1 would install"
    document = json.loads(as_json(result(), [], check=True))
    assert (document["users"][0]["outcome"], document["summary"]["would install"]) == ("would install", 1)
    assert "installed" not in document["summary"]


def test_nothing_to_deploy() -> None:
    assert as_table(None) == "nothing to do\n"
    empty = json.loads(as_json(None, [("zoe", "is on Windows")]))
    assert (empty["waves"], empty["users"]) == (0, [])
    assert empty["not_pushed"] == [{"user": "zoe", "why": "is on Windows"}]


def test_json_counts_and_orders() -> None:
    document = json.loads(as_json(result(not_asked=("zoe",)), []))
    assert document["schema"] == "provision/deploy/v1"
    assert document["summary"] == {"failed": 1, "installed": 1, "unchanged": 1, "unreachable": 1}
    assert [user["user"] for user in document["users"]] == ["ada", "bob", "dan", "eve"]
    assert document["not_asked"] == ["zoe"]
    assert document["users"][0]["receipt"] is True  # that there is one; its text is stored, not printed


def test_unverified_machines_are_counted_apart() -> None:
    url = "https://api.aisa.one/v1"
    outcomes: list[PushOutcome] = [
        Unchanged("ada", "a", 6, "fp", url, unverified=True),
        Unchanged("bob", "b", 6, "fp", url),
    ]
    found = PushResult({o.user: o for o in outcomes}, waves=1)
    assert as_table(found).splitlines()[-1] == "2 unchanged, 1 of them with an unverified Hermes: ok as far as known"
    document = json.loads(as_json(found, []))
    assert (document["unverified"], [u["unverified"] for u in document["users"]]) == (1, [True, False])
