"""The output of `doctor`: masked, with commands that work when pasted, and a summary that counts what was not looked at."""

from __future__ import annotations

import json

import pytest

from provision.doctor.health import examine, failed, fine, skipped, warning
from provision.doctor.output import as_json, as_table
from provision.errors import ProvisionError

FOUND = [
    failed("keys.private", "/home/ada/key is readable", "close it: chmod 600 '/home/ada/my key'", "/home/ada/key"),
    warning("recovery.tested", "never\x1b[2J tested", "run `provision recovery test` once"),
    skipped("gateway.reachable", "not asked"),
    fine("git.committed", "all is committed"),
]


def test_the_home_folder_is_masked_and_commands_still_work() -> None:
    text = as_table(FOUND, "/home/ada")
    assert "/home/ada" not in text
    assert "chmod 600 ~/'my key'" in text
    assert "\x1b" not in text
    assert text.splitlines()[-1] == "1 failed, 1 warning, 1 ok, 1 skipped"
    document = json.loads(as_json(FOUND, "/home/ada"))
    assert document["tier"] == "failed"
    assert document["findings"][0]["remediation"]["commands"] == ["chmod 600 ~/'my key'"]
    assert document["findings"][0]["affects"] == ["~/key"]
    assert document["findings"][1]["remediation"]["commands"] == ["provision recovery test"]
    assert document["findings"][1]["links"] == ["docs/trust.md"]
    assert json.loads(as_json(FOUND[2:], "/home/ada"))["tier"] == "ok"


def test_a_check_that_cannot_run_is_a_finding_and_the_others_run() -> None:
    def broken() -> list[object]:
        raise ProvisionError("no vault", hint="provision init")

    def unreadable() -> list[object]:
        raise PermissionError(13, "Permission denied", "/x")

    found = list(examine([("a", broken), ("b", unreadable), ("c", lambda: [fine("c", "ok")])]))  # type: ignore[list-item]
    assert [(f.id, f.tier.value) for f in found] == [("a", "failed"), ("b", "failed"), ("c", "ok")]
    assert found[0].fix == "provision init"
    assert "/x: Permission denied" in found[1].text


@pytest.mark.parametrize("home", ["", "/"])
def test_without_a_home_folder_nothing_is_masked(home: str) -> None:
    assert "/home/ada/key" in as_table(FOUND, home)
