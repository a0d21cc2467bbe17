"""Text and its SSH signature as one file: the text, and right after it the armored signature over exactly that text.

One file because two that belong together can arrive apart: a receipt with the signature of the one before, an index in
its new version with its old signature. `ssh-keygen -Y verify` checks it too, once the two parts are cut at the
`-----BEGIN SSH SIGNATURE-----` line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.signing.sshsig import MAX_SIGNATURE_BYTES, BadSignatureError, sign_bytes, verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def sign_text(text: bytes, key: Ed25519PrivateKey, namespace: str) -> bytes:
    """`text`, which must end in a newline, followed by its signature."""
    return text + sign_bytes(text, key, namespace)


def split_signed(data: bytes) -> tuple[bytes, bytes]:
    """The text and the armored signature of one signed text, unverified. Raises BadSignatureError."""
    at = data.find(BEGIN)
    if at < 0 or not data.endswith(END):
        raise BadSignatureError("it does not end in a whole signature: it may be cut short", hint="fetch it again")
    return data[:at], data[at:]


def verify_text(data: bytes, namespace: str) -> tuple[bytes, bytes]:
    """The text and the public key blob that signed it. Says nothing about trust. Raises BadSignatureError."""
    text, signature = split_signed(data)
    return text, verify_signature(text, signature, namespace)


def split_stream(data: bytes) -> Iterator[bytes]:
    """The signed texts of which `data` is made, one after the other; what remains at the end comes as it is."""
    at = 0
    while at < len(data):
        end = data.find(END, at)
        cut = len(data) if end < 0 else end + len(END)
        piece = data[at:cut].lstrip()
        if piece:
            yield piece
        at = cut


def max_signed_bytes(text_bytes: int) -> int:
    """How long a signed text may be whose text has at most `text_bytes`."""
    return text_bytes + MAX_SIGNATURE_BYTES
