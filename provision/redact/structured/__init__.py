"""Redact formats whose structure shows which values are secret: `.env`, YAML, JSON and HAR.

Each function takes the bytes of a whole file and returns them with those values masked; all other bytes stay. Bytes that
do not have the format are returned unchanged: the detectors search the result in any case.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from provision.redact.structured.dotenv import redact_dotenv
from provision.redact.structured.json_text import redact_json
from provision.redact.structured.yaml_text import redact_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.redact.session import Session

_BY_SUFFIX: dict[str, Callable[[bytes, str, Session], bytes]] = {
    ".json": redact_json,
    ".har": redact_json,
    ".yaml": redact_yaml,
    ".yml": redact_yaml,
}


def structured_redactor(file: str) -> Callable[[bytes, str, Session], bytes] | None:
    """Return the function for the format that a file name promises; None for plain text."""
    name = PurePath(file.rpartition("!")[2]).name.lower()
    if name.startswith(".env") or name.endswith(".env"):
        return redact_dotenv
    return _BY_SUFFIX.get(PurePath(name).suffix)
