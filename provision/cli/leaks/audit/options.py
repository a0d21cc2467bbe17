"""The options of `audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from provision.cli.options import format_option
from provision.report.formats import Format

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH|-]...", readable=False, help="Files, folders, Hermes homes, or - for standard input."
    ),
]
AuditFormat = Annotated[
    Format, format_option(Format.TABLE, Format.JSON, Format.SARIF, Format.JUNIT, Format.HTML, Format.ECS)
]
MinSeverity = Annotated[
    Literal["critical", "high", "medium", "low"],
    typer.Option("--min-severity", help="Report only findings of at least this severity."),
]
MinConfidence = Annotated[
    Literal["high", "medium", "low"],
    typer.Option("--min-confidence", help="Report only findings of at least this confidence."),
]

Environ = Annotated[bool, typer.Option("--environ", help="Also audit the environment of your own processes.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Ask the gateway whether the AIsa keys found still work (free of charge).")
]
Known = Annotated[
    Path | None,
    typer.Option("--known", metavar="FILE", help="Fingerprints of the fleet's keys. Default: the vault's."),
]
WriteKnown = Annotated[
    Path | None,
    typer.Option("--write-known", metavar="FILE", help="Write the fingerprints in the vault to FILE, and stop."),
]
Rules = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE", help="Additional rules, in gitleaks' TOML format.")
]
Entropy = Annotated[bool, typer.Option("--entropy", help="Also report text that only looks random.")]
Full = Annotated[
    bool, typer.Option("--full", help="Also scan what an earlier audit found clean and what has not changed since.")
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=64, hidden=True)]

Fix = Annotated[bool, typer.Option("--fix", help="Show what can be fixed, ask once, and fix it.")]
Undo = Annotated[bool, typer.Option("--undo", help="Undo the last --fix.")]
Confirm = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation of --fix or --undo.")]

Baseline = Annotated[
    Path | None, typer.Option("--baseline", "-b", metavar="FILE", help="Ignore findings listed in this baseline.")
]
UpdateBaseline = Annotated[
    bool, typer.Option("--update-baseline", help="Write all findings to the --baseline file, and stop.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Reason for new baseline entries.")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="Last day on which new baseline entries apply.")
]

Hosts = Annotated[bool, typer.Option("--hosts", help="IT, in a workspace: audit the users' machines through Ansible.")]
Merge = Annotated[
    bool, typer.Option("--merge", help="Merge JSON reports of this command, given as PATHs, into one report.")
]
HostForks = Annotated[int, typer.Option("--forks", min=1, max=500, help="With --hosts: machines in parallel.")]
RemoteUser = Annotated[str | None, typer.Option("--remote-user", "-u", help="With --hosts: log in as this user.")]
PrivateKey = Annotated[
    Path | None, typer.Option("--private-key", exists=True, dir_okay=False, help="With --hosts: SSH private key.")
]
KnownHosts = Annotated[
    Path | None, typer.Option("--known-hosts", exists=True, dir_okay=False, help="With --hosts: file of host keys.")
]
Account = Annotated[
    str | None, typer.Option("--account", help="With --hosts: account that owns Hermes. Default: the user's id.")
]
Become = Annotated[
    bool, typer.Option("--become/--no-become", help="With --hosts: switch to the account with sudo, or log in as it.")
]
RemoteCommand = Annotated[
    str | None, typer.Option("--command", help="With --hosts: path of provision on the machines.")
]

AllowUnread = Annotated[
    bool,
    typer.Option("--allow-unread", help="Exit with 0 if there are no findings, although something could not be read."),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 even if there are findings.")]
ListAll = Annotated[bool, typer.Option("--all", help="List every place, not only the first twenty.")]
