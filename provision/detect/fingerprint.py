"""A fingerprint names an API key without revealing it.

It is an HMAC-SHA256 under a salt that belongs to one workspace, cut to 80 bits: enough that 100,000 keys do not collide
(chance below 1e-14), useless to whoever wants the key back (API keys are 256 random bits), and different in every
workspace, so published reports cannot be joined. The salt stands in the vault's header and in each manifest: it is not
a secret, it only separates.
"""

from __future__ import annotations

import base64
import hmac
import secrets

SALT_BYTES = 16
UNPROVISIONED_SALT = b"hermes-provision"
"""For homes that hold no manifest: fingerprints are then comparable among such homes only."""


def new_salt() -> bytes:
    """A salt for a new workspace."""
    return secrets.token_bytes(SALT_BYTES)


def fingerprint(value: str, salt: bytes) -> str:
    """`fp_` and 16 base32 characters for a key under a workspace's salt."""
    digest = hmac.digest(salt, b"hermes-provision/fingerprint/v1\0" + value.encode("utf-8", "surrogatepass"), "sha256")
    return "fp_" + base64.b32encode(digest[:10]).decode("ascii").lower()
