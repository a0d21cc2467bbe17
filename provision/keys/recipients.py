"""Recipients: the public halves that something can be sealed to.

Three kinds, those that stock `age` 1.x opens without plugins: its own X25519 keys, and OpenSSH's Ed25519 and RSA keys.
Messages never quote the text: somebody who pastes a private key in the wrong place must not find it in a log.
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
    """Text that is no recipient; the message says what it looks like instead, without quoting it."""

    def __init__(self, reason: str, hint: str = f"a recipient is {_KINDS}") -> None:
        super().__init__(reason, hint=hint)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A checked recipient: `text` is its one spelling without the comment, fit for comparing and for `age -r`."""

    kind: Literal["x25519", "ssh-ed25519", "ssh-rsa"]
    text: str
    comment: str = ""


def parse_recipient(text: str) -> Recipient:
    """Check one recipient, with or without a comment after it. Raises BadRecipientError."""
    words = text.strip().split(None, 2)
    if not words:
        raise BadRecipientError("an empty recipient")
    _refuse_others(words[0])
    if words[0].startswith("age1"):
        comment = " ".join(words[1:])
        _native(words[0])
        return Recipient("x25519", words[0], comment)
    if words[0] not in ("ssh-ed25519", "ssh-rsa"):
        raise BadRecipientError("a recipient of an unknown kind")
    if len(words) < 2:
        raise BadRecipientError(f"an {words[0]} recipient without its key", "copy the whole line of the .pub file")
    _check_ssh(words[0], words[1])
    recipient = f"{words[0]} {words[1]}"
    _native(recipient)
    comment = words[2].strip() if len(words) > 2 else ""
    return Recipient("ssh-ed25519" if words[0] == "ssh-ed25519" else "ssh-rsa", recipient, comment)


def _refuse_others(word: str) -> None:
    if "SECRET-KEY" in word.upper() or word.startswith("-----BEGIN"):
        raise BadRecipientError(
            "a private key stands where a recipient belongs",
            "put its public half there, and take the private one as seen by whoever can read this file",
        )
    # a second 1 ends a longer prefix (age1tag1…, age1pq1…): it is no letter of bech32, while age1tag… may begin an own key
    if word.startswith("age1") and word.count("1") > 1:
        raise BadRecipientError("a recipient of an age plugin, or a post-quantum one", f"use {_KINDS}")
    if word.startswith(("ecdsa-", "sk-", "ssh-dss")):
        raise BadRecipientError("an SSH key of a kind that age cannot seal to", "use an ssh-ed25519 or ssh-rsa key")


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
                f"an RSA key of less than {_SHORTEST_RSA_BITS} bits", "make a new one: ssh-keygen -t ed25519"
            )
    if not (canonical and sound and fields[0] == name):
        raise BadRecipientError(f"a damaged {kind} recipient", "copy the whole line of the .pub file")


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
    """The pyrage object of a recipient; operators' ones come again for every user, so they are kept."""
    try:
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        return pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BadRecipientError("a damaged recipient", "copy it again; a character is missing or wrong") from None


def pyrage_recipient(text: str) -> Any:
    """What pyrage needs to seal to `text`. Raises BadRecipientError."""
    return _native(parse_recipient(text).text)
