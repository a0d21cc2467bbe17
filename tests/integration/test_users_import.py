"""`users import`: real-shaped exports of every source give the right plan, a second run changes nothing, traps are caught."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import directorycraft as exports
import pytest
import yaml
from directorycraft import Account

from provision.cli.main import run

ANN = Account("ann.lee@contoso.com", "Ann", "Lee")
LUCAS = Account("édouard.lucas@contoso.com", "Édouard", "Lucas", "Engineering")
OBRIEN = Account("o'brien@contoso.com", "Una", "O'Brien", "Engineering")
GONE = Account("bob@contoso.com", "Bob", "Gone", active=False)
BLANK = Account("cy@contoso.com", "Cy", "Blank", active=None)
PEOPLE = (ANN, LUCAS, OBRIEN, GONE, BLANK)

Call = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ws"
    (folder / "profiles").mkdir(parents=True)
    for name in ("base", "sales", "engineering"):
        (folder / "profiles" / f"{name}.yaml").write_text("model: gpt-5.2\n")
    (folder / "provision.toml").write_text("")
    users = "".join(f"  - {{id: old{n}, recipients: []}}\n" for n in range(10))
    (folder / "inventory.yaml").write_text(
        "defaults: {profile: base}   # the usual\nusers:\n"
        f"  - id: bob   # joined in May\n    email: bob@contoso.com\n    recipients: []\n{users}"
    )
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def imported(root: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def command(data: str | bytes, *arguments: str, encoding: str = "utf-8", yes: bool = True) -> Any:
        path = root.parent / "export"
        path.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
        code = run(["users", "import", str(path), "--format", "json", *arguments, *(["--yes"] if yes else [])])
        told = capsys.readouterr()
        return code, json.loads(told.out) if told.out.startswith("{") else {}, told.err

    return command


def ids(found: dict[str, Any], name: str) -> list[str]:
    return [each["id"] for each in found[name]]


CASES: dict[str, tuple[str, str]] = {
    "entra": (exports.entra(PEOPLE), "utf-8"),
    "entra with new names": (exports.entra(PEOPLE, exports.ENTRA_NEW), "utf-8-sig"),
    "entra by Export-Csv": (
        exports.entra(PEOPLE, separator=";", quote=True, first="#TYPE System.Object\r\n"),
        "utf-16",
    ),
    "entra by Out-File": (exports.entra(PEOPLE, separator="\t"), "utf-16-le"),
    "entra template": (exports.entra(PEOPLE, first="version:v1.0\r\n"), "utf-8"),
    "m365": (exports.m365(PEOPLE), "utf-8-sig"),
    "google": (exports.google(PEOPLE, end="\n"), "utf-8"),
    "gam": (exports.gam(PEOPLE, end="\n"), "utf-8"),
    "okta": (exports.okta(PEOPLE), "utf-8"),
    "okta in CSV": (exports.okta_csv(PEOPLE), "utf-8"),
    "jumpcloud": (exports.jumpcloud(PEOPLE), "utf-8"),
    "ad": (exports.ad(PEOPLE, separator=";"), "utf-16"),
    "ad in Windows-1252": (exports.ad(PEOPLE, separator=";"), "cp1252"),
    "csvde": (exports.csvde(PEOPLE), "utf-8"),
    "ldif": (exports.ldif(PEOPLE), "utf-8"),
    "scim": (exports.scim(PEOPLE), "utf-8"),
    "scim with texts": (exports.scim(PEOPLE, text_booleans=True), "utf-8"),
    "bamboohr": (exports.bamboohr(PEOPLE), "utf-8"),
    "workday": (exports.workday(PEOPLE), "utf-8"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_source_gives_the_same_plan_and_a_second_run_is_empty(name: str, imported: Call, root: Path) -> None:
    text, encoding = CASES[name]
    before = (root / "inventory.yaml").read_text()
    code, plan, _ = imported(text, "--dry-run", encoding=encoding)
    assert code == 0
    assert (root / "inventory.yaml").read_text() == before
    assert plan["schema"] == "provision/users-import/v1"
    assert plan["source"] == name.split(maxsplit=1)[0]
    assert ids(plan, "joiners") == ["ann.lee", "edouard.lucas", "obrien"]
    assert ids(plan, "leavers") == ["bob"]
    assert ids(plan, "unknown") == ["cy"]
    assert ids(plan, "movers") == ids(plan, "unmapped") == []
    assert [each["profile"] for each in plan["joiners"]] == ["sales", "engineering", "engineering"]

    code, _, _ = imported(text, encoding=encoding)
    assert code == 0
    written = (root / "inventory.yaml").read_text()
    assert "  - id: bob   # joined in May\n" in written
    users = {user["id"]: user for user in yaml.safe_load(written)["users"]}
    assert users["ann.lee"]["email"] == "ann.lee@contoso.com"
    assert users["ann.lee"]["profile"] == "sales"
    assert users["bob"]["left"]
    assert "cy" not in users

    code, plan, err = imported(text, encoding=encoding)
    assert code == 0
    assert [ids(plan, k) for k in ("joiners", "movers", "leavers", "unknown")] == [[], [], [], ["cy"]]
    assert "no changes" in err
    assert (root / "inventory.yaml").read_text() == written


@pytest.mark.parametrize("form", ["csv", "json"])
def test_inventories_in_csv_and_json_are_written_too(form: str, imported: Call, root: Path) -> None:
    (root / "inventory.yaml").unlink()
    (root / "provision.toml").write_text(f'inventory = "inventory.{form}"\n')
    if form == "csv":
        rows = "".join(f"old{n},base,\n" for n in range(10))
        (root / "inventory.csv").write_text(f"id,profile,recipients\n# careful\nbob,base,\n{rows}")
    else:
        entries = [
            {"id": each, "profile": "base", "recipients": []} for each in ("bob", *(f"old{n}" for n in range(10)))
        ]
        (root / "inventory.json").write_text(json.dumps({"users": entries}, indent=2))
    code, plan, _ = imported(exports.entra(PEOPLE))
    assert (code, ids(plan, "leavers")) == (0, ["bob"])
    text = (root / f"inventory.{form}").read_text()
    assert f"entra:{ANN.guid}" in text
    assert ("# careful" in text) == (form == "csv")
    code, plan, err = imported(exports.entra(PEOPLE))
    assert "no changes" in err


def test_what_ansible_prints_is_never_written(imported: Call, root: Path) -> None:
    (root / "provision.toml").write_text('inventory = "inventory.json"\n')
    hosts = {"bob": {"hermes_profile": "base", "hermes_recipients": []}}
    (root / "inventory.json").write_text(json.dumps({"_meta": {"hostvars": hosts}}))
    before = (root / "inventory.json").read_bytes()
    code, _, err = imported(exports.entra((ANN,)))
    assert code == 1
    assert "ansible-inventory" in err
    assert (root / "inventory.json").read_bytes() == before


def test_a_renamed_person_is_a_mover(imported: Call, root: Path) -> None:
    imported(exports.entra((ANN,)))
    married = exports.entra((replace(ANN, login="ann.king@contoso.com"), replace(GONE, active=None))).replace(
        replace(ANN, login="ann.king@contoso.com").guid, ANN.guid
    )
    code, plan, _ = imported(married, "--complete")
    assert code == 0
    assert plan["movers"] == [{"id": "ann.lee", "changes": {"email": ["ann.lee@contoso.com", "ann.king@contoso.com"]}}]
    assert ids(plan, "joiners") == ids(plan, "leavers") == []


def test_a_department_moves_people_only_by_the_operators_map(imported: Call, root: Path) -> None:
    table = root.parent / "map.csv"
    table.write_text("team,profile\nSales,sales\nEngineering,engineering\n")
    imported(exports.entra((ANN,)))
    moved = exports.entra((replace(ANN, department="Engineering"),))
    assert ids(imported(moved)[1], "movers") == []
    plan = imported(moved, "--profile-map", str(table))[1]
    assert plan["movers"] == [{"id": "ann.lee", "changes": {"profile": ["sales", "engineering"]}}]
    assert ids(imported(moved, "--profile-map", str(table))[1], "movers") == []


def test_a_mail_address_given_to_another_person_is_not_taken_over(imported: Call) -> None:
    imported(exports.entra((ANN,)))
    other = exports.entra((ANN,)).replace(ANN.guid, LUCAS.guid)
    code, plan, _ = imported(other)
    assert (code, ids(plan, "unmapped"), ids(plan, "movers")) == (4, ["ann.lee"], [])


def test_who_is_in_a_row_that_cannot_be_used_has_not_left(imported: Call, root: Path) -> None:
    """A complete export has everyone, also those whose rows are doubled, moved or not theirs."""
    imported(exports.entra(PEOPLE))
    doubled = exports.entra((ANN, LUCAS)) + exports.entra((ANN,)).splitlines()[1].replace("Ann Lee", "Ann") + "\r\n"
    doubled = doubled.replace(",Sales,True", ",Other,True", 1)
    formula = exports.entra((ANN, LUCAS)).replace(",Sales,True", ",=1+1,True")
    for text in (doubled, formula, exports.entra((LUCAS,)) + "ann.lee@contoso.com,Lee, Ann" + "," * 22 + "True,\r\n"):
        plan = imported(text, "--complete", "--dry-run")[1]
        assert ids(plan, "leavers") == ["obrien"], text
        assert "ann.lee@contoso.com" in ids(plan, "unmapped")


def test_a_complete_export_finds_who_was_never_given_an_id(imported: Call, root: Path) -> None:
    text = (root / "inventory.yaml").read_text()
    (root / "inventory.yaml").write_text(text + "  - {id: dora, email: dora@contoso.com, recipients: []}\n")
    plan = imported(exports.entra(PEOPLE), "--complete", "--dry-run", "--max-leavers", "90")[1]
    assert ids(plan, "leavers") == ["bob", "dora"]
    assert plan["without_identity"] == 10


def test_absence_proves_nothing_unless_the_export_is_complete(imported: Call, root: Path) -> None:
    imported(exports.entra(PEOPLE))
    plan = imported(exports.entra((LUCAS, OBRIEN)), "--dry-run")[1]
    assert (ids(plan, "leavers"), ids(plan, "absent")) == ([], ["ann.lee"])
    plan = imported(exports.entra((LUCAS, OBRIEN)), "--complete", "--dry-run")[1]
    assert ids(plan, "leavers") == ["ann.lee"]


@pytest.mark.parametrize(
    "text", [exports.scim(PEOPLE[:2], total=400), json.dumps({"value": [], "@odata.nextLink": "x"})]
)
def test_a_page_is_not_a_complete_export(text: str, imported: Call) -> None:
    source = "scim" if "totalResults" in text else "entra"
    code, _, err = imported(text, "--complete", "--from", source)
    assert code == 1
    assert "absence from it proves nothing" in err
    assert imported(text, "--from", source)[0] == 0


def test_many_leavers_stop_the_import(imported: Call, root: Path) -> None:
    before = (root / "inventory.yaml").read_bytes()
    gone = [Account(f"old{n}@contoso.com", "Old", str(n), active=False) for n in range(2)]
    code, plan, err = imported(exports.entra(gone))
    assert code == 1
    assert "2 of 11 users would leave" in err
    assert (root / "inventory.yaml").read_bytes() == before
    assert ids(plan, "leavers") == ["old0", "old1"]
    assert imported(exports.entra(gone), "--max-leavers", "50")[0] == 0


def test_a_download_that_was_cut_is_not_complete(imported: Call) -> None:
    text = exports.entra((ANN, LUCAS, OBRIEN))
    code, plan, _ = imported(text[:-60], "--dry-run")
    assert (ids(plan, "unmapped"), plan["partial"]) == (["o'brien@contoso.com"], "it ends in the middle of a row")
    code, _, err = imported(text[:-60], "--complete")
    assert (code, "absence from it proves nothing" in err) == (1, True)
    quoted = exports.entra((ANN, LUCAS), quote=True)
    code, _, err = imported(quoted[:-30])
    assert (code, "cut off" in err) == (1, True)


def test_a_comma_without_quotes_moves_columns_of_one_row_only(imported: Call) -> None:
    text = exports.entra((ANN, LUCAS)).replace("Ann Lee", "Lee, Ann")
    code, plan, _ = imported(text)
    assert (code, ids(plan, "joiners"), ids(plan, "unmapped")) == (4, ["edouard.lucas"], ["ann.lee@contoso.com"])
    trailing = exports.entra((ANN, LUCAS), end=",\n")
    header, _, rest = trailing.partition(",\n")
    assert imported(header + "\n" + rest, "--dry-run")[0] == 0, "every row ends in a separator"


def test_what_is_no_export_is_named(imported: Call) -> None:
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    for data, said in (
        (book.getvalue(), "a workbook of Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "a workbook of Excel"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a page of HTML"),
        (b"[]", "the export has no users"),
    ):
        code, _, err = imported(data)
        assert (code, said in err) == (1, True), err


def test_forms_of_json_and_ldif(imported: Call) -> None:
    lines = "".join(json.dumps(each) + "\n" for each in json.loads(exports.okta(PEOPLE)))
    assert ids(imported(lines, "--dry-run")[1], "joiners") == ["ann.lee", "edouard.lucas", "obrien"]
    ldap = (
        "# extended LDIF\n#\n# LDAPv3\n\n" + exports.ldif(PEOPLE) + "\n# search result\nsearch: 2\nresult: 0 Success\n"
    )
    assert ids(imported(ldap, "--dry-run")[1], "joiners") == ["ann.lee", "edouard.lucas", "obrien"]
    nobody = json.dumps({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0})
    code, plan, _ = imported(nobody)
    assert (code, plan["source"]) == (0, "scim")


def test_groups_in_a_list_of_members_are_no_people(imported: Call) -> None:
    text = f"id,userPrincipalName,displayName,objectType\n{ANN.guid},ann.lee@contoso.com,Ann,User\n{GONE.guid},,VPN,Group\n"
    code, plan, _ = imported(text, "--team", "Sales", "--assume-active", "--dry-run")
    assert (code, ids(plan, "joiners"), plan["skipped"]) == (0, ["ann.lee"], 1)
    assert plan["joiners"][0]["profile"] == "sales"


def test_a_person_twice_in_other_letters_is_one(imported: Call) -> None:
    text = exports.entra((ANN,))
    code, plan, _ = imported(text + text.splitlines()[1].replace("ann.lee@", "ANN.LEE@") + "\r\n")
    assert (code, ids(plan, "joiners")) == (0, ["ann.lee"])


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "@Sales", "+Sales", "-Sales"])
def test_a_formula_chooses_no_profile(cell: str, imported: Call) -> None:
    code, plan, _ = imported(exports.entra((replace(ANN, department=cell),)), "--profile", "base")
    assert (code, ids(plan, "unmapped")) == (4, ["ann.lee@contoso.com"])
    assert ids(imported(exports.entra((replace(ANN, department="-"),)))[1], "joiners") == ["ann.lee"]


def test_a_leaver_column_of_wrong_polarity_is_caught(imported: Call, root: Path) -> None:
    """Block credential=True means blocked; read as `enabled` it would throw out everyone who works here."""
    people = [Account(f"old{n}@contoso.com", "Old", str(n)) for n in range(10)]
    assert imported(exports.m365(people))[0] == 0
    code, _, err = imported(exports.m365(people), "--map", "active=Block credential")
    assert code == 2
    assert "opposite meaning" in err
    renamed = exports.m365(people).replace("Block credential", "Sperre")
    code, _, err = imported(renamed, "--from", "m365", "--map", "active=Sperre")
    assert code == 1
    assert "would leave" in err


def test_a_future_end_is_no_leaver_and_a_past_one_is(imported: Call) -> None:
    old = [Account("old0@contoso.com", "Old", "0", active=False), Account("old1@contoso.com", "Old", "1", active=False)]
    ends = {"old0@contoso.com": "2099-12-31", "old1@contoso.com": "2026-01-31"}
    plan = imported(exports.bamboohr(old, ends), "--dry-run")[1]
    assert ids(plan, "leavers") == ["old1"]


def test_deleted_in_m365_is_gone_although_nothing_is_blocked(imported: Call) -> None:
    plan = imported(exports.m365((replace(GONE, active=True),), deleted=["bob@contoso.com"]), "--dry-run")[1]
    assert ids(plan, "leavers") == ["bob"]


def test_a_blank_status_is_unknown_and_said_once(imported: Call) -> None:
    blank = [replace(person, active=None) for person in PEOPLE]
    code, plan, err = imported(exports.entra(blank))
    assert code == 0
    assert [ids(plan, k) for k in ("joiners", "leavers")] == [[], []]
    assert len(plan["unknown"]) == 5
    assert err.count("-Property AccountEnabled") == 1
    assert ids(imported(exports.entra(blank), "--assume-active", "--dry-run")[1], "joiners") == [
        "ann.lee", "edouard.lucas", "obrien", "cy",
    ]  # fmt: skip


def test_double_ids_collisions_guests_and_formulas_are_not_used(imported: Call, root: Path) -> None:
    text = exports.entra((ANN, LUCAS, OBRIEN, Account("obrien@contoso.com", "Other", "Brien")))
    text += text.splitlines()[1].replace("ann.lee", "ann.other") + "\r\n"
    text += '=HYPERLINK("http://evil"),x,,,,,Member,,Sales,True\r\n'
    text += f"ann_partner.com#EXT#@contoso.com,x,,,,{GONE.guid},Guest,,Sales,True\r\n"
    code, plan, _ = imported(text)
    assert code == 4
    assert ids(plan, "joiners") == ["edouard.lucas"]
    why = {entry["why"] for entry in plan["unmapped"]}
    assert sum("is in 2 rows" in each for each in why) == 1
    assert any("would get the same user id" in each and "o'brien@contoso.com (row 4)" in each for each in why)
    assert any("a formula instead of a value" in each for each in why)
    assert any("a guest account" in each for each in why)
    assert "HYPERLINK" not in (root / "inventory.yaml").read_text()


def test_lost_letters_are_reported(imported: Call) -> None:
    text = exports.ad((LUCAS, ANN)).encode("ascii", "replace")
    code, plan, err = imported(text)
    assert code == 4
    assert ids(plan, "joiners") == ["ann.lee"]
    assert "add -Encoding UTF8" in err


def test_an_id_is_never_a_guid_or_half_a_name(imported: Call) -> None:
    people = (Account(f"{ANN.guid}@contoso.com", "A", "B"), Account("王@contoso.com", "Wang", "Li"))
    code, plan, _ = imported(exports.entra(people))
    assert code == 4
    assert ids(plan, "joiners") == []
    text = exports.entra(people).replace("jobTitle", "Kürzel").replace("Member,,", "Member,wli,", 2)
    code, plan, _ = imported(text.replace("Member,wli,", "Member,abx,", 1), "--map", "id=Kürzel")
    assert ids(plan, "joiners") == ["abx", "wli"]


def test_columns_can_be_named_by_hand_and_others_are_listed(imported: Call) -> None:
    text = "Nutzer,Postfach,Aktiv,Team\nann,ann@contoso.com,true,sales\n"
    code, _, err = imported(text)
    assert code == 1
    assert "its columns are Nutzer, Postfach, Aktiv, Team" in err
    named = ("--map", "login=Nutzer", "--map", "email=Postfach", "--map", "active=Aktiv", "--map", "department=Team")
    code, plan, _ = imported(text, *named)
    assert (code, plan["joiners"][0]["id"], plan["joiners"][0]["profile"]) == (0, "ann", "sales")
    assert imported(text, "--map", "login=Konto")[0] == 2


def test_without_an_answer_nothing_is_written(imported: Call, root: Path) -> None:
    before = (root / "inventory.yaml").read_bytes()
    code, _, err = imported(exports.entra((ANN,)), yes=False)
    assert code == 2
    assert "not confirmed" in err
    assert (root / "inventory.yaml").read_bytes() == before


DEVICES = (
    ("ANN-MBP", "ann.lee@contoso.com", "macOS"),
    ("ANN-PC", "ann.lee@contoso.com", "Windows"),
    ("Ann\u2019s iPhone", "ann.lee@contoso.com", "iOS"),
    ("LUCAS-PC", "édouard.lucas@contoso.com", "Windows"),
    ("GHOST", "ghost@contoso.com", "Windows"),
)


@pytest.mark.parametrize("data", [exports.intune(DEVICES), exports.intune_report(DEVICES)], ids=["portal", "report"])
def test_devices_join_as_machines_of_their_users(data: str | bytes, imported: Call, root: Path) -> None:
    imported(exports.entra((ANN, LUCAS)))
    code, plan, _ = imported(data)
    assert code == 4, "the user of one device is not in the inventory"
    assert plan["source"] == "intune"
    assert ids(plan, "movers") == ["ann.lee", "edouard.lucas"]
    assert ids(plan, "unmapped") == ["ann.lee", "ghost"]
    users = {user["id"]: user for user in yaml.safe_load((root / "inventory.yaml").read_text())["users"]}
    assert (users["ann.lee"]["machine"], users["ann.lee"]["platform"]) == ("ann-mbp", "macos")
    assert users["ann.lee"]["machines"] == [{"name": "ann-pc", "recipients": [], "platform": "windows"}]
    assert users["edouard.lucas"]["machine"] == "lucas-pc"
    assert ids(imported(data)[1], "movers") == []


def test_machines_of_jamf_join_too(imported: Call, root: Path) -> None:
    imported(exports.entra((ANN,)))
    code, plan, _ = imported(exports.jamf(DEVICES[:1]))
    assert (code, plan["source"], ids(plan, "movers")) == (0, "jamf", ["ann.lee"])
