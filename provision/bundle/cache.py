"""What the last render wrote, so that the next one need not check 10,000 signatures to find that nothing changed.

A line per user: when the bundle expires, and a MAC under the vault's digest key over who signed it, the inputs it was made
from and the bytes of all its files. Only whoever holds the vault can write such a line, so a bundle that matches its line
is one that we made and verified. The file is a cache: without it every bundle is checked in full, and the result is the same.
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
    """The lines of one dist folder, read once, written once."""

    def __init__(self, digest_key: bytes, signer: bytes, lines: dict[str, str]) -> None:
        self._key = digest_key
        self._signer = signer
        self._lines = lines

    @classmethod
    def load(cls, path: Path, *, digest_key: bytes, signer: bytes) -> RenderCache:
        """The lines at `path`; none when there is no such file or it cannot be read."""
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
        """What is known of a bundle with this content, made from these inputs; None if it is not as it was written."""
        expires, generation, mark, mac = ([*self._lines.get(user, "").split(" "), "", "", "", ""])[:4]
        if not (expires.isdecimal() and generation.isdecimal()):
            return None
        known = CachedBundle(int(expires), int(generation), mark)
        return known if hmac.compare_digest(mac, self._mac(user, known, inputs, content)) else None

    def note(self, user: str, known: CachedBundle, inputs: bytes, content: bytes) -> None:
        """Remember a bundle that was made or checked in full."""
        line = f"{known.expires} {known.generation} {known.key_fingerprint}"
        self._lines[user] = f"{line} {self._mac(user, known, inputs, content)}"

    def forget(self, user: str) -> None:
        """Drop a user's line."""
        self._lines.pop(user, None)

    def save(self, path: Path) -> None:
        """Write the lines, sorted; not flushed, as the rest of dist/."""
        body = "".join(f"{user} {rest}\n" for user, rest in sorted(self._lines.items()))
        write_atomic(path, (_HEADER + body).encode(), mode=0o644, durable=False)

    def _mac(self, user: str, known: CachedBundle, inputs: bytes, content: bytes) -> str:
        head = f"provision/seen/v1\0{user}\0{known.expires}\0{known.generation}\0{known.key_fingerprint}\0".encode()
        text = head + inputs + content + self._signer
        return hmac.digest(self._key, text, "sha256").hex()
