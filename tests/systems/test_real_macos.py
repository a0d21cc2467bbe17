"""What the other tests read with libarchive and plistlib, on a real macOS: pkgutil, plutil, ps."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from provision.endpoint.process_listing import listed_processes, shown_environment, shown_variable
from provision.feed.timer_definition import TimerJob, timer_files
from provision.fleet.desired import Platform
from provision.packaging.payload import Payload
from provision.packaging.pkg import pkg

PAYLOAD = Payload("ada", "operator ssh-ed25519 AAAA", address="https://feed.example.com/e/" + "a" * 32)


def test_the_package_expands_and_the_profile_is_valid(tmp_path: Path) -> None:
    for name, file in pkg(PAYLOAD).items():
        (tmp_path / name).write_bytes(file.data)
    (package,) = tmp_path.glob("*.pkg")
    subprocess.run(["pkgutil", "--expand", str(package), str(tmp_path / "out")], check=True)
    script = tmp_path / "out" / "Scripts" / "postinstall"
    subprocess.run(["sh", "-n", str(script)], check=True)
    subprocess.run(["plutil", "-lint", str(tmp_path / "hermes-provision.mobileconfig")], check=True)


def test_launchd_takes_the_agent(tmp_path: Path) -> None:
    for name, data in timer_files(Platform.MACOS, TimerJob(("/usr/bin/true",), timedelta(hours=1))).items():
        (tmp_path / name).write_bytes(data)
        subprocess.run(["plutil", "-lint", str(tmp_path / name)], check=True)


def test_ps_shows_variables_of_the_users_own_programs() -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"HERMES_HOME": "/my home", "LAST": "1"}) as process:
        text = shown_environment(process.pid)
        found = [each for each in listed_processes() or () if each.pid == process.pid]
        process.communicate(b"\n")
    assert found
    assert found[0].started is not None
    assert text is None or shown_variable(text, "HERMES_HOME") == "/my home"
