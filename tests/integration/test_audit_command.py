"""`provision audit` from the command line: its output, what the baseline ignores, its exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import seeded
from auditcraft import Machine, aisa_key, leaks

from provision.aisa.simulator import Simulator
from provision.cli.main import run


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, monkeypatch, capfd)


def test_a_sound_home_is_quiet(machine: Machine) -> None:
    machine.hermes()
    report = machine.audit(code=0)
    assert report["findings"] == []
    assert report["summary"]["in_place"] == 1
    (route,) = report["routes"]
    assert (route["url"], route["as_expected"]) == ("https://api.aisa.one/v1/chat/completions", "not installed")


def test_a_copy_says_where_it_is_whose_and_what_to_do(machine: Machine) -> None:
    machine.hermes()
    machine.write(".hermes/logs/agent.log", f"x\nfailed with {machine.key}\n")
    machine.write(".bash_history", f"export AISA_API_KEY={machine.key}\n")
    report = machine.audit(code=10)
    by_name = {Path(f["path"]).name: f for f in leaks(report)}
    log = by_name["agent.log"]
    assert (log["line"], log["column"]) == (2, 13)
    assert log["message"] == "the key that is in use here, in a log"
    assert log["excerpt"] == f"{machine.key[:4]}…{machine.key[-4:]}"
    assert "audit --fix" in log["cure"]
    assert log["fingerprint"] == by_name[".bash_history"]["fingerprint"]
    assert log["id"] != by_name[".bash_history"]["id"]


@pytest.mark.parametrize("own", [True, False])
def test_a_desktop_that_works_elsewhere_is_found(machine: Machine, own: bool, tmp_path: Path) -> None:
    """In this user's home and in that of another user; once, although a Hermes profile of the home has the same app."""
    machine.hermes()
    shutil.copytree(machine.home, machine.home / "profiles" / "work")
    other = {"mode": "ssh", "host": "localhost"}
    remote = {"url": "https://box.example", "token": {"encoding": "plain", "value": "s3cret"}}
    store = {"mode": "remote", "remote": remote, "profiles": {"work": other}}
    path = machine.write(".config/Hermes/connection.json", json.dumps(store))
    if not own:
        path = shutil.move(machine.user, tmp_path / "bob") / path.relative_to(machine.user)
    report = machine.audit(*(() if own else [tmp_path / "bob" / ".hermes"]), code=10)
    found = [(f["rule"], f["severity"], f["path"], f["where"]) for f in report["findings"]]
    assert sorted(found) == [
        ("route-desktop-elsewhere", "medium", str(path), None),
        ("route-desktop-token", "high", str(path), "remote.token"),
        ("route-desktop-unknown", "medium", str(path), None),
    ]
    assert "s3cret" not in json.dumps(report)


def test_ids_survive_lines_that_are_added_above(machine: Machine) -> None:
    path = machine.write("notes.txt", f"a {machine.key}\n")
    (before,) = leaks(machine.audit(path, code=10))
    path.write_text(f"new line\nanother\na {machine.key}\n")
    (after,) = leaks(machine.audit(path, code=10))
    assert before["id"] == after["id"]
    assert before["line"] != after["line"]


def test_a_key_that_everyone_can_read_is_rotated_first(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own folders are closed to others
        folder = Path(name)
        machine = Machine(folder, monkeypatch, capfd)
        machine.hermes()
        workspace = Workspace(machine, folder / "ws")
        workspace.keys({"ada": machine.key})
        assert machine.audit("--known", workspace.known(), code=0)["findings"] == []
        for path in (folder, machine.user, machine.home):
            path.chmod(0o755)
        (machine.home / ".env").chmod(0o644)
        (leak,) = leaks(machine.audit("--known", workspace.known(), code=10))
    assert leak["message"] == "ada's current key, in .env, readable by everyone"
    assert leak["severity"] == "critical"
    assert leak["cure"].startswith("run `provision rotate leaked fp_")


def test_standard_input(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, f"token {machine.key}\n".encode())
    os.close(write)
    with os.fdopen(read) as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        (leak,) = leaks(machine.audit("-", code=10))
    assert leak["path"] == "<stdin>"


def test_what_cannot_be_read_is_said_and_ends_with_4(machine: Machine) -> None:
    machine.provision("audit", machine.user / "nowhere", code=4)
    assert "NOT READ" in machine.out
    machine.write("notes.txt", f"a {machine.key}\n")
    machine.provision("audit", machine.user / "nowhere", machine.user / "notes.txt", code=10)
    machine.provision("audit", machine.user / "nowhere", machine.user / "notes.txt", "--exit-zero", code=4)
    machine.provision("audit", machine.user / "notes.txt", "--exit-zero", code=0)


def test_baseline_with_reason_date_and_end(machine: Machine) -> None:
    path, baseline = machine.write("notes.txt", f"a {machine.key}\n"), machine.user / "baseline.json"
    args = ("audit", path, "--baseline", baseline)
    machine.provision(*args, code=2)  # there is none yet
    machine.provision(*args, "--update-baseline", code=2)  # and none without a reason
    machine.provision(*args, "--update-baseline", "--reason", "rotated in May", code=0)
    assert "1 added, 0 removed" in machine.err
    (entry,) = json.loads(baseline.read_text())["findings"]
    assert (entry["reason"], entry["until"]) == ("rotated in May", None)
    report = machine.audit(path, "--baseline", baseline, code=0)
    assert [e["reason"] for e in report["excused"]] == ["rotated in May"]

    other = aisa_key()
    path.write_text(f"a {machine.key}\nb {other}\n")
    assert len(leaks(machine.audit(path, "--baseline", baseline, code=10))) == 1

    machine.provision(*args, "--update-baseline", "--reason", "soon", "--until", "2001-01-01", code=0)
    reasons = {e["reason"] for e in json.loads(baseline.read_text())["findings"]}
    assert reasons == {"rotated in May", "soon"}, "what was excused before keeps its reason"
    assert len(leaks(machine.audit(path, "--baseline", baseline, code=10))) == 1, "that day is over"

    path.write_text("clean\n")
    machine.provision(*args, "--update-baseline", code=0)
    assert json.loads(baseline.read_text())["findings"] == []


def test_a_damaged_baseline_is_refused(machine: Machine) -> None:
    baseline = machine.write("baseline.json", '{"schema": "provision/baseline/v1", "findings": [{"id": 1}]}')
    machine.provision("audit", machine.user, "--baseline", baseline, code=1)
    assert "baseline" in machine.err


def test_an_allow_comment_excuses_a_guess_but_no_key_of_the_fleet(machine: Machine, tmp_path: Path) -> None:
    workspace = Workspace(machine, tmp_path / "ws")
    workspace.keys({"ada": machine.key})
    path = machine.write(
        "settings.py",
        f"one = '{aisa_key()}'  # provision:allow it is a test's\nkey = '{machine.key}'  # provision:allow\n",
    )
    known = workspace.known()
    report = machine.audit(path, "--known", known, code=10)
    (leak,) = leaks(report)
    assert (leak["owner"], leak["stage"], leak["line"]) == ("ada", "current", 2)
    assert report["summary"]["allowed"] == 1


def test_owners_come_from_the_vault_and_from_its_fingerprints(machine: Machine, tmp_path: Path) -> None:
    workspace = Workspace(machine, tmp_path / "ws")
    old, new, bob = aisa_key(), aisa_key(), aisa_key()
    workspace.keys({"ada": old, "bob": bob})
    workspace.keys({"ada": new})
    path = machine.write("notes.txt", f"{old}\n{new}\n{bob}\n{aisa_key()}\n")
    known = workspace.known()
    assert not any(key in known.read_text() for key in (old, new, bob))
    for arguments in (("--workspace", str(workspace.root), "audit", path), ("audit", path, "--known", known)):
        machine.provision(*arguments, "--format", "json", code=10)
        whose = [(f["owner"], f["stage"]) for f in sorted(json.loads(machine.out)["findings"], key=lambda f: f["line"])]
        assert whose == [("ada", "previous"), ("ada", "current"), ("bob", "current"), (None, None)]


def test_verify_asks_only_the_configured_host_only_aisa_keys_and_only_for_free(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, dead = aisa_key(), aisa_key()
    with Simulator([live]) as gateway, Simulator([live]) as elsewhere:
        monkeypatch.setenv("PROVISION_GATEWAY", gateway.base_url)
        monkeypatch.setenv("PROVISION_GATEWAY_HOSTS", "127.0.0.1")
        machine.write(
            "notes.txt", f"url {elsewhere.base_url}\n{live}\n{live}\n{dead}\nsk-or-v1-{seeded.token_hex(32)}\n"
        )
        report = machine.audit(machine.user / "notes.txt", "--verify", code=10)
        asked, others = list(gateway.requests), list(elsewhere.requests)
    assert {f["line"] for f in leaks(report) if f["fingerprint"]} == {2, 4, 5}
    verdicts = {f["line"]: f["verdict"] for f in leaks(report) if f["verdict"]}
    assert verdicts == {2: "live", 4: "dead"}
    assert sorted(q.key for q in asked) == sorted([live, dead]), "each key once, and nothing that is not AIsa's"
    assert {(q.method, q.path) for q in asked} == {("GET", "/v1/credits/balance")}
    assert others == []
    by_line = {f["line"]: f for f in leaks(report)}
    assert by_line[4]["severity"] == "low"
    assert ", live," in by_line[2]["message"]


@pytest.mark.programs("strace")
def test_without_verify_nothing_is_asked_of_anybody(machine: Machine) -> None:
    """Every system call of the whole process tree: no socket that leads anywhere."""
    machine.hermes()
    machine.write(".hermes/logs/agent.log", f"{machine.key} https://api.aisa.one/v1\n")
    trace = machine.folder / "trace"
    strace = shutil.which("strace")
    assert strace, "this test needs strace"
    program = [sys.executable, "-m", "provision", "audit", "--environ", "--workers", "2"]
    subprocess.run(
        [strace, "--seccomp-bpf", "-f", "-e", "trace=network", "-o", trace, *program],
        capture_output=True,
        check=False,
        timeout=120,
    )
    calls = [
        line
        for line in trace.read_text().splitlines()
        if "AF_INET" in line or ("connect(" in line and "nscd" not in line)
    ]
    assert calls == []
    assert "exited with 10" in trace.read_text()


def test_rules_of_gitleaks(machine: Machine) -> None:
    rules = machine.write(
        "rules.toml",
        "[[rules]]\nid = 'house-token'\ndescription = 'House token'\nregex = 'house_[a-z]{20}'\nkeywords = ['house_']\n",
    )
    path = machine.write("notes.txt", "house_qwhzjxkvmwpltrgnbdfc\n")
    (leak,) = leaks(machine.audit(path, "--rules", rules, code=10))
    assert leak["rule"].endswith("house-token")


def test_contradictions_are_usage_errors(machine: Machine) -> None:
    machine.provision("audit", "--fix", "--merge", code=2)
    machine.provision("audit", machine.user, "--update-baseline", code=2)
    machine.provision("audit", "--hosts", machine.user, code=2)
    machine.provision("audit", "--limit", "ada", code=2)
    assert run(["audit", "--min-severity", "worst"]) == 2


class Workspace:
    """An operator's workspace beside the machine."""

    def __init__(self, machine: Machine, root: Path) -> None:
        self.machine = machine
        self.root = root
        machine.provision("init", root, code=0)

    def keys(self, keys: dict[str, str]) -> None:
        """Import keys, by user."""
        file = self.root.parent / "keys.csv"
        file.write_text("user,key\n" + "".join(f"{user},{key}\n" for user, key in keys.items()))
        self.machine.provision("--workspace", self.root, "keys", "import", "--allow-unknown", file, code=0)
        file.unlink()

    def known(self) -> Path:
        """The file of fingerprints."""
        path = self.root.parent / "known.json"
        self.machine.provision("--workspace", self.root, "audit", "--write-known", path, code=0)
        return path
