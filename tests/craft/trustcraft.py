"""What tests of trust share: keys that are the same in every run, and chains of trust lists in memory."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.signing.fields import moment
from provision.signing.sshsig import public_line, sign_bytes
from provision.trust.acceptance import SignedList
from provision.trust.trust_list import (
    ALL_ROLES,
    TRUST_NAMESPACE,
    TrustList,
    list_bytes,
    list_digest,
    list_name,
    signature_name,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WORKSPACE = "ab" * 16


def key(name: str) -> Ed25519PrivateKey:
    """The key of this name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public(name: str) -> str:
    return public_line(key(name).public_key())


def signer(name: str, *roles: str) -> dict[str, Any]:
    return {"name": name, "key": public(name), "roles": list(roles or [role.value for role in ALL_ROLES])}


def fields(epoch: int = 1, version: int = 1, **changes: Any) -> dict[str, Any]:
    """The fields of a list with the operator ada; `changes` replace some. `days` is its lifetime."""
    days = changes.pop("days", 180)
    plain: dict[str, Any] = {
        "schema": "provision/trust/v1",
        "workspace": WORKSPACE,
        "epoch": epoch,
        "version": version,
        "created": moment(NOW),
        "expires": moment(NOW + timedelta(days=days)),
        "previous": None,
        "signers": [signer("ada")],
        "threshold": {"trust": 1},
        "recovery": [{"name": "paper", "key": public("paper")}],
        "revoked": [],
    }
    return plain | changes


def made(plain: dict[str, Any]) -> bytes:
    """The bytes of a list with these fields, even one that its own parser refuses."""
    import json

    try:
        return list_bytes(TrustList.model_validate_json(json.dumps(plain)))
    except ValueError:
        return (json.dumps(plain, indent=2) + "\n").encode()


def following(before: bytes | SignedList, epoch: int, version: int, **changes: Any) -> bytes:
    """The bytes of a list that names the one before it."""
    data = before.data if isinstance(before, SignedList) else before
    return made(fields(epoch, version, previous=list_digest(data), **changes))


def signed(data: bytes, *names: str) -> list[bytes]:
    return [sign_bytes(data, key(name), TRUST_NAMESPACE) for name in names]


class Tree:
    """A folder of lists in memory, as a feed serves it; `asked` are the paths that were fetched."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def put(self, epoch: int, version: int, data: bytes, *names: str) -> bytes:
        self.files[list_name(epoch, version)] = data
        for name, signature in zip(names, signed(data, *names), strict=True):
            self.files[signature_name(epoch, version, public(name))] = signature
        return data

    def fetch(self, name: str, limit_bytes: int) -> bytes | None:
        self.asked.append(name)
        data = self.files.get(name)
        assert data is None or len(data) <= limit_bytes + 1
        return data
