"""What the stand-ins of the other tests imitate, on a real Windows: icacls, CIM, the Task Scheduler, PowerShell's parser."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from provision.audit.access import Readers, readers
from provision.endpoint.process_listing import listed_processes
from provision.feed.timer_definition import NAME, TimerJob, timer_files
from provision.fleet.desired import Platform
from provision.packaging.intune import intune
from provision.packaging.payload import Payload
from provision.windows_acl import make_private, other_accounts, own_sid

PARSE = (
    "$e = $null; [void][Management.Automation.Language.Parser]::ParseFile($args[0], [ref]$null, [ref]$e); exit $e.Count"
)


def test_icacls_and_whoami_are_understood(tmp_path: Path) -> None:
    assert own_sid() is not None
    path = tmp_path / "key"
    path.write_text("x")
    subprocess.run(["icacls", str(path), "/grant", "*S-1-1-0:R"], check=True, capture_output=True)
    assert readers(path) is Readers.EVERYONE
    assert make_private(path)
    assert readers(path) is Readers.OWNER
    assert path.read_text() == "x"
    assert other_accounts(Path(os.environ["SYSTEMROOT"])) is not None


def test_processes_are_listed_with_their_start() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        found = [each for each in listed_processes() or () if each.pid == process.pid]
        process.communicate(b"\n")
    assert found
    assert found[0].started is not None


def test_the_task_scheduler_takes_the_task(tmp_path: Path) -> None:
    name = f"{NAME}-test"
    job = TimerJob((sys.executable, "-c", "pass"), timedelta(hours=1), {"NO_PROXY": "a b"})
    path = tmp_path / "task.xml"
    path.write_bytes(timer_files(Platform.WINDOWS, job)[f"{NAME}.xml"])
    subprocess.run(["schtasks", "/Create", "/F", "/TN", name, "/XML", str(path)], check=True, capture_output=True)
    subprocess.run(["schtasks", "/Delete", "/F", "/TN", name], check=True, capture_output=True)


@pytest.mark.parametrize("shell", ["powershell", "pwsh"])
def test_powershell_parses_the_scripts(shell: str, tmp_path: Path) -> None:
    payload = Payload("ada", "operator ssh-ed25519 AAAA", address="https://feed.example.com/e/" + "a" * 32)
    for name, file in intune(payload).items():
        if name.endswith(".ps1"):
            path = tmp_path / Path(name).name
            path.write_bytes(file.data)
            command = [shell, "-NoProfile", "-NonInteractive", "-Command", f"& {{ {PARSE} }} '{path}'"]
            assert subprocess.run(command, check=False).returncode == 0, name
