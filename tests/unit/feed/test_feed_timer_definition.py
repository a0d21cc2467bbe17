"""Timers for three platforms: parsed by what reads them there, as far as that can be had here."""

from __future__ import annotations

import plistlib
import shlex
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from provision.errors import UsageError
from provision.feed.timer_definition import LABEL, NAME, TimerJob, timer_files
from provision.fleet.desired import Platform

PLAIN = TimerJob(("/opt/p/bin/provision", "pull", "--scheduled"), timedelta(hours=1))
ODD = TimerJob(
    ("/opt/my tools/provision", "pull", "--scheduled", "--home", '/home/a/50% "off"\\$HOME'),
    timedelta(minutes=30),
    {"PROVISION_CONFIG_DIR": "/home/a/my config"},
)
NS = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}


def test_systemd() -> None:
    files = timer_files(Platform.LINUX, PLAIN)
    assert set(files) == {f"{NAME}.service", f"{NAME}.timer"}
    assert b"ExecStart=/opt/p/bin/provision pull --scheduled\n" in files[f"{NAME}.service"]
    assert b"OnUnitActiveSec=3600s\nRandomizedDelaySec=900s\n" in files[f"{NAME}.timer"]


def test_systemd_quotes_what_it_would_expand() -> None:
    text = timer_files(Platform.LINUX, ODD)[f"{NAME}.service"].decode()
    (line,) = [each for each in text.splitlines() if each.startswith("ExecStart=")]
    undone = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line.removeprefix("ExecStart="))]
    assert tuple(undone) == ODD.command
    assert 'Environment="PROVISION_CONFIG_DIR=/home/a/my config"' in text


def test_launchd() -> None:
    agent = plistlib.loads(timer_files(Platform.MACOS, ODD)[f"{LABEL}.plist"])
    assert tuple(agent["ProgramArguments"]) == ODD.command
    assert agent["StartInterval"] == 1800
    assert agent["EnvironmentVariables"] == dict(ODD.environ)


def task(job: TimerJob) -> ET.Element:
    data = timer_files(Platform.WINDOWS, job)[f"{NAME}.xml"]
    assert data.startswith(b"\xff\xfe"), "schtasks takes UTF-16 with its mark"
    return ET.fromstring(data.decode("utf-16"))


def test_windows_task() -> None:
    """Element by element in the order of the Task Scheduler schema (a sequence), each with a legal value."""
    root = task(PLAIN)
    assert [child.tag.rpartition("}")[2] for child in root] == [
        "RegistrationInfo",
        "Triggers",
        "Principals",
        "Settings",
        "Actions",
    ]
    assert root.get("version") == "1.3"
    assert root.findtext(".//t:TimeTrigger/t:Repetition/t:Interval", namespaces=NS) == "PT60M"
    assert root.findtext(".//t:RunLevel", namespaces=NS) == "LeastPrivilege"
    assert root.findtext(".//t:LogonType", namespaces=NS) == "InteractiveToken"
    assert root.findtext(".//t:Command", namespaces=NS) == "/opt/p/bin/provision"
    assert root.findtext(".//t:Arguments", namespaces=NS) == "pull --scheduled"
    order = [child.tag.rpartition("}")[2] for child in root.find("t:Settings", NS)]  # type: ignore[arg-type,union-attr]
    schema = [
        *("AllowStartOnDemand", "RestartOnFailure", "MultipleInstancesPolicy", "DisallowStartIfOnBatteries"),
        *("StopIfGoingOnBatteries", "AllowHardTerminate", "StartWhenAvailable", "NetworkProfileName"),
        *("RunOnlyIfNetworkAvailable", "WakeToRun", "Enabled", "Hidden", "DeleteExpiredTaskAfter", "IdleSettings"),
        *("NetworkSettings", "ExecutionTimeLimit", "Priority"),
    ]
    assert [name for name in schema if name in order] == order
    actions = root.find("t:Actions", NS)
    principal = root.find(".//t:Principal", NS)
    assert actions is not None
    assert principal is not None
    assert actions.get("Context") == principal.get("id")


def test_windows_quotes_blanks() -> None:
    job = TimerJob((r"C:\Program Files\p.exe", "pull", "--home", "C:\\My Hermes\\"), timedelta(hours=1))
    root = task(job)
    assert root.findtext(".//t:Command", namespaces=NS) == r"C:\Program Files\p.exe"
    assert root.findtext(".//t:Arguments", namespaces=NS) == 'pull --home "C:\\My Hermes\\\\"'


def test_a_windows_task_opens_no_window() -> None:
    """No `cmd /c set …`: its console would appear every hour. The variables are options, for `CommandLineToArgvW`."""
    variables = {"PROVISION_CONFIG_DIR": "C:\\my config", "NO_PROXY": "*"}
    root = task(TimerJob(("C:\\py\\pythonw.exe", "-m", "p"), timedelta(hours=1), variables))
    assert root.findtext(".//t:Command", namespaces=NS) == "C:\\py\\pythonw.exe"
    assert root.findtext(".//t:Arguments", namespaces=NS) == (
        '-m p --environ "PROVISION_CONFIG_DIR=C:\\my config" --environ NO_PROXY=*'
    )


def test_the_unit_names_the_files_that_it_needs() -> None:
    """`check.sh` of the packages reads these comments; systemd ignores them."""
    lines = timer_files(Platform.LINUX, ODD)[f"{NAME}.service"].decode().splitlines()
    assert lines[:2] == ["# needs /opt/my tools/provision", f"# needs {ODD.command[4]}"]


@pytest.mark.parametrize("every", [timedelta(minutes=4), timedelta(days=8)])
def test_intervals_that_make_no_sense(every: timedelta) -> None:
    with pytest.raises(UsageError):
        timer_files(Platform.LINUX, TimerJob(("p",), every))


def test_control_characters_never_reach_a_unit() -> None:
    with pytest.raises(UsageError):
        timer_files(Platform.LINUX, TimerJob(("p", "a\nExecStart=/bin/evil"), timedelta(hours=1)))
