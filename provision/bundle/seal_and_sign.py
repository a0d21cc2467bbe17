"""Making one bundle: seal the `.env`, take the digests, sign the manifest, write the five files into a fresh folder.

This is what the worker processes run, so a `BundleJob` is plain values that can cross a pipe. Its `env` is the plaintext: it
lives in memory only and is written nowhere but into age.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.bundle.manifest import (
    BUNDLE_FILES,
    CONFIG,
    MANIFEST,
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
"""Nothing in a bundle is secret: what is, is sealed. So it may be served, copied and committed as it is."""

_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class BundleJob:
    """One bundle to make: `fields` are the manifest's but for `files`; `folder` does not exist yet, its parent does."""

    user: str
    folder: str
    config: bytes = field(repr=False)
    env: bytes = field(repr=False)
    welcome: bytes = field(repr=False)
    recipients: tuple[str, ...]
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """A bundle as written: `content` is `content_digest` of its files. With `error` set, nothing was written."""

    user: str
    content: bytes = b""
    error: str = ""
    hint: str = ""


def bundle_files(job: BundleJob, key: Ed25519PrivateKey) -> dict[str, bytes]:
    """The five files of a bundle. Sealing draws fresh randomness: two calls differ in `.env.age` and what signs it."""
    sealed = seal(job.env, job.recipients)
    content = {CONFIG: job.config, SEALED_ENV: sealed, WELCOME: job.welcome}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    manifest = manifest_bytes(Manifest.model_validate({**job.fields, "files": digests}))
    return {**content, MANIFEST: manifest, SIGNATURE: sign_bytes(manifest, key)}


def write_bundle(job: BundleJob, key: Ed25519PrivateKey) -> MadeBundle:
    """Make a bundle in its folder. Raises OSError, and BadRecipientError for recipients that cannot be sealed to."""
    files = bundle_files(job, key)
    os.mkdir(job.folder)  # noqa: PTH102  a path object per file is a tenth of the whole at this scale
    for name, data in files.items():
        descriptor = os.open(f"{job.folder}/{name}", _FRESH, 0o600)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(28, "the disk took only a part of it")
            if os.name != "nt":
                os.fchmod(descriptor, FILE_MODE)
        finally:
            os.close(descriptor)
    return MadeBundle(job.user, content_digest(files))


def content_digest(files: Mapping[str, bytes]) -> bytes:
    """One digest over a bundle's files in a fixed order: BLAKE2b, half the cost of SHA-256 on many processors.

    The names of further files are in the manifest, which is one of the parts.
    """
    parts = [files[name] for name in (*BUNDLE_FILES, *sorted(files.keys() - set(BUNDLE_FILES)))]
    framed = b"".join([*[len(part).to_bytes(8, "big") for part in parts], *parts])
    return hashlib.blake2b(framed, digest_size=32).digest()
