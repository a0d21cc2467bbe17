"""Which team profile a person gets: from a map of the operator's, or because a team has the name of a profile."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.directory.export_text import BadExportError
from provision.formats.csv_reader import read_csv
from provision.formats.located import BrokenTextError, place

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class ProfileChoice:
    """How profiles are chosen. `table` maps a team, in lower case, to a profile; `*` stands for all others."""

    profiles: Collection[str]
    table: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    """The profile of persons of whom nothing is known: `--profile`."""
    default: str | None = None
    """The inventory's default profile, which needs no field."""

    def mapped(self, teams: Sequence[str]) -> str | None:
        """The profile that the operator's map gives; None if it has nothing for these teams."""
        found = next((self.table[team.casefold()] for team in teams if team.casefold() in self.table), None)
        return found or self.table.get("*")

    def for_new(self, teams: Sequence[str]) -> str | None:
        """The profile of a new user; None if there is none, not even the inventory's default."""
        by_name = next((slug for team in teams if (slug := _slug(team)) in self.profiles), None)
        return self.mapped(teams) or by_name or self.otherwise or self.default


def _slug(team: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", team.casefold()).strip("-")


def read_profile_map(data: bytes, file: str, profiles: Collection[str]) -> dict[str, str]:
    """Read lines of `TEAM,PROFILE`; `*` is every other team. A first line `team,profile` is skipped. Raises BadExportError."""
    found: dict[str, str] = {}
    try:
        for row in read_csv(data, file):
            cells = [cell.text.strip() for cell in row]
            at = place(file, row[0].mark)
            if [cell.casefold() for cell in cells] in (["team", "profile"], ["department", "profile"]):
                continue
            if len(cells) != 2 or not all(cells):
                raise BadExportError("a line must have two cells: a team and a profile", hint="Sales,sales", place=at)
            if cells[1] not in profiles:
                raise BadExportError(
                    f"unknown profile {cells[1]!r}", hint=f"use one of {', '.join(sorted(profiles))}", place=at
                )
            found[cells[0].casefold()] = cells[1]
    except BrokenTextError as e:
        raise BadExportError(e.problem.message, hint=e.problem.hint, place=e.problem.place) from e
    return found
