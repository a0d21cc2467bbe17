"""What an account's columns say, and that blank, odd and contradicting values say nothing."""

from __future__ import annotations

from datetime import date

import pytest

from provision.directory.export_rows import ExportRow, normalized
from provision.directory.person import PersonStatus
from provision.directory.status import status_of

TODAY = date(2026, 6, 1)
ACTIVE, GONE, UNKNOWN = PersonStatus.ACTIVE, PersonStatus.GONE, PersonStatus.UNKNOWN


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"accountEnabled": "True"}, ACTIVE),
        ({"accountEnabled": "False"}, GONE),
        ({"accountEnabled": ""}, UNKNOWN),
        ({"accountEnabled": "maybe"}, UNKNOWN),
        ({"Block credential": "True"}, GONE),
        ({"Block credential": "False"}, ACTIVE),
        ({"Block credential": ""}, UNKNOWN),
        ({"Block credential": "False", "Soft deletion time stamp": "2026-01-02T00:00:00Z"}, GONE),
        ({"suspended": "False", "archived": "True"}, GONE),
        ({"suspended": "True", "archived": "False"}, GONE),
        ({"suspended": "False", "archived": "False"}, ACTIVE),
        ({"activated": "False", "suspended": "False"}, UNKNOWN),
        ({"activated": "True", "suspended": "True"}, GONE),
        ({"Status [READ ONLY]": "Active", "New Status [UPLOAD ONLY]": "Suspended"}, ACTIVE),
        ({"Status [READ ONLY]": "Archived"}, GONE),
        ({"status": "LOCKED_OUT"}, ACTIVE),
        ({"status": "STAGED"}, ACTIVE),
        ({"status": "DEPROVISIONED"}, GONE),
        ({"status": "something"}, UNKNOWN),
        ({"active": "False"}, GONE),
        ({"userAccountControl": "512"}, ACTIVE),
        ({"userAccountControl": "514"}, GONE),
        ({"userAccountControl": "66050"}, GONE),
        ({"Employment Status": "Full-Time", "Status": "Active"}, ACTIVE),
        ({"Employment Status": "Terminated", "Status": "Inactive"}, GONE),
        ({"Employment Status": "Terminated", "Status": "Active"}, UNKNOWN),
        ({"Status": "Active", "Termination Date": "2026-12-31"}, ACTIVE),
        ({"Status": "Terminated", "Termination Date": "2026-12-31"}, ACTIVE),
        ({"Status": "Terminated", "Termination Date": "2026-01-31"}, GONE),
        ({"Status": "Active", "Termination Date": "2026-01-31"}, UNKNOWN),
        ({"Termination Date": "31.01.2026"}, GONE),
        ({"Termination Date": "05/31/2026"}, GONE),
        ({"Termination Date": "03/04/2026"}, GONE),
        ({"Termination Date": "05/06/2026"}, UNKNOWN),
        ({"Termination Date": "3/4/2031", "Status": "Active"}, ACTIVE),
        ({"Termination Date": "2026-01-31-08:00"}, GONE),
        ({"Termination Date": "Dec 31, 2099", "Status": "Active"}, ACTIVE),
        ({"Termination Date": "31 Jan 2026"}, GONE),
        ({"Termination Date": "1/31/2026 12:00:00 AM"}, GONE),
        ({"Soft deletion time stamp": "2026-01-02 08:00:00Z"}, GONE),
        ({"Termination Date": "30/02/2026"}, UNKNOWN),
        ({"Account Status": "TRANSFER_SUSPENDED"}, GONE),
        ({"Active": "Inactive"}, GONE),
        ({"Active": "Ja"}, ACTIVE),
        ({"Enabled": "NEIN"}, GONE),
        ({"Sign-in blocked": "Yes"}, GONE),
        ({"nsAccountLock": "TRUE"}, GONE),
        ({"Termination Date": "soon"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_status(cells: dict[str, str], expected: PersonStatus) -> None:
    row = ExportRow(2, {normalized(name): value for name, value in cells.items()})
    status, why = status_of(row, TODAY)
    assert (status, bool(why)) == (expected, True), why


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("User name [userPrincipalName] Required", "userprincipalname"),
        ("Email Address [Required]", "emailaddress"),
        ("Status [READ ONLY]", "status"),
        ("Recovery Phone [MUST BE IN THE E.164 FORMAT]", "recoveryphone"),
        ("Employee #", "employee"),
        ("Email - Primary Work", "emailprimarywork"),
        ("name.givenName", "namegivenname"),
        ("sAMAccountName", "samaccountname"),
    ],
)
def test_headers_are_compared_without_notes_and_signs(header: str, name: str) -> None:
    assert normalized(header) == name
