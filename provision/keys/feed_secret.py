"""The secret from which the endpoints' feed addresses are derived: 32 random bytes, sealed to the operators.

`feed.secret` is in the workspace and may be committed. The vault's digest key cannot take its place: it changes when an
operator is removed, and then every endpoint would lose its address. When the operators change, the next `publish` seals the
secret again. A former operator still knows the addresses, but they open no bundle.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic
from provision.keys.age import NoIdentityError, seal, unseal
from provision.keys.recipients import parse_recipient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.keys.age import Identity

FILE = "feed.secret"
SECRET_BYTES = 32
_SCHEMA = "provision/feed-secret/v1"
_MAX_BYTES = 1 << 20


class BadFeedSecretError(ProvisionError):
    """feed.secret is missing or invalid."""


def feed_secret(path: Path, operators: Sequence[str], identities: Sequence[Identity], *, create: bool) -> bytes:
    """Open the secret. With `create`, make a missing one, and seal it again when the operators changed.

    Raises BadFeedSecretError, and the errors of `unseal` when no identity opens it.
    """
    wanted = sorted({parse_recipient(text).text for text in operators})
    data = read_optional(path, _MAX_BYTES)
    if data is None:
        if not create:
            raise BadFeedSecretError(
                f"no {path.name}: nothing was published from this workspace yet",
                hint="provision publish DIR",
            )
        secret = secrets.token_bytes(SECRET_BYTES)
        _write(path, secret, wanted)
        return secret
    fields = _read(path, data)
    try:
        secret = unseal(fields["sealed"].encode(), identities)
    except NoIdentityError as e:
        raise NoIdentityError(
            f"none of your identities opens {path} (recipients: {len(fields['recipients'])})",
            hint="ask another operator to run what this prints: provision operators join",
        ) from e
    if len(secret) != SECRET_BYTES:
        raise BadFeedSecretError(f"{path} is damaged: its secret has the wrong size", hint="restore it from git")
    if create and sorted(fields["recipients"]) != wanted:
        _write(path, secret, wanted)
    return secret


def secret_recipients(path: Path) -> set[str] | None:
    """To whom the file says that it is sealed; None without a file. Raises BadFeedSecretError."""
    data = read_optional(path, _MAX_BYTES)
    return None if data is None else set(_read(path, data)["recipients"])


def _read(path: Path, data: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(data)
        sound = fields["schema"] == _SCHEMA and isinstance(fields["sealed"], str)
        if not sound or not all(isinstance(each, str) for each in fields["recipients"]):
            raise ValueError(path)
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise BadFeedSecretError(
            f"{path} is not a valid feed secret",
            hint="restore it from git: a new one would give every endpoint a new address",
        ) from e
    return dict(fields)


def _write(path: Path, secret: bytes, recipients: Sequence[str]) -> None:
    write_atomic(path, secret_file(secret, recipients), mode=0o644)


def secret_file(secret: bytes, recipients: Sequence[str]) -> bytes:
    """The content of the file: the secret, sealed to these recipients."""
    wanted = sorted({parse_recipient(text).text for text in recipients})
    fields = {"schema": _SCHEMA, "recipients": wanted, "sealed": seal(secret, wanted).decode()}
    return (json.dumps(fields, indent=2) + "\n").encode()
