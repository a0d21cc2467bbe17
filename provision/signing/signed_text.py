"""Text and its SSH signature in one file: the text, followed by the armored signature over exactly that text.

Two files could be delivered out of step: a new index with its old signature, for example. `ssh-keygen -Y verify` verifies
the file too, after it is cut at the `-----BEGIN SSH SIGNATURE-----` line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from provision.formats.shell_output import shell_chunks
from provision.signing.sshsig import MAX_SIGNATURE_BYTES, BadSignatureError, sign_bytes, verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CHUNK_BYTES = 1 << 20
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def sign_text(text: bytes, key: Ed25519PrivateKey, namespace: str) -> bytes:
    """`text`, which must end in a newline, followed by its signature."""
    return text + sign_bytes(text, key, namespace)


def split_signed(data: bytes) -> tuple[bytes, bytes]:
    """Split a signed text into text and armored signature, unverified. Raises BadSignatureError."""
    at = data.find(BEGIN)
    if at < 0 or not data.endswith(END):
        raise BadSignatureError("it does not end in a complete signature: it may be truncated", hint="fetch it again")
    return data[:at], data[at:]


def verify_text(data: bytes, namespace: str) -> tuple[bytes, bytes]:
    """The text and the public key blob that signed it. Trust is not checked. Raises BadSignatureError."""
    text, signature = split_signed(data)
    return text, verify_signature(text, signature, namespace)


def split_stream(data: bytes) -> Iterator[bytes]:
    """Split concatenated signed texts; bytes after the last signature are yielded as they are."""
    at = 0
    while at < len(data):
        end = data.find(END, at)
        cut = len(data) if end < 0 else end + len(END)
        piece = data[at:cut].lstrip()
        if piece:
            yield piece
        at = cut


def read_stream(file: BinaryIO, limit_bytes: int) -> Iterator[bytes]:
    """Split concatenated signed texts as they are read, in memory for one. As `split_stream`, but raises BadSignatureError when
    one is larger than `limit_bytes`; the rest is not read then."""
    held, more = b"", True
    chunks = shell_chunks(iter(lambda: file.read(_CHUNK_BYTES) or b"", b""))  # None: nothing is there yet (/proc/kmsg)
    while more:
        chunk = next(chunks, None)
        more = chunk is not None
        held += chunk or b""
        at = held.rfind(END) if more else len(held) - len(END)
        cut = at + len(END) if at >= 0 or not more else 0
        if cut:
            yield from split_stream(held[:cut])
            held = held[cut:]
        if len(held) > limit_bytes:
            raise BadSignatureError(
                f"{limit_bytes} bytes without the end of a signature", hint="check that it is the right file"
            )


def max_signed_bytes(text_bytes: int) -> int:
    """The maximum size of a signed text whose text has at most `text_bytes`."""
    return text_bytes + MAX_SIGNATURE_BYTES
