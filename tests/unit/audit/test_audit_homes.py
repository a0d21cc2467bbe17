"""Findings about a Hermes home itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.audit.finding import Location
from provision.audit.homes import hazard_location, home_finding, mode_findings
from provision.detect.match import FindingSeverity

HOME = Path("/home/ada/.hermes")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (f"{HOME}/config.yaml model.api_key", Location(f"{HOME}/config.yaml", None, None, "model.api_key")),
        (f"{HOME}/.env:3", Location(f"{HOME}/.env", 3)),
        (f"{HOME}/profiles/work/.env:3 NAME", Location(f"{HOME}/profiles/work/.env", 3, None, "NAME")),
        ("/etc/hermes/.env:2", Location("/etc/hermes/.env", 2)),
        (
            "/Users/ada/Library/Application Support/Hermes/connection.json remote.token",
            Location("/Users/ada/Library/Application Support/Hermes/connection.json", where="remote.token"),
        ),
        (r"C:\u\Hermes\connections.json", Location(r"C:\u\Hermes\connections.json")),
        ("environment AISA_API_KEY", Location(str(HOME), None, None, "environment AISA_API_KEY")),
        ("", Location(str(HOME))),
    ],
)
def test_where_a_hazard_is(where: str, expected: Location) -> None:
    assert hazard_location(where, HOME) == expected


def test_modes_of_a_home(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    home.mkdir(0o700)
    for name, mode in ((".env", 0o600), ("config.yaml", 0o622), ("notes.md", 0o666)):
        (home / name).touch()
        (home / name).chmod(mode)
    found = list(mode_findings(home, str))
    assert [(f.rule, f.severity, Path(f.place.path).name) for f in found] == [
        ("file-mode", FindingSeverity.HIGH, "config.yaml")
    ]
    assert found[0].message == "config.yaml has mode 0622: other users can write it"
    home.chmod(0o770)
    assert next(iter(mode_findings(home, str))).rule == "home-writable"


def test_the_id_of_a_finding_survives_changed_numbers_and_lines() -> None:
    def made(message: str, line: int) -> str:
        place = Location("/h/.env", line)
        return home_finding("drift", FindingSeverity.LOW, place, message, "cure", str).id

    assert made("expired 3 days ago", 1) == made("expired 14 days ago", 9)
    assert made("expired 3 days ago", 1) != made("changed 3 days ago", 1)
