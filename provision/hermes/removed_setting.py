"""Settings that an install removes from a home, as values for the report and the masked backup.

An install never removes a user's setting silently: it lists each one with place and reason. Values in the list are
masked, so that the list can be shown and stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from provision.detect.shapes import SECRET_LIKE, masked

_CREDENTIAL_NAME = re.compile(r"(?i)(key|token|secret|passw|auth|credential|cookie|bearer|header)")
_SHOWN_CHARS = 120


@dataclass(frozen=True, slots=True)
class RemovedSetting:
    """A setting removed from a user's file. `where` is a dotted path or a line; `masked` is the old value, masked.

    `path` and `value` are set only for a setting of `config.yaml` that holds nothing secret: `uninstall` puts it back.
    """

    file: str
    where: str
    why: str
    masked: str
    path: tuple[str | int, ...] = ()
    value: Any = field(default=None, repr=False)


def is_shown(name: str, value: Any) -> bool:
    """Whether a removed value is displayed as it is, so that it may also be stored: nothing in it could be a secret."""
    if isinstance(value, dict):
        return all(is_shown(str(key), item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_shown(name, item) for item in value)
    return masked_value(name, value) == str(value) and isinstance(value, str | int | float | bool)


def masked_value(name: str, value: Any) -> str:
    """Return a removed value for display. Masks everything that is, or could contain, a credential.

    >>> shown("CUSTOM_BASE_URL", "http://gateway.example/v1")
    'http://gateway.example/v1'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {masked_value(str(key), item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(masked_value(name, item) for item in value) + "]"
    text = str(value)
    if _CREDENTIAL_NAME.search(name) and not name.lower().endswith("_env") and not isinstance(value, bool):
        return masked(text)
    if SECRET_LIKE.search(text) or "@" in text or "?" in text:
        return masked(text)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
