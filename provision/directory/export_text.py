"""Decode an export to text: byte order marks, UTF-16, Windows code pages, zipped reports.

What follows was met in exports: Windows PowerShell 5.1 writes ASCII (`é` becomes `?` for ever), UTF-16 through `>`; Intune's
reports are zipped; German and French Excel write Windows-1252.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

from provision.errors import ProvisionError

MAX_BYTES = 256 << 20
_SAVE_AS = "save it as CSV UTF-8, and import that file"


class BadExportError(ProvisionError):
    """The export cannot be read as what it should be."""


@dataclass(frozen=True, slots=True)
class ExportText:
    """The text of an export, and how it was encoded."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decode_export(data: bytes) -> ExportText:
    """Decode an export. Raises BadExportError."""
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise BadExportError("this is a workbook of Excel", hint=_SAVE_AS)
    if data[:4] == b"PK\x03\x04":
        return decode_export(_unzipped(data))
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return ExportText(_decoded(data, "utf-16"), "UTF-16")
    if data[:3] == b"\xef\xbb\xbf":
        return ExportText(_decoded(data, "utf-8-sig"), "UTF-8 with a byte order mark")
    head = data[:4096]
    if b"\0" in head:
        low = head[1::2].count(0) >= head[::2].count(0)
        return ExportText(_decoded(data, "utf-16-le" if low else "utf-16-be"), "UTF-16")
    try:
        return ExportText(data.decode(), "UTF-8")
    except UnicodeDecodeError:
        note = "the file is not UTF-8 and was read as Windows-1252: check names with accents"
        return ExportText(data.decode("cp1252", "replace"), "Windows-1252", (note,))


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as e:
        raise BadExportError(f"the export is not valid {encoding.upper()}", hint="export it again as UTF-8") from e


def _unzipped(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if "xl/workbook.xml" in archive.namelist():
                raise BadExportError("this is a workbook of Excel", hint=_SAVE_AS)
            names = [each for each in archive.infolist() if each.filename.lower().endswith((".csv", ".json"))]
            if len(names) != 1:
                raise BadExportError(
                    f"the archive has {len(names)} files that end in .csv or .json", hint="unpack it, and name one file"
                )
            if names[0].file_size > MAX_BYTES:
                raise BadExportError(f"{names[0].filename} is larger than {MAX_BYTES} bytes")
            with archive.open(names[0]) as file:
                return file.read(MAX_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as e:
        raise BadExportError("the archive cannot be unpacked", hint="unpack it by hand") from e
