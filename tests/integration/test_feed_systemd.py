"""The pull timer under a real `systemd --user`: installed, elapsed, run, removed. Needs root, for namespaces of its own."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandcraft import PROVISION
from feedcraft import FeedServer
from test_feed_commands import KEY, Place, place, server  # noqa: F401  fixtures

from provision.errors import Exit

pytestmark = [pytest.mark.bed, pytest.mark.timeout(120)]

START = """
set -e
mount -t tmpfs none /run; mkdir -p /run/systemd/system
mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
mkdir -p /sys/fs/cgroup/systemd/user; echo $$ >/sys/fs/cgroup/systemd/user/cgroup.procs
/lib/systemd/systemd --user --log-target=console &
wait
"""
"""A user's systemd wants a running system's folder and a control group tree; both are of this namespace alone."""
AT_ONCE = "[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n"


class User:
    """A logged-in user: a systemd of their own, and commands that run beside it."""

    def __init__(self, pid: int, environ: dict[str, str]) -> None:
        self.pid = pid
        self.environ = environ

    def run(self, *line: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid"]
        return subprocess.run(
            [*enter, *line], env=self.environ, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )

    def shows(self, unit: str, name: str) -> str:
        return self.run("systemctl", "--user", "show", "--value", "-p", name, unit).stdout.strip()

    def wait_for(self, unit: str, name: str, wanted: str) -> None:
        for _ in range(200):
            if (found := self.shows(unit, name)) == wanted:
                return
            time.sleep(0.1)
        raise AssertionError(f"{unit}: {name} is {found!r}, not {wanted!r}")


@pytest.fixture
def user(place: Place) -> Iterator[User]:  # noqa: F811
    runtime = place.root / "runtime"
    runtime.mkdir(mode=0o700)
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(place.home),
        "PROVISION_CONFIG_DIR": str(place.config),
        "XDG_RUNTIME_DIR": str(runtime),
    }
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", START]
    with (place.root / "systemd.log").open("wb") as log:
        outer = subprocess.Popen(apart, env=environ, stdout=log, stderr=log)
    try:
        for _ in range(100):
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            if children:
                user = User(int(children[0]), environ)
                if user.run("systemctl", "--user", "is-system-running").stdout.strip() == "running":
                    break
            time.sleep(0.1)
        else:
            pytest.fail(f"no systemd --user: {(place.root / 'systemd.log').read_text()[-2000:]}")
        yield user
    finally:
        with contextlib.suppress(ProcessLookupError):
            outer.kill()  # and with it, by --kill-child, everything in its namespace
        outer.wait()


def test_systemd_runs_the_timer(place: Place, server: FeedServer, user: User) -> None:  # noqa: F811
    assert place.it("publish", str(place.feed)).code == Exit.OK
    address = place.address(server.url)
    told = user.run(str(PROVISION), "pull", "-", "--install-timer", "--every", "30m", stdin=address + "\n")
    assert told.returncode == Exit.OK, told.stderr
    assert user.shows("hermes-provision-pull.timer", "ActiveState") == "active"
    listed = user.run("systemctl", "--user", "list-timers", "--no-legend").stdout
    assert "hermes-provision-pull.timer" in listed

    assert place.it("render", "-l", "ada", "--force").code == Exit.OK
    assert place.it("publish", str(place.feed)).code == Exit.OK
    manifest = place.home / ".hermes" / ".provision" / "manifest.json"
    before = manifest.read_bytes()
    sooner = place.home / ".config" / "systemd" / "user" / "hermes-provision-pull.timer.d"
    sooner.mkdir()
    (sooner / "sooner.conf").write_text(AT_ONCE)  # the timer itself, only without the minutes of waiting
    assert user.run("systemctl", "--user", "daemon-reload").returncode == 0
    assert user.run("systemctl", "--user", "restart", "hermes-provision-pull.timer").returncode == 0
    for _ in range(200):
        if manifest.read_bytes() != before:
            break
        time.sleep(0.1)
    user.wait_for("hermes-provision-pull.service", "ActiveState", "inactive")
    assert user.shows("hermes-provision-pull.service", "Result") == "success"
    assert manifest.read_bytes() != before
    assert (place.home / ".hermes" / ".env").read_text().startswith(f"AISA_API_KEY={KEY}")
    assert KEY not in (place.root / "systemd.log").read_text()

    assert user.run(str(PROVISION), "pull", "--remove-timer").returncode == Exit.OK
    assert user.shows("hermes-provision-pull.timer", "ActiveState") == "inactive"
