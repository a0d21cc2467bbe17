"""Seal and open age files, compatible with stock `age` in both directions.

Every file is checked by `age_header` before it is opened. pyrage (rage's Rust library) does the cryptography. It holds the
interpreter lock, so only processes speed it up, not threads.
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
    """None of the identities can open the file."""


def seal(plaintext: bytes, recipients: Sequence[str], *, armored: bool = True) -> bytes:
    """Seal `plaintext` to `recipients`. Returns an age file, armored by default.

    Raises BadRecipientError, also for an empty list.
    """
    if not recipients:
        raise BadRecipientError("no recipient to seal to")
    sealed: bytes = pyrage.encrypt(
        plaintext, [pyrage_recipient(text) for text in dict.fromkeys(recipients)], armored=armored
    )
    return sealed


def unseal(data: bytes, identities: Sequence[Identity]) -> bytes:
    """Open an age file, armored or binary.

    Raises NotAgeError for a malformed or altered file and for a passphrase file, NoIdentityError if no identity fits.
    """
    file = parse_age_file(data)
    try:
        plaintext: bytes = pyrage.decrypt(file.data, [identity.native for identity in identities])
    except pyrage.DecryptError as e:
        # only this message of rage distinguishes "no matching recipient" from other errors
        if "No matching keys" in str(e):
            raise NoIdentityError(
                f"none of your identities can open this file (recipients: {file.recipients})",
                hint="use the matching identity, or have it sealed to your recipient",
            ) from None
        raise NotAgeError("it was altered or cut short after sealing") from None
    return plaintext
