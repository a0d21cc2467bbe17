"""What an install takes away from a home, as a value: for the report and for the masked backup.

Nothing a user wrote disappears silently: whatever a merge removes or replaces because it would hijack the route is
listed with its place and reason. The value stands there masked, so that the list itself can be shown and kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from provision.detect.shapes import SECRET_LIKE, masked

_CREDENTIAL_NAME = re.compile(r"(?i)(key|token|secret|passw|auth|credential|cookie|bearer|header)")
_SHOWN_CHARS = 120


@dataclass(frozen=True, slots=True)
class RemovedSetting:
    """One thing taken out of a user's file: `where` is a dotted path or a line, `masked` what stood there."""

    file: str
    where: str
    why: str
    masked: str


def masked_value(name: str, value: Any) -> str:
    """A removed value as people may see it: anything that is, or could carry, a credential is masked.

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
