"""Exports as directories and HR systems write them, with their traps: who is active, gone, unknown or unusable in each.

The file has a heading for each export: `## name | encoding | what must be found`. `\r` and `\u00a0` stand for these characters,
a backslash at the end for a file without a last line end. `source!` means that the export is not complete.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest

from provision.directory.people import read_export
from provision.directory.person import external_key
from provision.directory.user_ids import propose_id
from provision.errors import ProvisionError

FILE = Path(__file__).parents[2] / "data" / "directory_exports.txt"
MARKS = {"\\\\": "\\", "\\r": "\r", "\\u200b": "\u200b", "\\u00a0": "\u00a0"}
TODAY = date(2026, 11, 29)


def exports() -> list[tuple[str, str, str, str]]:
    found = []
    for block in re.split(r"(?m)^## ", FILE.read_text())[1:]:
        head, _, body = block.partition("\n")
        name, encoding, wanted = head.split(" | ")
        body = body.removesuffix("\n").removesuffix("\\") if body.endswith("\\\n") else body[: -len("\n")]
        text = re.sub(r"\\(?:\\|r|u200b|u00a0)", lambda found: MARKS[found[0]], body)
        found.append((name, encoding, wanted, text))
    return found


def encoded(text: str, encoding: str) -> bytes:
    if encoding != "zip":
        return text.encode(encoding)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("report.csv", text)
    return out.getvalue()


def found_in(data: bytes) -> str:
    try:
        export = read_export(data, "auto", {}, TODAY)
    except ProvisionError as e:
        return f"error: {e.message[:60]}"
    words = [export.source.name + "!" * bool(export.partial)]
    for person in export.people:
        user = propose_id(person.wanted_id, person.email, person.login) or "?"
        words.append(f"{user}={'unusable' if person.broken else person.status}")
    return " ".join(words)


@pytest.mark.parametrize(
    ("name", "encoding", "wanted", "text"), exports(), ids=lambda each: each if len(each) < 60 else ""
)
def test_what_an_export_says(name: str, encoding: str, wanted: str, text: str) -> None:
    assert found_in(encoded(text, encoding)) == wanted, name


def test_there_are_exports() -> None:
    assert len(exports()) > 60
    assert len({name for name, *_ in exports()}) == len(exports())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("entra:{11111111-2222-3333-4444-55555555555A}", "entra:11111111-2222-3333-4444-55555555555a"),
        ("okta:00uAb", "okta:00uAb"),
        ("", ""),
    ],
)
def test_ids_that_are_guids_have_one_spelling(text: str, wanted: str) -> None:
    assert external_key(text) == wanted


@pytest.mark.parametrize("guid", ["00" * 16, "0102030405060708090a0b0c0d0e0f10", "ff8190c3" * 4])
def test_an_id_in_bytes_is_never_taken_for_text(guid: str) -> None:
    """Some GUIDs are valid UTF-8 by chance, with characters that no inventory may hold."""
    line = base64.b64encode(bytes.fromhex(guid)).decode()
    ldif = f"dn: CN=A,DC=x\nobjectClass: user\nsAMAccountName: a\nuserAccountControl: 512\nobjectGUID:: {line}\n"
    csvde = f"DN,objectClass,sAMAccountName,userAccountControl,objectGUID\n\"CN=A,DC=x\",user,a,512,X'{guid}'\n"
    for text in (ldif, csvde):
        (person,) = read_export(text.encode(), "auto", {}, TODAY).people
        assert guid in person.external_id
        assert person.external_id.isprintable()
