"""The cryptography of the vault: one random data key, and one subkey derived from it per purpose.

The data key has 32 random bytes and is sealed to the operators with age. HKDF-SHA256 (salt: the workspace's id) derives three
subkeys. `lines` encrypts each key with ChaCha20-Poly1305 and a random nonce, bound to workspace, user, version, fingerprint and
creation time. `seal` authenticates the whole file. `digests` is passed to `render` to recognize unchanged plaintext. Nonces are
generated here. Removing an operator replaces the data key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provision.detect.secret import Secret

if TYPE_CHECKING:
    from provision.keys.vault.ledger import KeyVersion

DATA_KEY_BYTES = 32
_NONCE_BYTES = 12
_CONTEXT = "hermes-provision/vault/v1"


class BadTagError(Exception):
    """A line cannot be decrypted: it was altered, or belongs to another user, version or vault. Internal to this package."""


class DataKey:
    """The data key of one vault with its three subkeys. Its repr shows nothing."""

    __slots__ = ("_bytes", "_cipher", "_seal_key", "_workspace_id", "digest_key")

    def __init__(self, value: bytes, workspace_id: str) -> None:
        self._bytes = value
        self._workspace_id = workspace_id
        self._cipher = ChaCha20Poly1305(self._subkey("lines"))
        self._seal_key = self._subkey("seal")
        self.digest_key = self._subkey("digests")

    @classmethod
    def new(cls, workspace_id: str) -> DataKey:
        """Generate a data key."""
        return cls(secrets.token_bytes(DATA_KEY_BYTES), workspace_id)

    def reveal(self) -> bytes:
        """The data key itself, for sealing it to the operators."""
        return self._bytes

    def seal_line(self, known: KeyVersion, secret: Secret) -> str:
        """Encrypt a key for its line. Returns base64."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.reveal().encode("utf-8"), self._bound_to(known))
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open_line(self, known: KeyVersion, sealed: str) -> Secret:
        """Decrypt the key of a line. Raises BadTagError."""
        try:
            data = base64.b64decode(sealed)
            return Secret(
                self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], self._bound_to(known)).decode()
            )
        except (InvalidTag, ValueError, binascii.Error):
            raise BadTagError from None

    def seal_file(self, digest: bytes) -> str:
        """The value of the seal line. `digest` is the SHA-256 of all other bytes of the file."""
        return hmac.digest(self._seal_key, digest, "sha256").hex()

    def _subkey(self, purpose: str) -> bytes:
        info = f"{_CONTEXT}/{purpose}".encode()
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=bytes.fromhex(self._workspace_id), info=info)
        return kdf.derive(self._bytes)

    def _bound_to(self, known: KeyVersion) -> bytes:
        created = known.created.isoformat()[:19]
        return (
            f"{_CONTEXT}\0{self._workspace_id}\0{known.user}\0{known.version}\0{known.fingerprint}\0{created}".encode()
        )
