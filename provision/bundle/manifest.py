"""The manifest of a bundle: what it is, for whom, until when, and the digests of everything that travels with it.

Only the manifest is signed, so everything that decides about an installation is in it. It holds no secret: the key is named
by a fingerprint, and `inputs_digest` is keyed, so only operators, who hold the vault, can read "unchanged" from it. This
module parses and prints; `endpoint.verify` decides whether a manifest is trusted.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field

from provision.errors import ProvisionError
from provision.fleet.desired import ApiMode, Platform, SecretDelivery
from provision.fleet.names import WINDOWS_RESERVED
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

SCHEMA: Final = "provision/bundle/v1"
MAX_MANIFEST_BYTES = 64 * 1024

CONFIG, SEALED_ENV, WELCOME = "config.yaml", ".env.age", "WELCOME.md"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
PAGE = "WELCOME.html"
"""The further file that bundles have: WELCOME.md for a browser. Bundles of earlier releases have none."""
CONTENT = (CONFIG, SEALED_ENV, WELCOME)
"""The files that every manifest lists."""
BUNDLE_FILES = (*CONTENT, MANIFEST, SIGNATURE)
"""The files of every bundle. Its manifest may list further ones, and its folder holds nothing else."""
MAX_EXTRA_FILES = 8
_EXTRA_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_FIXED = {name.lower() for name in BUNDLE_FILES}


# the separator holds the line break, because `indent` would switch to the slow encoder
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",\n  ", ": ")).encode


class BadManifestError(ProvisionError):
    """The manifest is invalid: not JSON, unknown or missing fields, or too large."""


def is_extra_name(name: str) -> bool:
    """Whether a file of this name may join the fixed ones: plain on every system, and not one of theirs in another case."""
    plain = _EXTRA_NAME.fullmatch(name) is not None and name.partition(".")[0].lower() not in WINDOWS_RESERVED
    return plain and name.lower() not in _FIXED


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


def extra_names(manifest: bytes) -> tuple[str, ...]:
    """Names of further files that a manifest lists, unverified, so that they can be read; none when it is not readable."""
    listed = manifest[manifest.rfind(b'"files"') :]
    count = listed.count(b":") - 1 - len(CONTENT)  # a render finds out about 10,000 users without parsing
    if count == 0 or (count == 1 and b'"WELCOME.html": "' in listed):
        return (PAGE,) if count else ()
    try:
        names = sorted(filter(is_extra_name, dict(json.loads(manifest)["files"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(names[:MAX_EXTRA_FILES])
