"""`audit --hosts` before and after the machines: who is audited, and what counts as not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.audit.result import Audit
from provision.cli.leaks.audit.fleet import audit_of
from provision.cli.main import run
from provision.push.auditing import Reported
from provision.push.outcomes import Unreachable
from provision.report.audit import as_json


def test_a_report_is_taken_over_with_the_users_name() -> None:
    report = as_json(Audit("ada-mbp", "2026-06-01T12:00:00+00:00", ("/home",), ()))
    found = audit_of("ada", Reported("ada", "ada-mbp", report))
    assert (found.user, found.host, found.unread) == ("ada", "ada-mbp", ())


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"schema": "provision/audit/v9"}), "Traceback (most recent …"])
def test_a_report_that_cannot_be_read_is_not_a_clean_machine(text: str) -> None:
    found = audit_of("ada", Reported("ada", "ada-mbp", text))
    assert (found.user, [item.path for item in found.unread]) == ("ada", ["ada-mbp"])


def test_a_machine_that_did_not_answer_is_unread() -> None:
    found = audit_of("eve", Unreachable("eve", "eve-pc", "no-answer", "no answer", "check the network"))
    assert [(item.path, item.reason) for item in found.unread] == [("eve-pc", "no answer [no-answer]")]


def test_a_fleet_without_hosts(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = fleet / "inventory.yaml"
    inventory.write_text("".join(x for x in inventory.read_text().splitlines(True) if "host:" not in x))
    assert run(["audit", "--hosts"]) == 3
    err = capsys.readouterr().err
    assert "ada: not audited: " in err
    assert "no machine can be audited" in err
