"""`audit --hosts` with a stand-in for ansible-playbook: what is sent, and what a machine's answer becomes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from provision.push.ansible import NoAnsibleError, Ssh
from provision.push.auditing import AuditOutcome, FleetAuditOptions, Reported, audit_hosts
from provision.push.events import Started
from provision.push.inventory import Target
from provision.push.outcomes import Failed, Unreachable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs a script")

PLAYBOOK = """#!{python}
import json, pathlib, shutil, sys
options = dict(zip(sys.argv, sys.argv[1:]))
variables = json.load(open(options["--extra-vars"][1:]))
known = pathlib.Path(variables["hermes_audit_known"])
out = pathlib.Path({out!r})
(out / "seen.json").write_text(json.dumps({{
    "playbook": sys.argv[1], "variables": variables, "known": known.read_text(),
    "rules": pathlib.Path(variables["hermes_audit_rules"]).read_text(),
}}))
for line in json.load(open(out / "lines.json")):
    print(line if isinstance(line, str) else json.dumps(line), flush=True)
print("a warning", file=sys.stderr)
"""


def target(user: str) -> Target:
    return Target(user, f"{user}.example", None, None, "team", "linux", ())


def result(host: str, **fields: object) -> dict[str, object]:
    return {"event": "result", "host": host, "ours": True, "outcome": "ok", **fields}


def audited(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[object], ssh: Ssh | None = None, **more: object
) -> tuple[dict[str, AuditOutcome], list[str]]:
    program = folder / "ansible-playbook"
    program.write_text(PLAYBOOK.format(python=sys.executable, out=str(folder)))
    program.chmod(0o755)
    (folder / "lines.json").write_text(json.dumps(lines))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    options = FleetAuditOptions(folder, b'{"fingerprints": 1}', **more)  # type: ignore[arg-type]
    seen: list[str] = []
    outcomes = audit_hosts(
        options,
        [target("ada"), target("bob")],
        ssh or Ssh(),
        {"PATH": str(folder)},
        lambda event: seen.append(type(event).__name__),
    )
    return outcomes, seen


def test_each_machine_has_one_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "PLAY [x]",
        {"event": "start", "host": "ada"},
        result("ada", audit='{"findings": []}'),
        result("bob", outcome="failed", cause="clock", message="slow", cure="set it"),
        result("eve", audit="{}"),
    ]
    outcomes, seen = audited(tmp_path, monkeypatch, lines)
    assert outcomes == {
        "ada": Reported("ada", "ada.example", '{"findings": []}'),
        "bob": Failed(
            "bob",
            "bob.example",
            "clock",
            "the machine says: slow (it advises: set it)",
            "set the machine's clock, then run `provision deploy --resume`",
        ),
    }
    assert seen == [Started.__name__, Reported.__name__, Failed.__name__]


@pytest.mark.parametrize(
    "line",
    [
        result("ada", audit={"not": "text"}),
        result("ada", audit="{}", ours=False),
        result("ada", audit="{}", outcome="changed"),
        {"audit": "{}"},
        '["ada"]',
        "{broken",
    ],
    ids=str,
)
def test_an_answer_of_another_form_is_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: object) -> None:
    outcomes, seen = audited(tmp_path, monkeypatch, [line])
    assert seen == []
    assert outcomes["ada"] == Unreachable("ada", "ada.example", "no-answer", "a warning", "run the same command again")


def test_a_machine_without_an_answer_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, _ = audited(tmp_path, monkeypatch, [result("ada", audit="{}")])
    bob = outcomes["bob"]
    assert isinstance(bob, Unreachable)
    assert bob.message == "ansible-playbook ended before this machine answered"


def test_fingerprints_rules_and_options_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audited(tmp_path, monkeypatch, [], Ssh(account="it", become=False), rules=b"[[rules]]", entropy=True, command="/p")
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["playbook"] == "hermes.provision.leaks"
    assert (seen["known"], seen["rules"]) == ('{"fingerprints": 1}', "[[rules]]")
    sent = {name: seen["variables"][name] for name in ("hermes_audit_entropy", "hermes_command", "hermes_account")}
    assert sent == {"hermes_audit_entropy": True, "hermes_command": "/p", "hermes_account": "it"}
    assert seen["variables"]["hermes_become"] is False


def test_without_ansible_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NoAnsibleError):
        audit_hosts(FleetAuditOptions(tmp_path, b""), [target("ada")], Ssh(), {"PATH": str(tmp_path)}, lambda _: None)
