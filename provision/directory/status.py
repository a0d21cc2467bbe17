"""Whether an export says that an account is active or gone. Polarity differs: `Block credential=True` means blocked.

Only known values count. A blank or unexpected value is unknown: `Get-MgUser | Export-Csv` writes a column AccountEnabled that is
blank for everyone. A termination date in the future does not count.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from provision.directory.person import PersonStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.directory.export_rows import ExportRow

_TRUE = {"true", "1", "yes", "y", "t", "on", "wahr", "ja", "vrai", "oui", "sí", "si", "verdadero", "sim", "vero"}
_FALSE = {"false", "0", "no", "n", "f", "off", "falsch", "nein", "faux", "non", "falso", "não"}
ENABLED = ("accountenabled", "enabled", "active", "isactive")
"""Columns in which true means active."""
BLOCKED = (
    "blockcredential",
    "signinblocked",
    "blocked",
    "isblocked",
    "suspended",
    "archived",
    "disabled",
    "isdisabled",
    "accountdisabled",
    "nsaccountlock",
)
"""Columns in which true means gone."""
_WORDS = {
    **dict.fromkeys(
        (
            "active",
            "enabled",
            "locked_out",
            "password_expired",
            "recovery",
            "staged",
            "provisioned",
            "activated",
            "password_reset",
            "pending_user_action",
            "onleave",
            "on_leave",
        ),
        PersonStatus.ACTIVE,
    ),
    **dict.fromkeys(
        (
            "suspended",
            "transfer_suspended",
            "archived",
            "inactive",
            "terminated",
            "deprovisioned",
            "deactivated",
            "disabled",
            "deleted",
            "blocked",
        ),
        PersonStatus.GONE,
    ),
}
_STATUS = ("status", "userstatus", "state", "employmentstatus", "workerstatus", "employeestatus", "accountstatus")
_DELETED = ("softdeletiontimestamp", "deletiontimestamp", "deleteddatetime")
"""Columns in which any time means that the account is deleted."""
_ENDS = ("terminationdate", "enddate", "lastday", "accountexpirationdate")
_NO_DATE = re.compile(r"(?i)[-0/.: t]*|never|n/?a|none|null")
_ACCOUNT_DISABLED = 2
NO_STATUS = "no status"

Verdict = tuple[PersonStatus, str]


def status_of(row: ExportRow, today: date) -> Verdict:
    """The status that a row gives, and why. Several columns must agree; if they do not, the status is unknown."""
    found = [*_flags(row), *_words(row), *_control(row)]
    if deleted := next(
        (f"{n} {row.cells[n].strip()[:24]}" for n in _DELETED if not _is_no_date(row.cells.get(n, ""))), ""
    ):
        return PersonStatus.GONE, deleted
    end = _end(row, today)
    gone = [why for status, why in found if status is PersonStatus.GONE]
    active = [why for status, why in found if status is PersonStatus.ACTIVE]
    if end is not None:
        status, why = end
        if status is PersonStatus.GONE:
            return (PersonStatus.UNKNOWN, f"{why}, but {active[0]}") if active else end
        if status is PersonStatus.ACTIVE and gone and not active:
            return PersonStatus.ACTIVE, why
        if status is PersonStatus.UNKNOWN and not gone:
            return end
    if gone and active and not set(gone) <= set(_blocking(gone)):
        return PersonStatus.UNKNOWN, f"{gone[0]}, but {active[0]}"
    if gone:
        return PersonStatus.GONE, gone[0]
    if row.cells.get("activated", "").casefold() in _FALSE:
        return PersonStatus.UNKNOWN, "not activated yet"
    if active:
        return PersonStatus.ACTIVE, active[0]
    if unclear := [why for status, why in found if status is PersonStatus.UNKNOWN]:
        return PersonStatus.UNKNOWN, unclear[0]
    return PersonStatus.UNKNOWN, NO_STATUS


def _blocking(reasons: Iterable[str]) -> list[str]:
    """Of reasons for gone, those by flags that stand beside others: suspended counts although archived is false."""
    return [why for why in reasons if why.partition("=")[0] in {"suspended", "archived", "isdisabled", "disabled"}]


def _flags(row: ExportRow) -> Iterable[Verdict]:
    for names, when_true in ((ENABLED, PersonStatus.ACTIVE), (BLOCKED, PersonStatus.GONE)):
        for name in names:
            value = row.cells.get(name, "").strip().casefold()
            if not value:
                continue
            other = PersonStatus.GONE if when_true is PersonStatus.ACTIVE else PersonStatus.ACTIVE
            status = when_true if value in _TRUE else other if value in _FALSE else None
            if status is None and names is ENABLED:
                status = _WORDS.get(value)  # `Active: Inactive` can mean only one thing
            if status is None:
                yield PersonStatus.UNKNOWN, f"unknown value {name}={value[:24]}"
            else:
                yield status, f"{name}={value}"


def _words(row: ExportRow) -> Iterable[Verdict]:
    """Columns of words count only if they hold a known word: `Employment Status` may say Full-Time."""
    for name in _STATUS:
        value = row.cells.get(name, "").strip()
        known = _WORDS.get(value.casefold().replace(" ", "_"))
        if known is not None:
            yield known, f"{name}={value}"
        elif value and name in {"status", "userstatus", "workerstatus", "accountstatus"}:
            yield PersonStatus.UNKNOWN, f"unknown value {name}={value[:24]}"


def _control(row: ExportRow) -> Iterable[Verdict]:
    value = row.cells.get("useraccountcontrol", "").strip()
    if re.fullmatch(r"[0-9]{1,10}", value):
        disabled = int(value) & _ACCOUNT_DISABLED
        yield (PersonStatus.GONE if disabled else PersonStatus.ACTIVE), f"userAccountControl={value}"


def _end(row: ExportRow, today: date) -> Verdict | None:
    for name in _ENDS:
        value = row.cells.get(name, "").strip()
        if _is_no_date(value):
            continue
        days = _dates(value)
        past = {day < today for day in days}
        if len(past) != 1:
            return PersonStatus.UNKNOWN, f"unknown date {name}={value[:24]}"
        text = str(days[0]) if len(days) == 1 else value[:24]
        if past.pop():
            return PersonStatus.GONE, f"{name} {text}"
        return PersonStatus.ACTIVE, f"{name} {text} is not over"
    return None


def _is_no_date(text: str) -> bool:
    """Whether a cell stands for no date, as `0000-00-00` does."""
    return bool(_NO_DATE.fullmatch(text.strip()))


def _dates(text: str) -> list[date]:
    """The days that a date of an export can mean: two for `03/04/2026`, none if it is not a date."""
    head = re.sub(r"T[0-9:].*|(?<=[0-9]{4})(?:[ +-][0-9]{1,2}:.*)$", "", text.strip())
    head = re.sub(r"(?<=-[0-9]{2})[+-][0-9]{2}:[0-9]{2}$|(?<=[0-9]) [0-9]{1,2}:.*$", "", head).strip()
    for form in (
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%d.%m.%Y",
        "%Y%m%d",
        "%d-%b-%Y",
        "%d %b %Y",
        "%b %d, %Y",
        "%d %B %Y",
        "%B %d, %Y",
    ):
        try:
            return [datetime.strptime(head, form).date()]  # noqa: DTZ007  a day without a time
        except ValueError:
            continue
    found = re.fullmatch(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})", head)
    if not found:
        return []
    first, second, year = (int(part) for part in found.groups())
    days = set()
    for month, day in {(first, second), (second, first)}:
        try:
            days.add(date(year, month, day))
        except ValueError:
            continue
    return sorted(days)
