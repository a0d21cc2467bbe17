"""One deployment to machines of which each is broken in its own way: the well get it, the others say why, none is half done.

The machines have one generation of settings; the next one is deployed into the faults. Afterwards every machine has all of the
old or all of the new, each failure has its own cause and a cure, and after the cures `--resume` asks only who is left.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from bedcraft import ACCOUNT, ACCOUNT_ID, Host, files_with
from fleetcraft import PROVISION, Fleet, hermes_program

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]

WELL, WELL_SUDO, KILLED, CUT, FULL, READ_ONLY, IMPOSTOR, BEHIND, MISSING, OLD, RUNNING, AHEAD = (
    f"u{number:03}" for number in range(1, 13)
)
CAUSES = {
    FULL: {"disk-full"},
    READ_ONLY: {"read-only"},
    IMPOSTOR: {"host-key"},
    BEHIND: {"clock"},
    MISSING: {"provision-missing"},
    OLD: {"provision-too-old"},
    AHEAD: {"bundle-expired"},
    KILLED: {"link-lost"},
    CUT: {"link-lost", "no-link"},
}


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[[int], Fleet]) -> Fleet:
    fleet = make_fleet(12)
    fleet.enrol_quickly()
    fleet.import_keys()
    fleet.render()
    assert fleet.deploy()["summary"] == {"installed": 12}
    return fleet


def host_vars(fleet: Fleet, user: str, **variables: object) -> None:
    folder = fleet.root / "host_vars"
    folder.mkdir(exist_ok=True)
    (folder / f"{user}.yml").write_text(yaml.safe_dump(variables))


def script(host: Host, name: str, text: str) -> str:
    """A program on the machine, in the place of provision."""
    path = f"/usr/local/bin/{name}"
    host.run("sh", "-c", f"cat > {path} && chmod 755 {path}", data=f"#!/bin/sh\n{text}\n".encode())
    return path


def slow(fleet: Fleet, user: str) -> Callable[[], None]:
    """Make the machine's provision slow; returns a wait for the moment when it has begun."""
    host = fleet.users[user]
    path = script(host, "provision-slow", f'touch "$HOME/.begun"; sleep 4; exec {PROVISION} "$@"')
    host_vars(fleet, user, hermes_command=path)

    def begun() -> None:
        ends = time.monotonic() + 100
        while not (host.home / ".begun").exists():
            assert time.monotonic() < ends
            time.sleep(0.05)

    return begun


def break_all(fleet: Fleet) -> list[threading.Thread]:
    """Give every machine its fault; those that strike midway come as threads."""
    users = fleet.users
    home = f"/home/{ACCOUNT}/.hermes"
    fill = (
        f"cp -a {home} /run/saved && mount -t tmpfs -o size=256k,mode=700,uid={ACCOUNT_ID},gid={ACCOUNT_ID} tmpfs {home}"
        f" && cp -a /run/saved/. {home}/ && (dd if=/dev/zero of={home}/filler bs=4k 2>/dev/null || true)"
    )
    users[FULL].run("sh", "-c", fill)
    users[READ_ONLY].run("sh", "-c", f"mount --bind {home} {home} && mount -o remount,bind,ro {home}")
    lines = fleet.bed.known_hosts.read_text().splitlines(keepends=True)
    other = lines[0].split()[2]
    wrong = [
        f"{line.split()[0]} ssh-ed25519 {other}\n" if line.startswith(f"{users[IMPOSTOR].address} ") else line
        for line in lines
    ]
    fleet.bed.known_hosts.write_text("".join(wrong))
    faketime = shutil.which("faketime")
    assert faketime, "install faketime"
    for user, offset in ((BEHIND, "-26h"), (AHEAD, "+100d")):
        path = script(users[user], "provision-elsewhen", f'exec {faketime} -f {offset} {PROVISION} "$@"')
        host_vars(fleet, user, hermes_command=path)
    host_vars(fleet, MISSING, hermes_command="")
    old = "import provision; provision.__version__ = '0.0.9'; from provision.__main__ import main; main()"
    host_vars(fleet, OLD, hermes_command=script(users[OLD], "provision-old", f'exec {sys.executable} -c "{old}" "$@"'))
    killed, cut = slow(fleet, KILLED), slow(fleet, CUT)
    return [
        threading.Thread(target=lambda: (killed(), users[KILLED].kill_sshd())),
        threading.Thread(target=lambda: (cut(), users[CUT].cut())),
    ]


def cure_all(fleet: Fleet, known_hosts: str) -> None:
    """What an operator would do after reading the causes."""
    users = fleet.users
    home = f"/home/{ACCOUNT}/.hermes"
    users[FULL].run("rm", f"{home}/filler")
    users[READ_ONLY].run("mount", "-o", "remount,bind,rw", home)
    fleet.bed.known_hosts.write_text(known_hosts)
    shutil.rmtree(fleet.root / "host_vars")
    users[KILLED].start_sshd()
    users[CUT].replug()
    for user in (KILLED, CUT):
        fleet.bed.wait_for(users[user])


def settled(fleet: Fleet) -> None:
    """Until nothing of an interrupted install runs any more."""
    ends = time.monotonic() + 60
    for user in (KILLED, CUT):
        while b"provision" in fleet.users[user].run("ps", "-eo", "args=").stdout:
            assert time.monotonic() < ends
            time.sleep(0.2)


def seen(fleet: Fleet, user: str) -> tuple[str, str]:
    """The key and the model that the machine's files hold."""
    config = yaml.safe_load((fleet.users[user].home / ".hermes" / "config.yaml").read_text())
    (key,) = [line.partition("=")[2] for line in fleet.env_file(user).splitlines() if line.startswith("AISA_API_KEY=")]
    return key, config["model"]["default"]


def test_every_fault_has_its_cause_and_resume_completes(fleet: Fleet) -> None:
    users = fleet.users
    old = {user: (fleet.keys[user], "gpt-5.2") for user in users}
    known_hosts = fleet.bed.known_hosts.read_text()
    ours = users[RUNNING].line(
        *("env", "-C", f"/home/{ACCOUNT}", "script", "-qec", f"{hermes_program()}", "/dev/null"),
        account=ACCOUNT,
        environ={"TERM": "xterm", "HERMES_DISABLE_LAZY_INSTALLS": "1"},
    )
    with subprocess.Popen(
        ours, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as logged_in:
        try:
            fleet.profile(model="claude-sonnet-4.6")
            fleet.new_keys()
            fleet.render()
            strikes = break_all(fleet)
            for strike in strikes:
                strike.start()
            done = fleet.deploy("--forks", "12", code=4)
            for strike in strikes:
                strike.join()
            assert logged_in.poll() is None
        finally:
            logged_in.kill()
    by = done["by"]
    assert set(by) == set(users)
    for user in (WELL, WELL_SUDO, RUNNING):
        assert by[user]["outcome"] == "installed", by[user]
    assert any("hermes" in process for process in by[RUNNING]["restart"])
    for user, causes in CAUSES.items():
        assert by[user]["outcome"] in {"failed", "unreachable"}, by[user]
        assert by[user]["cause"] in causes, by[user]
        assert by[user]["cure"], by[user]
        assert by[user]["message"], by[user]
    settled(fleet)
    new = {user: (fleet.keys[user], "claude-sonnet-4.6") for user in users}
    for user in users:
        assert seen(fleet, user) in (old[user], new[user]), f"{user} has a mixture"
    for user in set(CAUSES) - {KILLED, CUT}:
        assert seen(fleet, user) == old[user], user
    cure_all(fleet, known_hosts)
    resumed = fleet.deploy("--resume")
    assert set(resumed["by"]) == set(CAUSES)
    assert set(resumed["summary"]) <= {"installed", "unchanged"}
    assert {user: seen(fleet, user) for user in users} == new
    assert fleet.deploy("--resume")["summary"] == {}
    assert fleet.deploy()["summary"] == {"unchanged": 12}


def test_no_key_is_where_it_should_not_be(fleet: Fleet) -> None:
    for host in users_of(fleet):
        for user, key in fleet.keys.items():
            found = {p.relative_to(host.written).as_posix() for p in files_with(key.encode(), host.written)}
            assert found <= ({f"home/{ACCOUNT}/.hermes/.env"} if fleet.users[user] is host else set())


def users_of(fleet: Fleet) -> list[Host]:
    """The machines whose homes are on their disks."""
    return [host for user, host in fleet.users.items() if user != FULL]


def test_the_second_operator_is_told_who_is_at_work(fleet: Fleet) -> None:
    begun = slow(fleet, WELL)
    (fleet.users[WELL].home / ".begun").unlink(missing_ok=True)
    first: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: first.update(fleet.deploy("--limit", f"{WELL},{WELL_SUDO}")))
    thread.start()
    try:
        begun()
        refused = fleet.provision("deploy", code=1)
        assert "deploy.lock is locked by" in refused.stderr
        assert "deploy, for" in refused.stderr
    finally:
        thread.join()
        shutil.rmtree(fleet.root / "host_vars")
    assert first["summary"] == {"unchanged": 2}


def test_operators_in_two_workspaces_leave_no_mixture(fleet: Fleet) -> None:
    """Each has a clone of the workspace; the machines' own locks and generations decide, and every file is of one bundle."""
    second = Fleet.__new__(Fleet)
    vars(second).update({**vars(fleet), "root": fleet.folder / "ws2"})
    shutil.copytree(fleet.root, second.root, symlinks=True)
    fleet.profile(model="gpt-5.2")
    fleet.render()
    time.sleep(1.1)  # generations are seconds
    second.new_keys()
    second.render()
    both: list[dict[str, Any]] = [{}, {}]

    def push(number: int, one: Fleet) -> None:
        done = subprocess.run(
            [PROVISION, "-w", one.root, "deploy", "--format", "json", "--limit", f"{WELL},{WELL_SUDO},{RUNNING}"],
            env=one.environ,
            capture_output=True,
            check=False,
        )
        both[number] = json.loads(done.stdout)

    threads = [threading.Thread(target=push, args=(i, one)) for i, one in enumerate((fleet, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for user in (WELL, WELL_SUDO, RUNNING):
        assert seen(second, user) == (second.keys[user], "claude-sonnet-4.6")  # the newer generation has the last word
    causes = {u.get("cause") for document in both for u in document["users"]}
    assert causes <= {None, "bundle-older", "busy"}
    assert all(u["outcome"] in {"installed", "unchanged"} for u in both[1]["users"])
