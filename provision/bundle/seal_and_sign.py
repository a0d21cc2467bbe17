"""Make one bundle: seal the `.env`, compute the digests, sign the manifest, write the files into a new folder.

Worker processes run this, so a `BundleJob` holds plain values that can cross a pipe. Its `env` is plaintext: it stays in
memory and is written only into the age file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.bundle.dist import content_digest
from provision.bundle.manifest import (
    CONFIG,
    MANIFEST,
    PAGE,
    SEALED_ENV,
    SIGNATURE,
    WELCOME,
    Manifest,
    manifest_bytes,
)
from provision.keys.age import seal
from provision.signing.sshsig import sign_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE_MODE = 0o644
"""All secrets in a bundle are sealed, so it may be served, copied and committed."""

_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class BundleJob:
    """One bundle to make: `fields` are the manifest's, except `files`; `folder` does not exist yet, its parent does."""

    user: str
    folder: str
    config: bytes = field(repr=False)
    env: bytes = field(repr=False)
    welcome: bytes = field(repr=False)
    page: bytes = field(repr=False)
    recipients: tuple[str, ...]
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """A written bundle: `content` is `content_digest` of its files. If `error` is set, nothing was written."""

    user: str
    content: bytes = b""
    error: str = ""
    hint: str = ""


def bundle_files(job: BundleJob, key: Ed25519PrivateKey) -> dict[str, bytes]:
    """The files of a bundle. Sealing is randomized: two calls differ in `.env.age`, the manifest and the signature."""
    sealed = seal(job.env, job.recipients)
    content = {CONFIG: job.config, SEALED_ENV: sealed, WELCOME: job.welcome, PAGE: job.page}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    manifest = manifest_bytes(Manifest.model_validate({**job.fields, "files": digests}))
    return {**content, MANIFEST: manifest, SIGNATURE: sign_bytes(manifest, key)}


def write_bundle(job: BundleJob, key: Ed25519PrivateKey) -> MadeBundle:
    """Write a bundle to its folder. Raises OSError, and BadRecipientError for invalid recipients."""
    files = bundle_files(job, key)
    os.mkdir(job.folder)  # noqa: PTH102  path objects cost a tenth of the run here
    for name, data in files.items():
        descriptor = os.open(f"{job.folder}/{name}", _FRESH, 0o600)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(28, "only a part was written")
            if os.name != "nt":
                os.fchmod(descriptor, FILE_MODE)
        finally:
            os.close(descriptor)
    return MadeBundle(job.user, content_digest(files))
