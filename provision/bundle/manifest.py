"""The manifest of a bundle: what it is, for whom, until when, and the digests of everything that travels with it.

It is the one thing that is signed, so everything that decides about an installation stands in it. It holds no secret:
the key is named by a fingerprint, and `inputs_digest` is keyed, so it says "unchanged" to the operators who hold the
vault and nothing to anybody else. This module parses and prints; whether a manifest may be trusted is decided in
`opening`.
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.errors import ProvisionError
from provision.fleet.desired import ApiMode, Platform, SecretDelivery
from provision.signing.signed_json import Form

SCHEMA: Final = "provision/bundle/v1"
MAX_MANIFEST_BYTES = 64 * 1024

CONFIG, SEALED_ENV, WELCOME = "config.yaml", ".env.age", "WELCOME.md"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
CONTENT = (CONFIG, SEALED_ENV, WELCOME)
"""The files whose digests the manifest holds."""
BUNDLE_FILES = (*CONTENT, MANIFEST, SIGNATURE)
"""Every file of a bundle; nothing else may lie in its folder."""

Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
UserId = Annotated[str, Field(pattern=r"^[a-z0-9_-][a-z0-9._-]{0,127}$")]


# the line break stands in the separator: with an indent, the encoder would not be the fast one
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",\n  ", ": ")).encode


class BadManifestError(ProvisionError):
    """The manifest is not one of ours: not JSON, unknown or missing fields, or too large."""


class Digests(BaseModel):
    """SHA-256 of each file that travels with the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    config: Sha256 = Field(alias=CONFIG)
    sealed_env: Sha256 = Field(alias=SEALED_ENV)
    welcome: Sha256 = Field(alias=WELCOME)

    def by_name(self) -> dict[str, str]:
        """File name to digest."""
        return {CONFIG: self.config, SEALED_ENV: self.sealed_env, WELCOME: self.welcome}


class Manifest(BaseModel):
    """A bundle's manifest, version 1. Times are UTC with a `Z`; `generation` only ever grows for a user."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_: Literal["provision/bundle/v1"] = Field(default=SCHEMA, alias="schema")
    user: UserId
    profile: Annotated[str, Field(min_length=1, max_length=128)]
    platform: Platform
    generation: Annotated[int, Field(ge=1, lt=2**53)]
    created: Moment
    expires: Moment
    provider: Annotated[str, Field(min_length=1, max_length=128)]
    base_url: Annotated[str, Field(min_length=1, max_length=2048)]
    api_mode: ApiMode
    model: Annotated[str, Field(min_length=1, max_length=256)]
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
    key_fingerprint: Annotated[str, Field(pattern=r"^fp_[a-z2-7]{16}$")]
    fingerprint_salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    secret_delivery: SecretDelivery
    managed: bool
    hermes_home: Annotated[str, Field(max_length=1024)] | None
    hermes_profile: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] | None
    recipients: tuple[Annotated[str, Field(min_length=1, max_length=2048)], ...]
    inputs_digest: Sha256
    files: Digests

    @property
    def created_at(self) -> datetime:
        return parse_moment(self.created)

    @property
    def expires_at(self) -> datetime:
        return parse_moment(self.expires)

    @property
    def salt(self) -> bytes:
        return bytes.fromhex(self.fingerprint_salt)


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as it is signed: JSON, a value per line in the order of the class, so that git shows what changed."""
    text = _encoded(manifest.model_dump(by_alias=True))
    return f"{{\n  {text[1:-1]}\n}}\n".encode()


def parse_manifest(data: bytes) -> Manifest:
    """The manifest in `data`. Raises BadManifestError; a key that stands twice is refused, since parsers differ on it."""
    return _FORM.parse(data)


def _in_order(manifest: Manifest) -> None:
    if manifest.expires_at <= manifest.created_at:
        raise ValueError("it expires before it was created")


_FORM = Form(
    model=Manifest,
    schema=SCHEMA,
    name="the manifest",
    limit_bytes=MAX_MANIFEST_BYTES,
    error=BadManifestError,
    sound=_in_order,
    hint="fetch the bundle again",
    other_version="update provision on this machine, or have IT render with the same version",
)


@functools.lru_cache(maxsize=64)
def moment(when: datetime) -> str:
    """A time as manifests write it: UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_moment(text: str) -> datetime:
    """The time in a manifest's notation. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
