"""Options that several commands of `rotate` share."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.options import format_option, parse_duration, parse_probes
from provision.report.formats import Format

RotationFormat = Annotated[Format, format_option(Format.TABLE, Format.JSON, Format.HTML)]
RotationName = Annotated[
    str | None, typer.Argument(metavar="[ROTATION]", help="Id of the rotation; needed when several are in progress.")
]
NewKeysFile = Annotated[
    str | None, typer.Option("--from", metavar="FILE|-", help="New keys: CSV or JSON, user,new_key[,label].")
]
ProbesOption = Annotated[
    str, typer.Option("--probe", help="Checks of each new key: key, models, chat (paid), comma-separated.")
]
DeployOption = Annotated[bool, typer.Option("--deploy", help="Install bundles through Ansible, not only in dist/.")]
ReceiptsOption = Annotated[
    list[str] | None,
    typer.Option("--receipts", metavar="FILE|DIR", help="Import receipts from this file or folder first."),
]
TakeOverOption = Annotated[bool, typer.Option("--take-over", help="Break a stale lock held on another machine.")]


def parse_span_s(text: str, option: str) -> int:
    """The seconds of a duration such as `1h`; `0` is allowed. Raises UsageError."""
    return 0 if text == "0" else int(parse_duration(text, option).total_seconds())


DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]


def rotation_probes(text: str) -> tuple[str, ...]:
    """The probes of `--probe`; `key` is always one of them. Raises UsageError."""
    return tuple(dict.fromkeys(("key", *parse_probes(text))))
