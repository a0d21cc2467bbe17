"""Fingerprints: short names for API keys that do not reveal them.

A fingerprint is an HMAC-SHA256 under the workspace's salt, cut to 80 bits. 100,000 keys do not collide (chance below 1e-14),
the key cannot be recovered (API keys are 256 random bits), and every workspace has other fingerprints, so published reports
cannot be joined. The salt is in the vault's header and in each manifest. It is not a secret; it only separates workspaces.
"""

from __future__ import annotations

import base64
import hmac
import secrets

SALT_BYTES = 16
UNPROVISIONED_SALT = b"hermes-provision"
"""For homes without a manifest: their fingerprints can only be compared with each other."""


def new_salt() -> bytes:
    """Draw a salt for a new workspace."""
    return secrets.token_bytes(SALT_BYTES)


def fingerprint(value: str, salt: bytes) -> str:
    """Return `fp_` and 16 base32 characters for a key under a workspace's salt."""
    digest = hmac.digest(salt, b"hermes-provision/fingerprint/v1\0" + value.encode("utf-8", "surrogatepass"), "sha256")
    return "fp_" + base64.b32encode(digest[:10]).decode("ascii").lower()
