"""The manifest of a bundle: what it is, for whom, until when, and the digests of everything that travels with it.

Only the manifest is signed, so everything that decides about an installation is in it. It holds no secret: the key is named
by a fingerprint, and `inputs_digest` is keyed, so only operators, who hold the vault, can read "unchanged" from it. This
module parses and prints; `endpoint.verify` decides whether a manifest is trusted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field

from provision.bundle.file_names import (
    BUNDLE_FILES,
    CONFIG,
    CONTENT,
    MANIFEST,
    MAX_EXTRA_FILES,
    MAX_MANIFEST_BYTES,
    PAGE,
    SEALED_ENV,
    SIGNATURE,
    WELCOME,
    extra_names,
    is_extra_name,
)
from provision.errors import ProvisionError
from provision.fleet.desired import ApiMode, Platform, SecretDelivery
from provision.signing.fields import (
    Counter,
    LogHead,
    MachineName,
    Moment,
    Sha256,
    SignedPart,
    TrustNumber,
    UserId,
    WorkspaceId,
    parse_moment,
)
from provision.signing.signed_json import DocumentForm

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "BUNDLE_FILES",
    "CONFIG",
    "MANIFEST",
    "MAX_MANIFEST_BYTES",
    "PAGE",
    "SCHEMA",
    "SEALED_ENV",
    "SIGNATURE",
    "WELCOME",
    "BadManifestError",
    "Manifest",
    "extra_names",
    "is_extra_name",
    "manifest_bytes",
    "parse_manifest",
]

SCHEMA: Final = "provision/bundle/v1"

# the separator holds the line break, because `indent` would switch to the slow encoder
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",\n  ", ": ")).encode


class BadManifestError(ProvisionError):
    """The manifest is invalid: not JSON, unknown or missing fields, or too large."""


def _require_sound_names(files: dict[str, str]) -> dict[str, str]:
    if missing := [name for name in CONTENT if name not in files]:
        raise ValueError(f"{missing[0]} is not listed")
    extra = [name for name in files if name not in CONTENT]
    if not all(map(is_extra_name, extra)):
        raise ValueError("a file has a name that no bundle file may have")
    if len({name.lower() for name in extra}) != len(extra) or len(extra) > MAX_EXTRA_FILES:
        raise ValueError(f"there are more than {MAX_EXTRA_FILES} further files, or two names differ only in case")
    return files


class Manifest(SignedPart):
    """A bundle's manifest, version 1. Times are UTC with a `Z`; `generation` only grows for a user.

    `policy` is a digest of the guardrails. `trust` and `log_head` say which trust list and event log there were when this
    was made; a new list or a longer log does not make a new bundle.
    """

    schema_: Literal["provision/bundle/v1"] = Field(default=SCHEMA, alias="schema")
    workspace: WorkspaceId
    user: UserId
    machine: MachineName | None
    profile: Annotated[str, Field(min_length=1, max_length=128)]
    platform: Platform
    generation: Counter
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
    policy: Sha256 | None
    trust: TrustNumber | None
    log_head: LogHead | None
    inputs_digest: Sha256
    files: Annotated[dict[str, Sha256], AfterValidator(_require_sound_names)]

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
    """The manifest as it is signed: JSON, one value per line in the order of the class, so that git shows what changed."""
    text = _encoded(manifest.model_dump(by_alias=True))
    return f"{{\n  {text[1:-1]}\n}}\n".encode()


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest. Raises BadManifestError."""
    return _FORM.parse(data)


def _in_order(manifest: Manifest) -> None:
    if manifest.expires_at <= manifest.created_at:
        raise ValueError("it expires before it was created")


_FORM = DocumentForm(
    model=Manifest,
    schema=SCHEMA,
    name="the manifest",
    limit_bytes=MAX_MANIFEST_BYTES,
    error=BadManifestError,
    sound=_in_order,
    hint="fetch the bundle again",
    other_version="update provision on this machine, or ask IT to render with the same version",
)
