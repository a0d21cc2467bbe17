"""Propose user ids: the local part of a mail address or login, in the letters that ids may have. Never a GUID."""

from __future__ import annotations

import re
import unicodedata

from provision.fleet.names import ID, id_refusal

_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)
_GUID = re.compile(r"\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?")


def propose_id(*texts: str) -> str:
    """The first id that one of the texts gives: `édouard.lucas@…` gives edouard.lucas, `o'brien` obrien. Empty if none does."""
    for text in texts:
        local = text.partition("@")[0].rpartition("\\")[2].strip().casefold()
        if not local or _GUID.fullmatch(local):
            continue
        plain = unicodedata.normalize("NFKD", local.translate(_LETTERS))
        if any(char.isalpha() and not char.isascii() and not unicodedata.combining(char) for char in plain):
            continue  # letters of another script: what remains would be another name
        kept = re.sub(r"[^a-z0-9._-]", "", re.sub(r"\s+", ".", plain)).strip(".-")[:64].rstrip(".-")
        if re.fullmatch(ID, kept) and not id_refusal(kept):
            return kept
    return ""


def machine_id(name: str) -> str:
    """A machine's name in the inventory, from the name of a device: `Ada MacBook Pro` gives ada-macbook-pro."""
    plain = unicodedata.normalize("NFKD", name.strip().casefold().translate(_LETTERS))
    kept = re.sub(r"[^a-z0-9._-]", "", re.sub(r"\s+", "-", plain)).strip(".-")[:64].rstrip(".-")
    return kept if re.fullmatch(ID, kept) and not id_refusal(kept) else ""
