"""Options that several commands share: what they accept, and what the error names."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import pytest
import seeded
import typer
from typer.main import get_command

import provision
from provision.cli.options import format_option, parse_duration, parse_last_day, parse_probes, without_keys
from provision.errors import UsageError
from provision.report.formats import Format


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        (" 7D ", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text, "--wait") == expected


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "123456d", "7 days", "٣d"])
def test_a_wrong_duration_names_value_and_option(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_duration(text, "--wait")
    assert repr(text) in error.value.message
    assert "--wait" in error.value.message
    assert "12h" in error.value.hint


def test_a_last_day_may_be_today_but_not_yesterday() -> None:
    today = date(2026, 3, 31)
    assert parse_last_day("2026-03-31", "--until", today) == today
    with pytest.raises(UsageError, match="in the past"):
        parse_last_day("2026-03-30", "--until", today)
    with pytest.raises(UsageError, match="invalid date 'soon' for --until"):
        parse_last_day("soon", "--until", today)


def test_probes_come_in_the_order_in_which_they_are_made() -> None:
    assert parse_probes("chat, key") == ("key", "chat")
    for wrong in ("", ",", "key,ping"):
        with pytest.raises(UsageError, match="invalid probes"):
            parse_probes(wrong)


def _format_of(arguments: list[str]) -> object:
    app = typer.Typer()
    seen: list[Format] = []

    @app.command()
    def command(
        format_: Annotated[Format, format_option(Format.JSON, Format.HTML)] = Format.HTML,
    ) -> None:
        seen.append(format_)

    get_command(app)(arguments, standalone_mode=False)
    return seen[0]


def test_the_format_option_takes_exactly_the_formats_of_its_command() -> None:
    assert _format_of([]) is Format.HTML
    assert _format_of(["-f", "json"]) is Format.JSON
    for other in ("table", "JSON", "xml"):
        with pytest.raises(typer.BadParameter) as error:
            _format_of(["--format", other])
        assert f"'{other}': expected one of json, html" in error.value.format_message()


@pytest.mark.parametrize("key", [f"sk-aisa-{seeded.token_urlsafe(32)}", seeded.token_hex(32)])
def test_a_reason_is_kept_without_keys(key: str) -> None:
    kept = without_keys(f"the key {key} was pasted on 2026-11-28 into ticket OPS-1234 for ada@example.com")
    assert key[4:-4] not in kept
    assert "was pasted on 2026-11-28 into ticket OPS-1234 for ada@example.com" in kept
    assert without_keys("") == ""


@pytest.mark.parametrize("option", ["--reason", "--accept", "--except"])
def test_every_option_for_reasons_uses_it(option: str) -> None:
    """Whoever keeps a free text goes through `without_keys`."""
    root = Path(provision.__file__).parent / "cli"
    files = [path for path in root.rglob("*.py") if f'"{option}"' in path.read_text("utf-8")]
    assert files
    for path in files:
        text = path.read_text("utf-8")
        kept = text if path.name != "options.py" else (path.parent / "baseline.py").read_text("utf-8")
        assert "without_keys" in kept, path
