"""Which container a piece of content is, by its first bytes.

This is the first place to change for a new format: add its signature to `_MAGICS`, and its reader to `formats.FORMATS`. A format
without a reader is in `UNSUPPORTED_FORMATS`: it is searched as raw bytes and reported as not read.
"""

from __future__ import annotations

import re
import zlib

HEAD_BYTES = 512
_READ = (
    (b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"),
    (b"SQLite format 3\0", "sqlite"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x89PNG\r\n\x1a\n", "png"), (b"%PDF-", "pdf"), (b"PACK\0\0\0\2", "git pack"), (b"PACK\0\0\0\3", "git pack"),
    (b"# v2 git bundle\n", "git bundle"), (b"# v3 git bundle\n", "git bundle"), (b"!<arch>\n", "ar"),
    (b"REGEDIT4", "registry export"), (b"Windows Registry Editor ", "registry export"),
    (b"\xff\xfeW\0i\0n\0d\0o\0w\0s\0 \0R\0e\0g\0i\0s\0t\0r\0y\0", "registry export"),
)  # fmt: skip
_UNSUPPORTED = (
    (b"Rar!\x1a\x07", "rar"), (b"\x04\x22\x4d\x18", "lz4"), (b"hsqs", "squashfs"), (b"sqsh", "squashfs"),
    (b"LZIP", "lzip"), (b"\x1f\x9d", "compress (.Z)"), (b"MSCF\0\0\0\0", "cabinet"), (b"070701", "cpio"), (b"070707", "cpio"),
    (b"\xed\xab\xee\xdb", "rpm"), (b"xar!", "xar"), (b"MSWIM\0\0\0", "wim"), (b"QFI\xfb", "qcow2 image"),
    (b"KDMV", "vmdk image"), (b"conectix", "vhd image"), (b"vhdxfile", "vhdx image"), (b"LUKS\xba\xbe", "luks"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE document"), (b"PAR1", "parquet"), (b"ORC", "orc"), (b"Obj\1", "avro"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"), (b"mozLz40\0", "mozlz4"), (b"\xff\6\0\0sNaPpY", "snappy"), (b"PK\7\10", "split zip"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop"), (b"\x60\xea", "arj"), (b"ITSF\3", "chm"),
    (b"regf", "registry hive"),
)  # fmt: skip
_MAGICS = (*_READ, *_UNSUPPORTED)
_FIRST = frozenset(magic[0] for magic, _ in _MAGICS) | frozenset(b"\x78\x5d")
COMPRESSED_FORMATS = frozenset({"gzip", "bzip2", "xz", "lzma", "zlib", "zstd"})
UNSUPPORTED_FORMATS = frozenset(kind for _, kind in _UNSUPPORTED)
"""Formats without a reader: they are reported as not read."""
_TABLE_NAME = re.compile(r"\.(?:ldb|sst)$", re.IGNORECASE)
_LOG_NAME = re.compile(r"(?:^|[/!\\])(?:\d{6,}\.log|MANIFEST-\d{6,})$")
_OLD_TAR = re.compile(rb"[0-7 ]{6}[ \0]")
_OFFICE = b"schemas.openxmlformats.org/"


def container_format(head: bytes, name: str = "") -> str | None:
    """Return the format by the first 512 bytes: `zip`, `tar`, `gzip`, … `sqlite`; None for plain content.

    LevelDB's files have no signature at their beginning: there `name` decides.
    """
    if head[257:262] == b"ustar" or (head[345:512] == bytes(167) and _is_old_tar(head)):
        return "tar"
    if head[:1] == b"<":
        return "office text" if _OFFICE in head else None
    if head and head[0] in _FIRST:
        for magic, kind in _MAGICS:
            if head.startswith(magic):
                return kind if _is_plausible(kind, head) else None
        if head[0] == 0x78 and _is_zlib(head):
            return "zlib"
        if head[0] == 0x5D and _is_lzma(head):
            return "lzma"
    if name and _TABLE_NAME.search(name):
        return "leveldb table"
    if name and _LOG_NAME.search(name) and _is_leveldb_log(head):
        return "leveldb log"
    return None


def _is_plausible(kind: str, head: bytes) -> bool:
    """Whether more of the head fits a format with a short signature."""
    if kind == "bzip2":
        return head[4:10] == b"1AY&SY" and head[3:4].isdigit()
    if kind == "orc":
        return len(head) > 3 and head[3] < 0x20
    if kind == "arj":
        return len(head) > 4 and 0 < int.from_bytes(head[2:4], "little") <= 2600 and head[4] >= 0x1E
    if kind in ("xar", "vmdk image", "lzip", "squashfs"):
        return any(byte < 9 for byte in head[4:16])
    return kind != "parquet" or b"\0" in head or len(head) > 4


def _is_zlib(head: bytes) -> bool:
    """Whether a deflate stream begins here: a text may begin with the same two bytes."""
    if len(head) < 8 or head[1] not in b"\x01\x5e\x9c\xda":
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 64))
    except zlib.error:
        return False


def _is_lzma(head: bytes) -> bool:
    size = head[5:13]
    return (
        head[1:3] == b"\0\0"
        and len(size) == 8
        and (size == b"\xff" * 8 or size[5:] == b"\0\0\0")
        and head[13:14] == b"\0"
    )


def _is_old_tar(head: bytes) -> bool:
    """Whether a tar from before POSIX begins here: it has no signature, only a checksum."""
    if not head[0] or not _OLD_TAR.match(head, 148):
        return False
    return int(head[148:155].strip(b" \0") or b"0", 8) == sum(head[:148]) + sum(head[156:512]) + 8 * 32


def _is_leveldb_log(head: bytes) -> bool:
    length = int.from_bytes(head[4:6], "little")
    return len(head) >= 7 and head[6] in (1, 2) and 0 < length <= 32761 and b"\0" in head[:32]
