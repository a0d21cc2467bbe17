"""A roll-out to ten machines with the real Ansible: enrol, install, real Hermes, rotation in waves, rollback; twice is once.

Throughout, everything on the wire and the command line of every process are recorded, and in the end neither these nor any
machine's disk holds a key anywhere but in its owner's .env.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from bedcraft import ACCOUNT, files_with, watched_processes
from fleetcraft import Fleet, hermes_program, program

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]

MACHINES = 10


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[[int], Fleet]) -> Iterator[Fleet]:
    fleet = make_fleet(MACHINES)
    if shutil.which("tcpdump") is None:
        pytest.fail("the bed records the wire with tcpdump: install it")
    wire = fleet.folder / "wire.pcap"
    tcpdump = subprocess.Popen(
        ["tcpdump", "-i", fleet.bed.bridge, "-s", "0", "-U", "-w", wire],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert tcpdump.stderr is not None
    assert b"listening" in tcpdump.stderr.readline()
    with watched_processes() as lines:
        yield fleet
    said = b"\n".join(lines)
    assert b"install\0" in said  # it did see machines install
    for secret in _ever(fleet):
        assert secret.encode() not in said
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.communicate(timeout=20)
    recorded = wire.read_bytes()
    assert len(recorded) > 100_000  # it did record the installs
    for secret in _ever(fleet):
        assert secret.encode() not in recorded


EVER: set[str] = set()


def _ever(fleet: Fleet) -> set[str]:
    """Every key that was ever used."""
    return EVER | set(fleet.keys.values())


def test_enrol_brings_the_public_halves_back(fleet: Fleet) -> None:
    archive = fleet.install_collection()
    assert archive.stat().st_size < 100_000
    fleet.enrol()
    before = json.dumps(fleet.entries)
    fleet.enrol("--limit", "u001,u002")  # a machine that has keys keeps them
    assert json.dumps(fleet.entries) == before
    assert len({e["recipients"][0] for e in fleet.entries.values()}) == MACHINES
    for host in fleet.bed.hosts:
        identity = host.home / ".config" / "provision" / "identity.txt"
        assert identity.stat().st_mode & 0o777 == 0o600


def test_deploy_installs_on_all_and_a_second_run_changes_nothing(fleet: Fleet) -> None:
    fleet.import_keys()
    fleet.render()
    promised = fleet.deploy("--check")
    assert promised["summary"] == {"would install": MACHINES}
    assert all(fleet.env_file(user) == "" for user in fleet.users)
    done = fleet.deploy()
    assert done["summary"] == {"installed": MACHINES}
    assert all(entry["receipt"] for entry in done["users"])
    _assert_everybody_has_their_key(fleet)
    again = fleet.deploy()
    assert again["summary"] == {"unchanged": MACHINES}
    standing = json.loads(fleet.provision("status", "--fleet", "--format", "json").stdout)
    assert {e["user"]: e["current"] for e in standing["users"]} == dict.fromkeys(fleet.users, True)


def test_the_playbooks_of_the_collection_do_the_same(fleet: Fleet) -> None:
    said = fleet.playbook("install", "-e", f"hermes_dist={fleet.root}/dist", "--diff", "-vvv").stdout
    assert "changed=0" in said
    assert "changed=1" not in said
    fleet.playbook("audit")
    for secret in _ever(fleet):
        assert secret not in said
    graph = fleet.run(program("ansible-inventory"), "-i", str(fleet.root / "hermes.yml"), "--list").stdout
    listed = json.loads(graph)
    assert listed["tag_pilot"]["hosts"] == ["u001"]
    assert len(listed["profile_bed"]["hosts"]) == MACHINES


@pytest.mark.parametrize("user", ["u001", "u002", "u003"])
def test_the_real_hermes_asks_with_the_right_key(fleet: Fleet, user: str) -> None:
    if not hermes_program().exists():
        pytest.fail(f"no hermes at {hermes_program()}: install the extra `acceptance`, or set BED_HERMES")
    _ask(fleet, user)


def _ask(fleet: Fleet, user: str) -> None:
    with fleet.gateway_on(user, {fleet.keys[user]: "valid"}) as record:
        asked = fleet.ask_hermes(user)
    assert asked.returncode == 0, asked.stderr
    seen = [json.loads(line) for line in record.read_text().splitlines()]
    calls = [r for r in seen if r["method"] == "POST" and r["path"] == "/v1/chat/completions"]
    assert calls
    assert calls[-1]["status"] == 200
    assert {r["key"] for r in seen} <= {fleet.keys[user], None}
    assert calls[-1]["model"] == fleet.status(user)["route"]["model"]


def test_rotation_in_waves(fleet: Fleet) -> None:
    EVER.update(fleet.keys.values())
    old = dict(fleet.keys)
    fleet.new_keys()
    fleet.render()
    done = fleet.deploy("--waves", "1,30%,100%")
    assert done["waves"] == 3
    assert done["summary"] == {"installed": MACHINES}
    _assert_everybody_has_their_key(fleet)
    for user, key in old.items():
        assert key not in fleet.env_file(user)
    _ask(fleet, "u001")


def test_a_bad_first_wave_is_the_last(fleet: Fleet) -> None:
    host = fleet.users["u001"]
    host.kill_sshd()
    try:
        stopped = fleet.deploy("--waves", "1,100%", "--max-failures", "0", code=4)
    finally:
        host.start_sshd()
        fleet.bed.wait_for(host)
    assert stopped["summary"] == {"unreachable": 1}
    assert stopped["by"]["u001"]["cause"] == "no-sshd"
    assert stopped["not_asked"] == sorted(set(fleet.users) - {"u001"})
    assert fleet.deploy("--resume")["summary"] == {"unchanged": MACHINES}


def test_too_many_failures_end_a_wave_midway(fleet: Fleet) -> None:
    host = fleet.users["u001"]
    host.kill_sshd()
    try:
        stopped = fleet.deploy("--forks", "2", "--max-failures", "0", code=4)
    finally:
        host.start_sshd()
        fleet.bed.wait_for(host)
    by, not_asked = stopped["by"], stopped["not_asked"]
    assert by["u001"]["cause"] == "no-sshd"
    assert by["u002"]["outcome"] == "unchanged"  # it was at work already, and ended its work
    assert len(not_asked) >= MACHINES - 4, stopped["summary"]
    assert sorted({*by, *not_asked}) == list(fleet.users)
    assert fleet.deploy("--resume")["summary"] == {"unchanged": MACHINES - len(by) + 1}


def test_rollback_renders_the_older_settings_anew(fleet: Fleet) -> None:
    before = {user: fleet.status(user)["route"]["model"] for user in list(fleet.users)[:2]}
    older = fleet.folder / "older"
    shutil.copytree(fleet.root / "dist", older)
    fleet.profile(model="claude-sonnet-4.6")
    time.sleep(1.1)  # generations are seconds
    fleet.render()
    assert fleet.deploy()["summary"] == {"installed": MACHINES}
    assert fleet.status("u001")["route"]["model"] != before["u001"]
    refused = fleet.playbook("install", "-e", f"hermes_dist={older}", "--limit", "u001", code=2).stdout
    assert "bundle-older" in refused  # a replay of what was valid once is refused
    fleet.profile(model="gpt-5.2")
    fleet.render()
    said = fleet.playbook("rollback", "-e", f"hermes_dist={fleet.root}/dist").stdout
    assert said.count("changed=1") == MACHINES
    assert {user: fleet.status(user)["route"]["model"] for user in before} == before


def test_keys_are_nowhere_but_in_their_owners_env(fleet: Fleet) -> None:
    for user, host in fleet.users.items():
        for number, (owner, key) in enumerate(fleet.keys.items()):
            found = [p.relative_to(host.written).as_posix() for p in files_with(key.encode(), host.written)]
            expected = [f"home/{ACCOUNT}/.hermes/.env"] if owner == user else []
            assert found == expected, (user, number)
    for key in EVER - set(fleet.keys.values()):
        for host in fleet.bed.hosts:
            assert not list(files_with(key.encode(), host.written))
    for key in _ever(fleet):
        left = [p for p in files_with(key.encode(), fleet.folder) if "disks" not in p.parts]
        assert not left
    for host in fleet.bed.hosts:
        log = host.run("cat", "/run/sshd.log", check=False).stdout
        assert not any(key.encode() in log for key in _ever(fleet))


def _assert_everybody_has_their_key(fleet: Fleet) -> None:
    for user, key in fleet.keys.items():
        lines = fleet.env_file(user).splitlines()
        assert f"AISA_API_KEY={key}" in lines, user
        mode = (fleet.users[user].home / ".hermes" / ".env").stat().st_mode & 0o777
        assert mode == 0o600
    for user in list(fleet.users)[:3]:
        found = fleet.status(user)
        assert found["ok"], (user, found)
