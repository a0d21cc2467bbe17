"""The files of the pull timer: a systemd user timer, a launchd agent, or a Windows scheduled task. Pure.

Each runs `provision pull --scheduled`, which reads the feed's address from the configuration folder: the address works like
a password for the endpoint's folder, so it must not be in a unit file or a process list.
"""

from __future__ import annotations

import plistlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from provision.errors import UsageError
from provision.fleet.desired import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

NAME = "hermes-provision-pull"
LABEL = "one.aisa.hermes-provision.pull"
ENVIRON_OPTION = "--environ"
"""The option of `provision pull` that sets a variable of its own process."""
SHORTEST_S, LONGEST_S = 300, 7 * 86400


@dataclass(frozen=True, slots=True)
class TimerJob:
    """The command, its interval, and its environment variables."""

    command: Sequence[str]
    every: timedelta
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """The interval in seconds. Raises UsageError outside 5 minutes to 7 days."""
        seconds = int(self.every.total_seconds())
        if not SHORTEST_S <= seconds <= LONGEST_S:
            raise UsageError("invalid --every: expected 5 minutes to 7 days", hint="--every 1h")
        return seconds


def timer_files(platform: Platform, job: TimerJob) -> dict[str, bytes]:
    """File name to content, for a platform."""
    for word in (*job.command, *job.environ.values()):
        if not word.isprintable():
            raise UsageError("a path or option for the timer contains a control character")
    if platform is Platform.MACOS:
        return {f"{LABEL}.plist": launchd_agent(job)}
    if platform is Platform.WINDOWS:
        return {f"{NAME}.xml": windows_task(job)}
    return {f"{NAME}.service": systemd_service(job), f"{NAME}.timer": systemd_timer(job)}


def systemd_service(job: TimerJob) -> bytes:
    """The oneshot unit. Exit code 10 means findings, not a failure to run. The comments are for the packages' `check.sh`."""
    environ = "".join(f'Environment="{name}={_systemd_escaped(value)}"\n' for name, value in job.environ.items())
    command = " ".join(_systemd_word(word) for word in job.command)
    needs = "".join(f"# needs {word}\n" for word in job.command if word.startswith("/"))
    return (
        f"{needs}[Unit]\n"
        "Description=Pull this machine's Hermes settings from IT's feed\n"
        "After=network-online.target\n\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={command}\n"
        f"{environ}"
        "SuccessExitStatus=10\n"
        "TimeoutStartSec=15min\n"
        "UMask=0077\n"
        "NoNewPrivileges=yes\n"
        "Nice=10\n"
    ).encode()


def systemd_timer(job: TimerJob) -> bytes:
    """The timer: 2 minutes after login, then at the interval, spread over a quarter of it."""
    return (
        "[Unit]\n"
        "Description=Pull this machine's Hermes settings from IT's feed\n\n"
        "[Timer]\n"
        "OnStartupSec=2min\n"
        f"OnUnitActiveSec={job.seconds}s\n"
        f"RandomizedDelaySec={job.seconds // 4}s\n\n"
        "[Install]\n"
        "WantedBy=timers.target\n"
    ).encode()


def launchd_agent(job: TimerJob) -> bytes:
    """The agent of a macOS user; launchd runs it at login and then at the interval."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(job.command),
            "EnvironmentVariables": dict(job.environ),
            "RunAtLoad": True,
            "StartInterval": job.seconds,
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Umask": 0o077,
        }
    )


def windows_task(job: TimerJob) -> bytes:
    """A task for `schtasks /Create /XML`: UTF-16 with a byte order mark, the elements in the schema's order.

    It runs as the user who registers it, while that user is logged on; a missed run is made up for. It has no logon trigger,
    because only administrators may register one. It opens no window: the command is a program without a console, and gets
    its variables as options, since a task has none and `cmd /c set` would show a console every hour.
    """
    interval = f"PT{job.seconds // 60}M"
    spread = f"PT{max(job.seconds // 4 // 60, 1)}M"
    words = [
        *job.command,
        *(word for name, value in job.environ.items() for word in (ENVIRON_OPTION, f"{name}={value}")),
    ]
    arguments = " ".join(_windows_word(word) for word in words[1:])
    text = f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Pull this machine's Hermes settings from IT's feed</Description>
    <URI>\\{NAME}</URI>
  </RegistrationInfo>
  <Triggers>
    <TimeTrigger>
      <Repetition>
        <Interval>{interval}</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2026-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
      <RandomDelay>{spread}</RandomDelay>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>
    <Enabled>true</Enabled>
    <Hidden>true</Hidden>
    <ExecutionTimeLimit>PT15M</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(words[0])}</Command>
      <Arguments>{escape(arguments)}</Arguments>
    </Exec>
  </Actions>
</Task>
"""
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


def _systemd_word(word: str) -> str:
    """A word of ExecStart as systemd.syntax(7) quotes it; `%` and `$` would otherwise be expanded."""
    escaped = _systemd_escaped(word).replace("$", "$$")
    return escaped if re.fullmatch(r"[A-Za-z0-9_./:=@+,%$-]+", escaped) else f'"{escaped}"'


def _systemd_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _windows_word(word: str) -> str:
    """A word quoted for CommandLineToArgvW: backslashes before a quote are doubled."""
    if word and not re.search(r'[\s"&|<>^()]', word):
        return word
    text = re.sub(r'(\\*)"', r'\1\1\\"', word)
    text = re.sub(r"(\\+)$", r"\1\1", text)
    return f'"{text}"'
