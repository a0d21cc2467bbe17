"""A cache of the bundles in `dist/`, so that a render of 10,000 unchanged users does not verify 10,000 signatures.

One line per user: expiry, generation, key fingerprint, and a MAC with the vault's digest key over the signer, the inputs
and the bytes of all files. Only a holder of the vault can write such a line, so a bundle that matches its line is one that
a render made or verified. Without the cache every bundle is verified in full, with the same result.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

from provision.files import FileProblemError, read_optional, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = "provision/seen/v1\n"
_MAX_BYTES = 64 << 20


class CachedBundle(NamedTuple):
    """When a bundle expires (Unix seconds), its generation, and the fingerprint of the key in it."""

    expires: int
    generation: int
    key_fingerprint: str


class RenderCache:
    """The cache of one dist folder, read once, written once."""

    def __init__(self, digest_key: bytes, signer: bytes, lines: dict[str, str]) -> None:
        self._key = digest_key
        self._signer = signer
        self._lines = lines

    @classmethod
    def load(cls, path: Path, *, digest_key: bytes, signer: bytes) -> RenderCache:
        """Read the cache at `path`; it is empty when the file is missing or unreadable."""
        try:
            text = (read_optional(path, _MAX_BYTES) or b"").decode("ascii", "replace")
        except FileProblemError:
            text = ""
        lines = {}
        if text.startswith(_HEADER):
            for line in text[len(_HEADER) :].splitlines():
                user, _, rest = line.partition(" ")
                lines[user] = rest
        return cls(digest_key, signer, lines)

    def recall(self, user: str, inputs: bytes, content: bytes) -> CachedBundle | None:
        """The cached values of a bundle with this content and these inputs; None if it is not the bundle that was cached."""
        expires, generation, mark, mac = ([*self._lines.get(user, "").split(" "), "", "", "", ""])[:4]
        if not (expires.isdecimal() and generation.isdecimal()):
            return None
        cached = CachedBundle(int(expires), int(generation), mark)
        return cached if hmac.compare_digest(mac, self._mac(user, cached, inputs, content)) else None

    def note(self, user: str, cached: CachedBundle, inputs: bytes, content: bytes) -> None:
        """Cache a bundle that was made or verified in full."""
        line = f"{cached.expires} {cached.generation} {cached.key_fingerprint}"
        self._lines[user] = f"{line} {self._mac(user, cached, inputs, content)}"

    def forget(self, user: str) -> None:
        """Remove a user's line."""
        self._lines.pop(user, None)

    def save(self, path: Path) -> None:
        """Write the lines, sorted. Not flushed to disk, like the rest of dist/."""
        body = "".join(f"{user} {rest}\n" for user, rest in sorted(self._lines.items()))
        write_atomic(path, (_HEADER + body).encode(), mode=0o644, durable=False)

    def _mac(self, user: str, cached: CachedBundle, inputs: bytes, content: bytes) -> str:
        head = f"provision/seen/v1\0{user}\0{cached.expires}\0{cached.generation}\0{cached.key_fingerprint}\0".encode()
        text = head + inputs + content + self._signer
        return hmac.digest(self._key, text, "sha256").hex()
