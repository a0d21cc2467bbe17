"""Options that several commands share, and how their values are parsed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.errors import UsageError
from provision.report.formats import Format
from provision.report.terminal import results_are_data

if TYPE_CHECKING:
    from datetime import date, timedelta

    from provision.aisa.answers import Probe

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def format_option(*allowed: Format) -> Any:
    """The option `--format`, which takes exactly the `allowed` formats; its default is that of the parameter."""
    names = [str(each) for each in allowed]

    def parse(text: str) -> Format:
        if text not in names:
            raise typer.BadParameter(f"unknown format {text!r}: expected one of {', '.join(names)}")
        if text != Format.TABLE:
            results_are_data()
        return Format(text)

    return typer.Option("--format", "-f", parser=parse, metavar=f"[{'|'.join(names)}]", help="Output format.")


def _to_file(path: Path | None) -> Path | None:
    if path is not None:
        results_are_data()
    return path


Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        "-l",
        metavar="USERS",
        help="Only these users: ids, globs, profile:NAME, tag:NAME, platform:NAME, !pattern; comma-separated.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        readable=False,
        callback=_to_file,
        help="Write the result to this file instead of stdout.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]
TableOrJson = Annotated[Format, format_option(Format.TABLE, Format.JSON)]
Forks = Annotated[int, typer.Option("--forks", min=1, max=500, help="Number of machines to work on in parallel.")]


def without_keys(text: str) -> str:
    """A callback for text that is kept or signed, such as a reason: keys in it are masked."""
    from provision.detect.shapes import masked
    from provision.report.operand_mask import keys_among

    for key in keys_among([text]):
        text = text.replace(key, masked(key))
    return text


def parse_duration(text: str, option: str) -> timedelta:
    """Parse `90m`, `12h`, `7d` or `2w`; `option` is named in the error. Raises UsageError."""
    from datetime import timedelta

    match = re.fullmatch(r"([0-9]{1,5})([mhdw])", text.strip().lower())
    if not match or not int(match[1]):
        raise UsageError(f"invalid duration {text!r} for {option}", hint="use a number and a unit: 90m, 12h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_last_day(text: str, option: str, today: date) -> date:
    """Parse a date that is not over yet, such as `2026-03-31`. Raises UsageError."""
    from datetime import date as date_type

    try:
        day = date_type.fromisoformat(text)
    except ValueError:
        raise UsageError(f"invalid date {text!r} for {option}", hint="use year-month-day, such as 2026-03-31") from None
    if day < today:
        raise UsageError(f"invalid date '{day}' for {option}: it is in the past", hint=f"today is {today}")
    return day


def parse_probes(text: str) -> tuple[Probe, ...]:
    """Parse `key,models,chat`, in the order in which probes are made. Raises UsageError."""
    from provision.aisa.answers import Probe

    words = {word.strip() for word in text.split(",") if word.strip()}
    if words - {probe.value for probe in Probe} or not words:
        raise UsageError(f"invalid probes {text!r}", hint="use key, models, chat, comma-separated")
    return tuple(probe for probe in Probe if probe.value in words)
