"""Which container a file is, by its first bytes.

This is the first place to change for a new archive format: add its signature to `_MAGICS`. A format without a reader belongs
in `UNSUPPORTED_FORMATS`: its files are searched as raw bytes and reported as not opened.
"""

from __future__ import annotations

_MAGICS = (
    (b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"),
    (b"SQLite format 3\0", "sqlite"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
)  # fmt: skip
_BEGINNINGS = tuple(magic for magic, _ in _MAGICS)
COMPRESSED_FORMATS = frozenset({"gzip", "bzip2", "xz"})
UNSUPPORTED_FORMATS = frozenset({"zstd", "7z", "rar", "lz4"})
"""Formats without a reader: they are reported as not opened."""


def container_format(head: bytes) -> str | None:
    """Return the format by its first 512 bytes: `zip`, `tar`, `gzip`, … `sqlite`; None for plain content."""
    if head[257:262] == b"ustar":
        return "tar"
    if not head.startswith(_BEGINNINGS):
        return None
    kind = next(kind for magic, kind in _MAGICS if head.startswith(magic))
    if kind == "bzip2" and (head[4:10] != b"1AY&SY" or not head[3:4].isdigit()):
        return None
    return kind
