"""Builds age files by hand, with a valid header MAC over whatever header it is given, so that only the format is at fault."""

import base64
import os

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = b"age-encryption.org/v1\n"
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _hkdf(key: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(key)


def public_bytes(recipient: str) -> bytes:
    bits = "".join(f"{_CHARSET.index(c):05b}" for c in recipient.removeprefix("age1")[:-6])
    return int(bits[: 32 * 8], 2).to_bytes(32, "big")


def x25519_parts(recipient: str, file_key: bytes) -> tuple[bytes, bytes]:
    """The share and the 32-byte body of an X25519 stanza."""
    public = public_bytes(recipient)
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    wrap = _hkdf(shared, share + public, b"age-encryption.org/v1/X25519")
    return share, ChaCha20Poly1305(wrap).encrypt(b"\0" * 12, file_key, None)


def x25519_stanza(recipient: str, file_key: bytes) -> bytes:
    share, body = x25519_parts(recipient, file_key)
    return b"-> X25519 " + b64(share) + b"\n" + b64(body) + b"\n"


def sealed(
    stanzas: bytes, file_key: bytes, plaintext: bytes = b"hello", *, version: bytes = VERSION, end: bytes = b"\n"
) -> bytes:
    header = version + stanzas + b"---"
    mac = hmac.HMAC(_hkdf(file_key, None, b"header"), hashes.SHA256())
    mac.update(header)
    nonce = os.urandom(16)
    payload = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload")).encrypt(b"\0" * 11 + b"\1", plaintext, None)
    return header + b" " + b64(mac.finalize()) + end + nonce + payload
