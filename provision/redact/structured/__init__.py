"""Redact formats whose structure shows which values are secret: `.env`, YAML, JSON and HAR, settings, tables.

Each function takes the bytes of a whole file and returns them with those values masked; all other bytes stay. Bytes that
do not have the format are returned unchanged: the detectors search the result in any case.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from provision.redact.structured.dotenv import redact_dotenv
from provision.redact.structured.json_text import redact_json
from provision.redact.structured.settings import redact_settings
from provision.redact.structured.table_text import redact_table
from provision.redact.structured.text_form import BEGINNING_BYTES, TextForm, text_form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provision.redact.session import Session


def _redact_yaml(data: bytes, file: str, session: Session) -> bytes:
    from provision.redact.structured.yaml_text import redact_yaml  # noqa: PLC0415  with a library that other texts do not need

    return redact_yaml(data, file, session)


_READERS: dict[TextForm, Callable[[bytes, str, Session], bytes]] = {
    TextForm.JSON: redact_json,
    TextForm.YAML: _redact_yaml,
    TextForm.DOTENV: redact_dotenv,
    TextForm.SETTINGS: redact_settings,
    TextForm.TABLE: redact_table,
}
_BY_SUFFIX = {
    ".json": TextForm.JSON,
    ".har": TextForm.JSON,
    ".yaml": TextForm.YAML,
    ".yml": TextForm.YAML,
    **dict.fromkeys((".ini", ".cfg", ".conf", ".toml", ".properties"), TextForm.SETTINGS),
    **dict.fromkeys((".csv", ".tsv", ".sql"), TextForm.TABLE),
}


def forms_of_file(file: str, head: bytes) -> tuple[TextForm, ...]:
    """Return the form that a file's name promises and the one that its beginning shows, without repetition."""
    name = PurePath(file.rpartition("!")[2]).name.lower()
    env = name.startswith(".env") or name.endswith(".env")
    found = (
        TextForm.DOTENV if env else _BY_SUFFIX.get(PurePath(name).suffix),
        text_form(head, whole=len(head) < BEGINNING_BYTES),
    )
    return tuple(dict.fromkeys(form for form in found if form))


def redact_forms(forms: Sequence[TextForm], data: bytes, file: str, session: Session) -> bytes:
    """Mask the values that the structure of a whole text shows to be secret."""
    for form in forms:
        data = _READERS[form](data, file, session)
    return data
