"""From the rows of an export to persons: which columns count, what is not a person, what cannot be used. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.directory import sources
from provision.directory.export_rows import ExportRow, normalized, read_rows
from provision.directory.export_text import decode_export
from provision.directory.person import Device, Person, external_key
from provision.directory.status import BLOCKED, ENABLED, NO_STATUS, status_of
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from provision.directory.export_rows import ExportRows
    from provision.directory.sources import Source

_SAME = ("login", "email", "external_id", "department", "groups", "unit", "device", "system")
MAPPABLE = {
    "id": "wantedid",
    **dict(zip(_SAME, _SAME, strict=True)),
    "active": "enabled",
    "blocked": "blockcredential",
    "status": "status",
}
"""Names for `--map`, with the column that each one stands for."""
_FORMULA = ("=", "+", "-", "@")
_BLANK_MARKS = {"-", "--", "---", "+", "@"}
_GARBAGE = "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection"
_STATUS_CURES = {
    "entra": "export with -Property AccountEnabled,Department,Id,Mail,UserPrincipalName, ",
    "gam": "print it (gam print users fields suspended,archived,orgUnitPath), ",
    "ad": "keep the column Enabled, ",
    "csvde": "export userAccountControl, ",
    "ldif": "export userAccountControl, ",
}
"""How to get the status, by source."""
_SYSTEMS = {
    "windows": "windows",
    "macos": "macos",
    "mac": "macos",
    "macmdm": "macos",
    "linux": "linux",
    "ubuntu": "linux",
}


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was read. `partial` says why it does not have everyone, empty if nothing says so."""

    source: Source
    encoding: str
    people: tuple[Person, ...]
    partial: str
    notes: tuple[str, ...]
    skipped: int
    """Rows that are no persons: groups, computers, contacts."""


def read_export(data: bytes, wanted: str, mapping: Mapping[str, str], today: date, team: str = "") -> Export:
    """Read an export. `mapping` names columns by hand, `team` is the group that all rows belong to.

    Raises BadExportError and UsageError.
    """
    text = decode_export(data)
    rows = read_rows(text.text)
    source = sources.find_source(rows, wanted, bool(mapping))
    rows = _mapped(rows, mapping)
    people = [_person(row, source, mapping, today, team) for row in rows.rows]
    notes = (*text.notes, *rows.notes, *_notes(rows, people, source))
    kept = [person for person in people if person.is_person]
    return Export(
        source, text.encoding, tuple(_deduplicated(kept, source)), rows.partial, notes, len(people) - len(kept)
    )


def _mapped(rows: ExportRows, mapping: Mapping[str, str]) -> ExportRows:
    columns = {}
    for name, column in mapping.items():
        known = normalized(column)
        if name not in MAPPABLE:
            raise UsageError(f"--map: unknown field {name!r}", hint=f"use one of {', '.join(MAPPABLE)}")
        if known not in rows.columns:
            names = ", ".join(list(rows.columns.values())[:20])
            raise UsageError(f"--map: the export has no column {column!r}", hint=f"its columns: {names}")
        opposite = {"active": BLOCKED, "blocked": ENABLED, "status": (*BLOCKED, *ENABLED)}.get(name, ())
        if known in opposite:
            right = "blocked" if known in BLOCKED else "active"
            raise UsageError(
                f"--map: column {column!r} has the opposite meaning of {name}", hint=f"--map '{right}={column}'"
            )
        columns[MAPPABLE[name]] = known
    if not columns:
        return rows
    changed = tuple(
        replace(row, cells={**row.cells, **{name: row.cells.get(column, "") for name, column in columns.items()}})
        for row in rows.rows
    )
    return replace(rows, rows=changed)


def _person(row: ExportRow, source: Source, mapping: Mapping[str, str], today: date, team: str) -> Person:
    def cell(field: str) -> str:
        return row.get(field) if field in mapping else row.get(*source.columns(field))

    if "proxyaddresses" in row.cells:
        primary = re.search(r"(?:^|[+;])SMTP:([^+;]+)", row.cells["proxyaddresses"])
        row = replace(row, cells={**row.cells, "primarysmtp": primary[1] if primary else ""})
    status, why = status_of(row, today)
    login, email, external = cell("login"), cell("email"), cell("external_id")
    email = email or (login if "@" in login else "")
    realm = source.realm or source.name
    person = Person(
        line=row.line,
        external_id=external_key(f"{realm}:{external}") if external else "",
        login=login,
        email=email.casefold(),
        status=status,
        why=why,
        teams=tuple(dict.fromkeys(_teams(cell, team))),
        device=_device(cell, row) if source.devices or "device" in mapping else None,
        wanted_id=row.get("wantedid"),
        is_person=_is_person(row),
    )
    return replace(person, broken=_broken(person, row, external))


def _teams(get: Callable[[str], str], team: str) -> Iterator[str]:
    if team:
        yield team
    if department := get("department"):
        yield department
    groups = get("groups")
    if groups and groups != _GARBAGE and not groups.isdigit():
        yield from sources.group_names(groups)
    if unit := get("unit"):
        yield from sources.organizational_units(unit)


def _device(get: Callable[[str], str], row: ExportRow) -> Device | None:
    name = get("device")
    system = (get("system") or row.get("os", "operatingsystem", "platform", "model")).casefold()
    platform = next((ours for word, ours in _SYSTEMS.items() if system.startswith(word)), None)
    if platform is None and system and re.match(r"ios|ipad|iphone|android|tvos|chrome", system):
        return None
    return Device(name, platform) if name else None


def _is_person(row: ExportRow) -> bool:
    classes = set(re.split(r"[;,\s]+", row.get("objectclass", "objecttype").casefold())) - {""}
    return not classes or (
        bool(classes & {"user", "person", "inetorgperson", "posixaccount"}) and "computer" not in classes
    )


def _broken(person: Person, row: ExportRow, external: str) -> str:
    if row.broken:
        return row.broken
    device = person.device.name if person.device else ""
    for text in (person.login, person.email, external, person.wanted_id, device, *person.teams):
        if _is_formula(text):
            return f"a formula instead of a value: {text[:24]!r}"
    if row.get("usertype").casefold() == "guest" or "#ext#" in person.login.casefold():
        return "a guest account of another organization"
    if "?" in person.login.partition("@")[0]:
        return "the encoding of the export lost letters of the login; export it again as UTF-8"
    if not (person.login or person.email or person.wanted_id):
        return "it has no user" if device else "neither a login nor a mail address"
    return ""


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would run this text, or an apostrophe prevents it. A lone dash stands for nothing in many exports."""
    return text.removeprefix("'").startswith(_FORMULA) and text not in _BLANK_MARKS


def _notes(rows: ExportRows, people: list[Person], source: Source) -> Iterator[str]:
    lost = sum(any(re.search(r"\w\?|\?\w", text) for text in sources.name_cells(row.cells)) for row in rows.rows)
    if lost:
        yield f"names in {lost} rows lost letters: exported as ASCII; add -Encoding UTF8 to Export-Csv"
    if any(_GARBAGE in value for row in rows.rows for value in row.cells.values()):
        yield "cells of several values have only the name of a PowerShell type: groups in them are not known"
    if formulas := sum(any(value.startswith(("=", "@")) for value in row.cells.values()) for row in rows.rows):
        yield f"{formulas} row{'s' * (formulas > 1)} with cells that a spreadsheet would run as formulas: they are never used"
    if not source.devices and people and all(person.why == NO_STATUS for person in people):
        cure = _STATUS_CURES.get(source.name, "")
        yield f"no row says whether the account is active: {cure}name a column with --map active=COLUMN, or use --assume-active"


def _deduplicated(people: list[Person], source: Source) -> Iterator[Person]:
    """Each person once. Two different rows with one external id or login cannot both be right, so neither is used."""
    if source.devices:
        yield from people
        return
    whole = {replace(person, line=0, login=person.login.casefold()): person for person in reversed(people)}
    distinct = sorted(whole.values(), key=lambda person: person.line)
    ids = Counter(person.external_id for person in distinct if person.external_id)
    logins = Counter(person.login.casefold() for person in distinct if person.login)
    for person in distinct:
        if not person.broken and ids[person.external_id] > 1:
            yield replace(person, broken=f"the id {person.external_id!r} is in {ids[person.external_id]} rows")
        elif not person.broken and logins[person.login.casefold()] > 1:
            yield replace(person, broken=f"the login {person.login!r} is in {logins[person.login.casefold()]} rows")
        else:
            yield person
