"""Find values beside a name of a secret, in text read from pixels: `APl KEY = …`, `passw0rd: …`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.detect.shapes import is_placeholder
from provision.redact.pictures.lookalike import KeyHit, fold_lookalikes, looks_random

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = (
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "bearer",
)
_FOLDED = tuple(fold_lookalikes(name)[0] for name in _NAMES)
_PASSWORDS = tuple(fold_lookalikes(name)[0] for name in ("password", "passwd", "passphrase"))
_ASSIGNED = re.compile(
    r"""(?P<name>[A-Za-z0-9_\-.|!$ ]{3,60}?)["'*\])]{0,2}\s?[:=;]\s?["'*(]{0,2}(?P<value>[^\s"',;)}\]]{6,})"""
)
_BEARER = re.compile(r"(?i)b[eo]arer[ :]*(?P<value>[^\s\"',;]{12,})")
_URL = re.compile(r"(?i)[a-z]{2,8}:/|/{1,2}\w|\.{0,2}/|~/|www\.")


def find_named_values(text: str) -> Iterator[KeyHit]:
    """Yield assigned values; the hit is the value without its name and quotes."""
    for bearer in _BEARER.finditer(text):
        if _secret(bearer["value"], "bearer"):
            yield KeyHit(*bearer.span("value"), "assigned-secret")
    at = 0
    while found := _ASSIGNED.search(text, at):
        name = fold_lookalikes(found["name"].replace(" ", ""))[0]
        ends = next((n for n in _FOLDED if name.endswith(n)), None)
        if ends and _secret(found["value"], ends):
            yield KeyHit(*found.span("value"), "assigned-secret")
            at = found.end()
        else:
            at = max(found.start("value") - 1, at + 1)


def _secret(value: str, name: str) -> bool:
    value = value.rstrip(".…")
    if is_placeholder(value) or _URL.match(value) or value.startswith(("$", "<", "{", "%")):
        return False
    if name in _PASSWORDS:
        return not re.fullmatch(r"[A-Za-z_]+\(?|true|false|\d{1,3}", value)
    return len(value) >= 12 and (
        looks_random(value) or (bool(re.search(r"\d", value)) and bool(re.search(r"[A-Za-z]", value)))
    )
