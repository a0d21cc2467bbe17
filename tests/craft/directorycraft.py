"""Exports as directories, device managers and HR systems write them: their header rows, polarities, encodings and quirks."""

from __future__ import annotations

import base64
import csv
import io
import json
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A person in a directory. `active` None: the export does not say."""

    login: str
    given: str
    surname: str
    department: str = "Sales"
    active: bool | None = True
    mail: str | None = None

    @property
    def guid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.login))

    @property
    def number(self) -> str:
        return str(int(self.guid[:6], 16))

    @property
    def address(self) -> str:
        return self.login if self.mail is None else self.mail

    @property
    def account(self) -> str:
        return self.login.partition("@")[0]

    @property
    def dn(self) -> str:
        return f"CN={self.given} {self.surname},OU={self.department},OU=Staff,DC=contoso,DC=com"


def columns(*lines: str) -> list[str]:
    """A header row, from pieces of it."""
    return ",".join(lines).split(",")


ENTRA = [
    "userPrincipalName",
    "displayName",
    "surname",
    "mail",
    "givenName",
    "objectId",
    "userType",
    "jobTitle",
    "department",
    "accountEnabled",
    "usageLocation",
    "streetAddress",
    "state",
    "country",
    "physicalDeliveryOfficeName",
    "city",
    "postalCode",
    "telephoneNumber",
    "mobile",
    "authenticationAlternativePhoneNumber",
    "authenticationEmail",
    "alternateEmailAddress",
    "ageGroup",
    "consentProvidedForMinor",
    "legalAgeGroupClassification",
]
ENTRA_NEW = [
    "userPrincipalName",
    "displayName",
    "surname",
    "mail",
    "givenName",
    "id",
    "userType",
    "jobTitle",
    "department",
    "accountEnabled",
    "usageLocation",
    "officeLocation",
    "mobilePhone",
    "companyName",
    "creationType",
    "directorySynced",
    "invitationState",
    "identityIssuer",
    "createdDateTime",
]
M365 = [
    "Display name",
    "DirSyncEnabled",
    "User principal name",
    "Object Id",
    "First name",
    "Last name",
    "When created",
    "Soft deletion time stamp",
    "Title",
    "Department",
    "Preferred data location",
    "City",
    "CountryOrRegion",
    "Office",
    "StateOrProvince",
    "Usage location",
    "Last dirsync time",
    "Block credential",
    "Licenses",
    "Password never expires",
    "Last password change time stamp",
    "Mobile Phone",
    "Phone number",
    "Postal code",
    "Preferred language",
    "Street address",
    "Fax",
    "Proxy addresses",
]
GOOGLE = [
    "First Name [Required]",
    "Last Name [Required]",
    "Email Address [Required]",
    "Password [Required]",
    "Password Hash Function [UPLOAD ONLY]",
    "Org Unit Path [Required]",
    "New Primary Email [UPLOAD ONLY]",
    "Status [READ ONLY]",
    "Last Sign In [READ ONLY]",
    "Recovery Email",
    "Home Secondary Email",
    "Work Secondary Email",
    "Recovery Phone [MUST BE IN THE E.164 FORMAT]",
    "Work Phone",
    "Home Phone",
    "Mobile Phone",
    "Work Address",
    "Home Address",
    "Employee ID",
    "Employee Type",
    "Employee Title",
    "Manager Email",
    "Department",
    "Cost Center",
    "2sv Enrolled [READ ONLY]",
    "2sv Enforced [READ ONLY]",
    "Building ID",
    "Floor Name",
    "Floor Section",
    "Email Usage [READ ONLY]",
    "Drive Usage [READ ONLY]",
    "Total Storage [READ ONLY]",
    "Change Password at Next Sign-In",
    "New Status [UPLOAD ONLY]",
]


def table(
    header: Sequence[str],
    rows: Sequence[dict[str, str]],
    *,
    separator: str = ",",
    quote: bool = False,
    first: str = "",
    end: str = "\r\n",
) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(
        out, header, delimiter=separator, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL, lineterminator=end
    )
    writer.writeheader()
    writer.writerows(rows)
    return first + out.getvalue()


def _bool(value: bool | None) -> str:
    return "" if value is None else str(value)


def entra(people: Sequence[Account], header: Sequence[str] = ENTRA, **form: object) -> str:
    rows = [
        {
            "userPrincipalName": p.login, "displayName": f"{p.given} {p.surname}", "surname": p.surname, "mail": p.mail or "",
            "givenName": p.given, "userType": "Member", "department": p.department, "accountEnabled": _bool(p.active),
            ("id" if "id" in header else "objectId"): p.guid,
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, **form)  # type: ignore[arg-type]


def m365(people: Sequence[Account], deleted: Sequence[str] = (), **form: object) -> str:
    rows = [
        {
            "Display name": f"{p.given} {p.surname}", "User principal name": p.login, "Object Id": p.guid,
            "First name": p.given, "Last name": p.surname, "Department": p.department,
            "Block credential": _bool(None if p.active is None else not p.active),
            "Soft deletion time stamp": "2026-01-02T03:04:05Z" if p.login in deleted else "",
            "Proxy addresses": f"smtp:old@contoso.com+SMTP:{p.address}",
        }
        for p in people
    ]  # fmt: skip
    return table(M365, rows, **form)  # type: ignore[arg-type]


def google(people: Sequence[Account], **form: object) -> str:
    words = {True: "Active", False: "Suspended", None: ""}
    rows = [
        {
            "First Name [Required]": p.given, "Last Name [Required]": p.surname, "Email Address [Required]": p.login,
            "Password [Required]": "****", "Org Unit Path [Required]": f"/Staff/{p.department}",
            "Status [READ ONLY]": words[p.active], "Employee ID": p.number,
        }
        for p in people
    ]  # fmt: skip
    return table(GOOGLE, rows, **form)  # type: ignore[arg-type]


def gam(people: Sequence[Account], **form: object) -> str:
    header = [
        "primaryEmail",
        "id",
        "name.givenName",
        "name.familyName",
        "orgUnitPath",
        "suspended",
        "archived",
        "GroupsCount",
        "Groups",
    ]
    rows = [
        {
            "primaryEmail": p.login, "id": p.number, "name.givenName": p.given, "orgUnitPath": f"/{p.department}",
            "suspended": _bool(None if p.active is None else not p.active),
            "archived": "" if p.active is None else "False", "GroupsCount": "1", "Groups": "all@contoso.com",
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, **form)  # type: ignore[arg-type]


def okta(people: Sequence[Account]) -> str:
    words = {True: "ACTIVE", False: "DEPROVISIONED", None: ""}
    return json.dumps(
        [
            {
                "id": f"00u{p.number}", "status": words[p.active], "created": "2025-01-01T00:00:00.000Z",
                "activated": "2025-01-01T00:00:00.000Z",
                "profile": {
                    "login": p.login, "email": p.address, "firstName": p.given, "lastName": p.surname,
                    "department": p.department,
                },
            }
            for p in people
        ]
    )  # fmt: skip


def okta_csv(people: Sequence[Account], **form: object) -> str:
    words = {True: "LOCKED_OUT", False: "SUSPENDED", None: ""}
    header = ["login", "firstName", "lastName", "email", "department", "status"]
    rows = [
        {
            "login": p.login, "firstName": p.given, "lastName": p.surname, "email": p.address,
            "department": p.department, "status": words[p.active],
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, **form)  # type: ignore[arg-type]


def jumpcloud(people: Sequence[Account], **form: object) -> str:
    header = columns(
        "id,username,email,firstname,lastname,activated,suspended,department,attributes",
    )
    rows = [
        {
            "id": p.guid.replace("-", "")[:24], "username": p.account, "email": p.login, "department": p.department,
            "activated": "" if p.active is None else "True",
            "suspended": _bool(None if p.active is None else not p.active), "attributes": '[{"name":"a","value":"b"}]',
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, quote=True, **form)  # type: ignore[arg-type]


def ad(people: Sequence[Account], **form: object) -> str:
    header = [
        "DistinguishedName",
        "Enabled",
        "GivenName",
        "Name",
        "ObjectClass",
        "ObjectGUID",
        "SamAccountName",
        "SID",
        "Surname",
        "UserPrincipalName",
    ]
    rows = [
        {
            "DistinguishedName": p.dn, "Enabled": _bool(p.active), "GivenName": p.given, "ObjectClass": "user",
            "Name": f"{p.given} {p.surname}", "ObjectGUID": p.guid, "SamAccountName": p.account, "Surname": p.surname,
            "UserPrincipalName": p.login,
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, quote=True, first="#TYPE Microsoft.ActiveDirectory.Management.ADUser\r\n", **form)  # type: ignore[arg-type]


def _control(active: bool | None) -> str:
    return {True: "512", False: "514", None: ""}[active]


def _hexed(text: str) -> str:
    return text if text.isascii() else f"X'{text.encode().hex()}'"


def csvde(people: Sequence[Account], **form: object) -> str:
    header = [
        "DN",
        "objectClass",
        "distinguishedName",
        "instanceType",
        "whenCreated",
        "sAMAccountName",
        "userPrincipalName",
        "mail",
        "memberOf",
        "userAccountControl",
        "givenName",
        "sn",
        "department",
    ]
    rows = [
        {
            "DN": _hexed(p.dn), "objectClass": "user", "distinguishedName": _hexed(p.dn), "sAMAccountName": p.account,
            "userPrincipalName": p.login, "mail": p.mail or "", "givenName": _hexed(p.given), "sn": _hexed(p.surname),
            "memberOf": f"CN={p.department},OU=Groups,DC=contoso,DC=com;CN=All,OU=Groups,DC=contoso,DC=com",
            "userAccountControl": _control(p.active),
        }
        for p in people
    ]  # fmt: skip
    rows.append(
        {"DN": "CN=PC7,DC=contoso", "objectClass": "computer", "sAMAccountName": "PC7$", "userAccountControl": "4096"}
    )
    return table(header, rows, **form)  # type: ignore[arg-type]


def ldif(people: Sequence[Account]) -> str:
    out = []
    for p in people:
        lines = {
            "dn": p.dn, "objectClass": "user", "sAMAccountName": p.account, "userPrincipalName": p.login,
            "givenName": p.given, "sn": p.surname, "department": p.department, "userAccountControl": _control(p.active),
        }  # fmt: skip
        text = []
        for name, value in lines.items():
            encoded = base64.b64encode(value.encode()).decode()
            line = f"{name}: {value}" if value.isascii() else f"{name}:: {encoded}"
            text += [line[:70], *(f" {line[at : at + 69]}" for at in range(70, len(line), 69))]
        guid = base64.b64encode(uuid.UUID(p.guid).bytes_le).decode()
        out.append("\r\n".join([text[0], "changetype: add", *text[1:], f"objectGUID:: {guid}"]) + "\r\n")
    return "\r\n".join(out)


def scim(people: Sequence[Account], total: int | None = None, text_booleans: bool = False) -> str:
    resources = [
        {
            "id": p.guid, "externalId": p.number, "userName": p.login,
            "active": ("" if p.active is None else str(p.active)) if text_booleans else p.active,
            "name": {"givenName": p.given, "familyName": p.surname},
            "emails": [
                {"value": f"private.{p.number}@example.org", "type": "home"},
                {"value": p.address, "type": "work", "primary": True},
            ],
            "groups": [{"display": p.department}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": p.department},
        }
        for p in people
    ]  # fmt: skip
    return json.dumps(
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total or len(people),
            "startIndex": 1, "itemsPerPage": len(people), "Resources": resources,
        }
    )  # fmt: skip


def bamboohr(people: Sequence[Account], ends: dict[str, str] | None = None, **form: object) -> str:
    header = [
        "Employee #",
        "First Name",
        "Last Name",
        "Job Title",
        "Department",
        "Division",
        "Location",
        "Employment Status",
        "Status",
        "Hire Date",
        "Termination Date",
        "Work Email",
        "Reports To",
        "Reports To Email",
    ]
    words = {True: ("Full-Time", "Active"), False: ("Terminated", "Inactive"), None: ("", "")}
    rows = [
        {
            "Employee #": p.number, "First Name": p.given, "Last Name": p.surname, "Department": p.department,
            "Employment Status": words[p.active][0], "Status": words[p.active][1], "Work Email": p.address,
            "Termination Date": (ends or {}).get(p.login, ""),
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, **form)  # type: ignore[arg-type]


def workday(people: Sequence[Account], **form: object) -> str:
    header = [
        "Employee ID",
        "Worker",
        "Email - Primary Work",
        "Supervisory Organization",
        "Worker Status",
        "Termination Date",
    ]
    words = {True: "Active", False: "Terminated", None: ""}
    rows = [
        {
            "Employee ID": p.number, "Worker": f"{p.given} {p.surname}", "Email - Primary Work": p.address,
            "Supervisory Organization": p.department, "Worker Status": words[p.active],
        }
        for p in people
    ]  # fmt: skip
    return table(header, rows, **form)  # type: ignore[arg-type]


def intune(devices: Sequence[tuple[str, str, str]]) -> str:
    """Name, login and operating system of each device, as the portal exports them."""
    header = [
        "Device name",
        "Managed by",
        "Ownership",
        "Compliance",
        "OS",
        "OS version",
        "Last check-in",
        "Primary user UPN",
        "Primary user email address",
        "Primary user display name",
        "Serial number",
        "Encrypted",
        "Enrollment date",
    ]
    rows = [{"Device name": n, "Primary user UPN": u, "Primary user email address": u, "OS": o} for n, u, o in devices]
    return table(header, rows)


def intune_report(devices: Sequence[tuple[str, str, str]]) -> bytes:
    """The zipped report of the API, with columns of localized values."""
    header = columns(
        "DeviceName,UPN,UserEmail,UserName,SerialNumber,OS,OS_loc,OSVersion,LastContact",
    )
    rows = [{"DeviceName": n, "UPN": u, "UserEmail": u, "OS": o, "OS_loc": o} for n, u, o in devices]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Devices_1.csv", table(header, rows))
    return out.getvalue()


def jamf(devices: Sequence[tuple[str, str, str]]) -> str:
    header = [
        "serial number",
        "computer name",
        "asset tag",
        "full name",
        "username",
        "email address",
        "building",
        "department",
        "site",
    ]
    rows = [{"computer name": n, "username": u.partition("@")[0], "email address": u} for n, u, _ in devices]
    return table(header, rows)
