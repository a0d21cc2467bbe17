"""Recipients: public keys that files are sealed to.

Three kinds, which stock `age` 1.x supports without plugins: X25519 keys of age, and Ed25519 and RSA keys of OpenSSH. Messages
never quote the text: it could be a private key, pasted by mistake.
"""

from __future__ import annotations

import base64
import binascii
import functools
import struct
from dataclasses import dataclass
from typing import Any, Literal

import pyrage

from provision.errors import ProvisionError

_SHORTEST_RSA_BITS = 2048
_KINDS = "age1… (X25519), ssh-ed25519 … or ssh-rsa …"


class BadRecipientError(ProvisionError):
    """Invalid recipient. The message says what it looks like, without quoting it."""

    def __init__(self, reason: str, hint: str = f"use {_KINDS}") -> None:
        super().__init__(reason, hint=hint)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A checked recipient. `text` is its canonical form without comment, for comparison and for `age -r`."""

    kind: Literal["x25519", "ssh-ed25519", "ssh-rsa"]
    text: str
    comment: str = ""


def parse_recipient(text: str) -> Recipient:
    """Check one recipient, with or without a comment after it. Raises BadRecipientError."""
    words = text.strip().split(None, 2)
    if not words:
        raise BadRecipientError("empty recipient")
    _refuse_others(words[0])
    if words[0].startswith("age1"):
        comment = " ".join(words[1:])
        _native(words[0])
        return Recipient("x25519", words[0], comment)
    if words[0] not in ("ssh-ed25519", "ssh-rsa"):
        raise BadRecipientError("unknown kind of recipient")
    if len(words) < 2:
        raise BadRecipientError(
            f"incomplete {words[0]} recipient: the key is missing", "copy the whole line of the .pub file"
        )
    _check_ssh(words[0], words[1])
    recipient = f"{words[0]} {words[1]}"
    _native(recipient)
    comment = words[2].strip() if len(words) > 2 else ""
    return Recipient("ssh-ed25519" if words[0] == "ssh-ed25519" else "ssh-rsa", recipient, comment)


def _refuse_others(word: str) -> None:
    if "SECRET-KEY" in word.upper() or word.startswith("-----BEGIN"):
        raise BadRecipientError(
            "expected a recipient, found a private key",
            "use its public half; replace the private key if others can read this file",
        )
    # a second 1 ends a longer prefix (age1tag1…, age1pq1…): 1 is not a bech32 letter, while age1tag… may start an X25519 key
    if word.startswith("age1") and word.count("1") > 1:
        raise BadRecipientError(
            "recipients of age plugins and post-quantum recipients are not supported", f"use {_KINDS}"
        )
    if word.startswith(("ecdsa-", "sk-", "ssh-dss")):
        raise BadRecipientError("this kind of SSH key is not supported by age", "use an ssh-ed25519 or ssh-rsa key")


def _check_ssh(kind: str, encoded: str) -> None:
    try:
        blob = base64.b64decode(encoded, validate=True)
        canonical = base64.b64encode(blob).decode("ascii") == encoded
        fields = _ssh_fields(blob)
    except (binascii.Error, ValueError, struct.error):
        fields, canonical = [], False
    name = kind.encode()
    if kind == "ssh-ed25519":
        sound = len(fields) == 2 and len(fields[1]) == 32
    else:
        sound = len(fields) == 3
        if sound and int.from_bytes(fields[2], "big").bit_length() < _SHORTEST_RSA_BITS:
            raise BadRecipientError(
                f"RSA key too short: less than {_SHORTEST_RSA_BITS} bits", "create a new one: ssh-keygen -t ed25519"
            )
    if not (canonical and sound and fields[0] == name):
        raise BadRecipientError(f"damaged {kind} recipient", "copy the whole line of the .pub file")


def _ssh_fields(blob: bytes) -> list[bytes]:
    fields, at = [], 0
    while at < len(blob):
        (size,) = struct.unpack_from(">I", blob, at)
        if at + 4 + size > len(blob):
            raise ValueError(size)
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields


@functools.lru_cache(maxsize=4096)
def _native(text: str) -> Any:
    """The pyrage object of a recipient. Cached, because operators' recipients repeat for every user."""
    try:
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        return pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BadRecipientError("damaged recipient", "copy it again: a character is missing or wrong") from None


def pyrage_recipient(text: str) -> Any:
    """The pyrage object for sealing to `text`. Raises BadRecipientError."""
    return _native(parse_recipient(text).text)
