"""Read a file of known keys (fingerprints), as `KnownKeys.dump` writes it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provision.detect.known import LONGEST, SCHEMA, KnownKeys
from provision.detect.known_key import KnownKey
from provision.errors import ProvisionError

_SHORTEST = 12


class _Key(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    user: str
    fingerprint: str = Field(pattern="^fp_[a-z2-7]{16}$")
    stage: str
    created: str | None = None
    label: str = ""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    schema_: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    salt: str = Field(pattern="^(?:[0-9a-f]{2}){8,64}$")
    shapes: list[tuple[str, int]] = Field(max_length=10_000)
    keys: list[_Key]


def parse_known_keys(data: bytes) -> KnownKeys:
    """Parse a file of known keys. Raises ProvisionError, which quotes nothing of an invalid file."""
    try:
        form = _Form.model_validate_json(data)
        keys = [
            KnownKey(
                key.user,
                key.fingerprint,
                key.stage,
                datetime.fromisoformat(key.created) if key.created else None,
                key.label,
            )
            for key in form.keys
        ]
    except (ValidationError, ValueError) as error:
        raise ProvisionError(
            "invalid file of known keys", hint=f"give a {SCHEMA} file, as `provision audit --write-known` writes it"
        ) from error
    shapes = frozenset((prefix, length) for prefix, length in form.shapes if _SHORTEST <= length <= LONGEST)
    return KnownKeys(bytes.fromhex(form.salt), shapes, {key.fingerprint: key for key in keys})
