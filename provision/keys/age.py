"""Sealing and opening age files, so that stock `age` reads what we write and we read what it writes.

One verb per side: `seal` and `unseal`. Everything that is opened goes through `ageheader` first. pyrage (rage's Rust
library) does the cryptography; it holds the interpreter lock, so only processes make it faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyrage

from provision.errors import ProvisionError
from provision.keys.age_header import AgeFile, NotAgeError, parse_age_file
from provision.keys.identities import (
    Identity,
    IdentityFileError,
    check_private,
    generate_identity,
    identity_file,
    load_identities,
)
from provision.keys.recipients import BadRecipientError, Recipient, parse_recipient, pyrage_recipient

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AgeFile",
    "BadRecipientError",
    "Identity",
    "IdentityFileError",
    "NoIdentityError",
    "NotAgeError",
    "Recipient",
    "check_private",
    "generate_identity",
    "identity_file",
    "load_identities",
    "parse_age_file",
    "parse_recipient",
    "seal",
    "unseal",
]


class NoIdentityError(ProvisionError):
    """None of the identities opens the file."""


def seal(plaintext: bytes, recipients: Sequence[str], *, armored: bool = True) -> bytes:
    """An age file that each of `recipients` can open; armored unless told otherwise.

    Raises BadRecipientError, also for an empty list: something sealed to nobody is lost.
    """
    if not recipients:
        raise BadRecipientError("nobody to seal to")
    sealed: bytes = pyrage.encrypt(
        plaintext, [pyrage_recipient(text) for text in dict.fromkeys(recipients)], armored=armored
    )
    return sealed


def unseal(data: bytes, identities: Sequence[Identity]) -> bytes:
    """The plaintext of an age file, armored or binary.

    Raises NotAgeError for a malformed or altered file and for a passphrase file, NoIdentityError when no identity fits.
    """
    file = parse_age_file(data)
    try:
        plaintext: bytes = pyrage.decrypt(file.data, [identity.native for identity in identities])
    except pyrage.DecryptError as e:
        # rage tells "no stanza of this header is for you" apart from everything else only by this sentence
        if "No matching keys" in str(e):
            raise NoIdentityError(
                f"no identity of yours opens this (sealed to {file.recipients} recipients)",
                hint="use the identity it was sealed to, or have it sealed to your recipient",
            ) from None
        raise NotAgeError("it was altered or cut short after it was sealed") from None
    return plaintext
