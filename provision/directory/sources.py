"""Which exports are known: how each is recognised by its columns, and which column means what.

The header rows come from the vendors' documentation and from parsers of others; a source that names its columns freely (Jamf,
Workday, reports of HR systems) is matched by synonyms. `docs/people.md` has the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.directory.export_text import BadExportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.directory.export_rows import ExportRows

_NAME_COLUMNS = ("displayname", "name", "fullname", "givenname", "surname", "firstname", "lastname", "namegivenname")

_COMMON: dict[str, tuple[str, ...]] = {
    "external_id": ("objectid", "objectguid", "externalid", "immutableid"),
    "login": ("userprincipalname", "upn", "login", "username", "samaccountname"),
    "email": ("mail", "email", "emailaddress", "workemail"),
    "department": ("department",),
    "groups": ("groups", "memberof"),
    "unit": ("orgunitpath", "organizationalunit", "ou"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of export. `needs` are alternative sets of columns by which it is recognised."""

    name: str
    needs: tuple[frozenset[str], ...]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mark: str = ""
    devices: bool = False
    realm: str = ""
    """Whose unchanging ids these are, if another source has the same ones."""

    def columns(self, wanted: str) -> tuple[str, ...]:
        """The columns that may hold a field, the best first."""
        return (*self.fields.get(wanted, ()), *_COMMON.get(wanted, ()))


def _sets(*texts: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split()) for text in texts)


SOURCES: tuple[Source, ...] = (
    Source(
        "entra",
        _sets(
            "userprincipalname objectid accountenabled",
            "userprincipalname id accountenabled",
            "userprincipalname id displayname",
            "userprincipalname objectid displayname",
            "userprincipalname id usertype",
            "userprincipalname passwordprofile blockcredential",
        ),
        {"external_id": ("objectid", "id")},
    ),
    Source(
        "m365",
        _sets("userprincipalname blockcredential", "userprincipalname blockcredential objectid displayname"),
        {"external_id": ("objectid",), "email": ("primarysmtp",)},
        realm="entra",
    ),
    Source(
        "google",
        _sets("emailaddress orgunitpath firstname", "emailaddress orgunitpath"),
        {"external_id": ("employeeid",), "login": ("emailaddress",)},
    ),
    Source(
        "gam",
        _sets("primaryemail"),
        {
            "external_id": ("id", "externalids0value"),
            "login": ("primaryemail",),
            "email": ("primaryemail",),
            "department": ("organizations0department", "organizationsdepartment"),
        },
    ),
    Source(
        "okta",
        _sets(
            "profilelogin status",
            "login firstname email",
            "login email status",
            "id status profileemail",
            "userlogin userstatus",
        ),
        {
            "external_id": ("id", "userid", "oktaid"),
            "login": ("profilelogin", "login", "userlogin"),
            "email": ("profileemail", "email", "useremail"),
            "department": ("profiledepartment", "department"),
        },
    ),
    Source(
        "jumpcloud",
        _sets("username email activated", "username email activated suspended"),
        {"external_id": ("id",), "login": ("email",)},
    ),
    Source(
        "ad",
        _sets(
            "samaccountname distinguishedname enabled",
            "samaccountname sid objectguid",
            "samaccountname userprincipalname enabled",
            "samaccountname userprincipalname givenname",
        ),
        {
            "login": ("userprincipalname", "samaccountname"),
            "external_id": ("objectguid",),
            "unit": ("distinguishedname",),
        },
    ),
    Source(
        "csvde",
        _sets("dn objectclass distinguishedname samaccountname", "dn objectclass samaccountname", "dn samaccountname"),
        {"login": ("userprincipalname", "samaccountname"), "unit": ("dn",)},
    ),
    Source(
        "ldif",
        _sets("dn samaccountname", "dn objectclass", "dn uid"),
        {
            "external_id": ("objectguid", "entryuuid"),
            "login": ("userprincipalname", "samaccountname", "uid"),
            "unit": ("dn",),
            "department": ("department", "departmentnumber", "ou"),
        },
        mark="ldif",
    ),
    Source(
        "scim",
        _sets("username active", "username id"),
        {
            "external_id": ("id", "externalid"),
            "login": ("username",),
            "email": ("emails0value",),
            "department": ("userdepartment", "department"),
            "groups": ("groups",),
        },
        mark="scim",
    ),
    Source(
        "jamf",
        _sets("computername username", "computername emailaddress", "serialnumber username emailaddress"),
        {"login": ("username",), "email": ("emailaddress", "email"), "device": ("computername", "displayname")},
        devices=True,
    ),
    Source(
        "intune",
        _sets(
            "devicename primaryuserupn",
            "devicename upn",
            "devicename primaryuseremailaddress",
            "devicename useremail",
        ),
        {
            "login": ("primaryuserupn", "upn"),
            "email": ("primaryuseremailaddress", "useremail"),
            "device": ("devicename",),
            "system": ("os", "operatingsystem"),
        },
        devices=True,
    ),
    Source(
        "bamboohr",
        _sets("employee workemail", "employee status department"),
        {
            "external_id": ("employee", "employeenumber", "employeeid"),
            "login": ("workemail",),
            "email": ("workemail",),
            "department": ("department", "division"),
        },
    ),
    Source(
        "workday",
        _sets("employeeid worker", "employeeid workerstatus", "employeeid supervisoryorganization"),
        {
            "external_id": ("employeeid",),
            "login": ("emailprimarywork", "workemail", "primaryworkemail", "email"),
            "email": ("emailprimarywork", "workemail", "primaryworkemail", "email"),
            "department": ("supervisoryorganization", "department"),
        },
    ),
)
BY_NAME = {source.name: source for source in SOURCES}
GENERIC = Source("other", ())


def find_source(rows: ExportRows, wanted: str, mapped: bool) -> Source:
    """The named source, or with `auto` the one whose columns fit best. `mapped`: with columns named by hand any will do.

    Raises BadExportError, which lists the columns.
    """
    if wanted != "auto":
        return BY_NAME[wanted]
    there = rows.columns.keys()
    if not rows.rows and (marked := [source for source in SOURCES if source.mark in rows.marks]):
        return marked[0]
    best: list[tuple[int, Source]] = []
    for source in SOURCES:
        if source.mark and source.mark not in rows.marks:
            continue
        size = max((len(need) for need in source.needs if need <= there), default=0)
        if size:
            best.append((size + 10 * bool(source.mark), source))
    if not best:
        if mapped:
            return GENERIC
        names = ", ".join(list(rows.columns.values())[:12])
        if not names:
            raise BadExportError("the export has no users", hint="export it again, or name the source with --from")
        raise BadExportError(
            f"unknown kind of export: its columns are {names}",
            hint="name the source with --from, or the columns with --map login=COLUMN",
        )
    top = max(size for size, _ in best)
    found = [source for size, source in best if size == top]
    if len(found) > 1:
        names = " or ".join(source.name for source in found)
        raise BadExportError(f"the export may be of {names}", hint=f"say which: --from {found[0].name}")
    return found[0]


def name_cells(cells: Mapping[str, str]) -> list[str]:
    """The cells with people's names: where a lost encoding shows."""
    return [cells[name] for name in _NAME_COLUMNS if name in cells]


def organizational_units(path: str) -> list[str]:
    """The units of `/Sales/EMEA` or of a distinguished name, the nearest first, then the whole path."""
    if path.startswith("/"):
        parts = [part for part in path.split("/") if part]
        return [*reversed(parts), path] if parts else []
    return re.findall(r"(?i)(?:^|,)OU=((?:\\.|[^,])+)", path)


def group_names(text: str) -> list[str]:
    """The names of groups in a cell: distinguished names or plain ones, separated by `;`, or by blanks as GAM writes them."""
    if "CN=" in text or "cn=" in text:
        return re.findall(r"(?i)(?:^|;)\s*CN=((?:\\.|[^,;])+)", text)
    separator = ";" if ";" in text else None if "@" in text else ","
    return [part.strip() for part in text.split(separator) if part.strip()]
