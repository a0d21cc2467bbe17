"""The secret from which endpoints' addresses in the feed are derived: 32 random bytes, sealed to the operators.

`feed.secret` lies in the workspace and may be committed. It is not the vault's digest key, because removing an operator
changes that one, and every endpoint would lose its address. When the operators change, the next `publish` seals it anew; a
former operator still knows the addresses, which open no bundle.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.feed.index import SECRET_BYTES
from provision.files import read_optional, write_atomic
from provision.keys.age import seal, unseal
from provision.keys.recipients import parse_recipient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.keys.age import Identity

FILE = "feed.secret"
_SCHEMA = "provision/feed-secret/v1"
_MAX_BYTES = 1 << 20


class BadFeedSecretError(ProvisionError):
    """feed.secret cannot be read."""


def feed_secret(path: Path, operators: Sequence[str], identities: Sequence[Identity], *, create: bool) -> bytes:
    """The secret, opened; made when there is none and `create`, sealed anew when the operators are others than before.

    Raises BadFeedSecretError, and the errors of `unseal` when no identity opens it.
    """
    wanted = sorted({parse_recipient(text).text for text in operators})
    data = read_optional(path, _MAX_BYTES)
    if data is None:
        if not create:
            raise BadFeedSecretError(
                f"there is no {path.name}: nothing was published from this workspace yet",
                hint="provision publish DIR",
            )
        secret = secrets.token_bytes(SECRET_BYTES)
        _write(path, secret, wanted)
        return secret
    fields = _read(path, data)
    secret = unseal(fields["sealed"].encode(), identities)
    if len(secret) != SECRET_BYTES:
        raise BadFeedSecretError(f"{path} holds no secret of ours", hint="restore it from git")
    if create and sorted(fields["recipients"]) != wanted:
        _write(path, secret, wanted)
    return secret


def _read(path: Path, data: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(data)
        sound = fields["schema"] == _SCHEMA and isinstance(fields["sealed"], str)
        if not sound or not all(isinstance(each, str) for each in fields["recipients"]):
            raise ValueError(path)
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise BadFeedSecretError(
            f"{path} is not a feed secret of ours",
            hint="restore it from git: with another one, every endpoint gets another address",
        ) from e
    return dict(fields)


def _write(path: Path, secret: bytes, recipients: Sequence[str]) -> None:
    fields = {"schema": _SCHEMA, "recipients": list(recipients), "sealed": seal(secret, recipients).decode()}
    write_atomic(path, (json.dumps(fields, indent=2) + "\n").encode(), mode=0o644)
