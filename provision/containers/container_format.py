"""Which container a piece of content is, by its first bytes.

For a new format, add its signature to `signatures`, and its reader to `formats.FORMATS`. A format without a reader is in
`UNSUPPORTED_FORMATS`: it is searched as raw bytes and reported as not read.
"""

from __future__ import annotations

import re
import zlib
from typing import IO, TYPE_CHECKING

from provision.containers.formats.decompress import decompressed_beginning
from provision.containers.signatures import MEDIA, MEDIA_ELSEWHERE, NOT_READ, NOT_READ_ELSEWHERE, READ

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 512
_MAGICS = (*READ, *NOT_READ)
_BY_FIRST: dict[int, list[tuple[bytes, str]]] = {}
for _magic, _kind in _MAGICS:
    _BY_FIRST.setdefault(_magic[0], []).append((_magic, _kind))
_FIRST = frozenset(_BY_FIRST) | frozenset(b"\x78\x5d")
_LETTERS = frozenset(
    kind for magic, kind in NOT_READ if len(magic) < 8 and magic.isascii() and magic.decode().isprintable()
) - {"cpio", "orc", "parquet"}
"""Formats whose signature could begin a text."""
WITHOUT_SIGNATURE = ("brotli", "deflate")
"""Compressed streams without a header: one is recognised by what it unpacks to, a text."""
COMPRESSED_FORMATS = frozenset({"gzip", "bzip2", "xz", "lzma", "zlib", "zstd", *WITHOUT_SIGNATURE})
UNKNOWN = "unknown compressed or encrypted data"
UNSUPPORTED_FORMATS = frozenset(
    {UNKNOWN, *(kind for _, kind in NOT_READ), *(kind for _, _, kind in NOT_READ_ELSEWHERE)}
)
"""Formats without a reader: they are reported as not read."""
_LEAST_UNPACKED = 32
_MOST_ZEROS = 64
"""Programs and byte code have more in their first 512 bytes, compressed or encrypted content about two."""
_DISTINCT, _DISTINCT_QUARTER = 200, 90
"""Of 512 random bytes about 221 are different, of the first 128 about 101."""
_PRINTABLE = bytes(range(32, 127)) + b"\t\n\r"
_CONTROLS = frozenset(range(32)) - frozenset(_PRINTABLE) - {0x1B}
LEVELDB_TABLE_END = bytes.fromhex("57fb808b247547db")
_END_OF_ZIP_BYTES = 22
_LOG_NAME = re.compile(r"(?:^|[/!\\])(?:\d{6,}\.log|MANIFEST-\d{6,})$")
_NO_PREFIX = bytes(167)
_OLD_TAR = re.compile(rb"[0-7 ]{6}[ \0]")
_OFFICE = (b"schemas.openxmlformats.org/", b"urn:oasis:names:tc:opendocument:")


def container_format(head: bytes, name: str = "") -> str | None:
    """Return the format by the first 512 bytes: `zip`, `tar`, `gzip`, … `sqlite`; None for plain content.

    LevelDB's files have no signature at their beginning: there `name` decides.
    """
    if head[257:262] == b"ustar" or (head[345:512] == _NO_PREFIX and _is_old_tar(head)):
        return "tar"
    if head[:1] == b"<":
        return "office text" if any(space in head for space in _OFFICE) else None
    if head and head[0] in _FIRST:
        for magic, kind in _BY_FIRST.get(head[0], ()):
            if head.startswith(magic):
                return kind if _is_plausible(kind, head) else None
        if head[0] == 0x78 and _is_zlib(head):
            return "zlib"
        if head[0] == 0x5D and _is_lzma(head):
            return "lzma"
    if name:
        ending = name[-7:].lower()
        if ending.endswith((".ldb", ".sst")):
            return "leveldb table"
        if ending.endswith((".br", "brotli")) and _is_binary(head):
            return "brotli"
        if head[6:7] in {b"\1", b"\2"} and _LOG_NAME.search(name) and _is_leveldb_log(head):
            return "leveldb log"
    return None


def may_be_container(head: bytes) -> bool:
    """Return whether `container_format` may find a format when more follows."""
    return (head[:1] == b"<" and len(head) < HEAD_BYTES) or any(
        len(head) < len(magic) and magic.startswith(head) for magic, _ in _MAGICS
    )


def container_elsewhere(read_at: Callable[[int, int], bytes], size: int) -> str | None:
    """Return the format of a file whose signature is not at its beginning: a zip behind a program, an image of a disk.

    `read_at(length, offset)` reads anywhere in the `size` bytes. Raises what `read_at` raises.
    """
    begun = max(0, size - _END_OF_ZIP_BYTES - 0xFFFF)
    return _by_end(read_at(size - begun, begun)) or _by_offsets(read_at(HEAD_BYTES, 0), read_at, size)


def elsewhere_in(data: bytes) -> str | None:
    """Return the same for content in memory; nearly all of it is text, for which this takes a microsecond."""
    found = _by_end(data)
    if found is not None:
        return found
    head = data[:HEAD_BYTES]
    if b"\0" not in head and head.isascii():
        return _by_trailer(data)
    return _by_offsets(head, lambda length, offset: data[offset : offset + length], len(data))


def _by_end(tail: bytes) -> str | None:
    begun = max(0, len(tail) - _END_OF_ZIP_BYTES - 0xFFFF)
    at = tail.rfind(b"PK\5\6", begun) if tail.rfind(b"\5", begun) >= 0 else -1  # one byte is found much faster
    if at >= 0 and at + _END_OF_ZIP_BYTES + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail):
        return "zip"
    return "leveldb table" if tail.endswith(LEVELDB_TABLE_END) else _by_trailer(tail)


def _by_trailer(tail: bytes) -> str | None:
    """Return the format of an image of a disk that is described at its end."""
    if len(tail) < HEAD_BYTES or tail[-512:-508] not in (b"koly", b"cone"):
        return None
    return "dmg image" if tail[-512:-508] == b"koly" else "vhd image"


def _by_offsets(head: bytes, read_at: Callable[[int, int], bytes], size: int) -> str | None:
    if b"\0" in head:
        for start, magic, kind in NOT_READ_ELSEWHERE:
            if start + len(magic) <= HEAD_BYTES:
                found = head.startswith(magic, start)
            else:
                found = start <= size - len(magic) and read_at(len(magic), start) == magic
            if found and _is_disk(kind, read_at, size):
                return kind
    return _without_signature(head)


def _without_signature(head: bytes) -> str | None:
    """Return the format of binary content without a header: a stream that unpacks to text, or what looks random."""
    has_zeros = head.count(0) > _MOST_ZEROS
    if head.isascii() or _is_media(head) or (not has_zeros and is_text(head)):
        return None
    for kind in ("deflate",) if has_zeros else WITHOUT_SIGNATURE:  # what repeats unpacks from many zeros
        begun = decompressed_beginning(kind, head)
        if len(begun) >= _LEAST_UNPACKED and is_text(begun) and not any(byte in _CONTROLS for byte in begun):
            return kind
    return UNKNOWN if not has_zeros and _is_random(head) else None


def container_of(data: bytes) -> str | None:
    """Return the format of a small piece of content, such as a cell; random bytes count as plain, as vectors are."""
    found = container_format(data[:HEAD_BYTES]) or elsewhere_in(data)
    return None if found == UNKNOWN else found


def _is_random(head: bytes) -> bool:
    """Whether content has no structure, as everything encrypted."""
    return (
        len(head) == HEAD_BYTES and len(set(head[: HEAD_BYTES // 4])) > _DISTINCT_QUARTER and len(set(head)) > _DISTINCT
    )


def _is_media(head: bytes) -> bool:
    return head.startswith(MEDIA) or any(head.startswith(magic, offset) for offset, magic in MEDIA_ELSEWHERE)


def is_text(head: bytes) -> bool:
    """Return whether this is the beginning of a text in UTF-8, or in an encoding of one byte a letter."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as e:
        return e.start >= len(head) - 3 or not _is_binary(head)
    return True


def _is_disk(kind: str, read_at: Callable[[int, int], bytes], size: int) -> bool:
    """Whether more of the content fits a short signature."""
    if kind == "lha":
        return read_at(3, 4)[:1].isalnum() and read_at(1, 6) == b"-" and b"\0" in read_at(32, 0)
    if kind == "ext image":
        return size >= 2048 and read_at(2, 1084) in (b"\1\0", b"\2\0", b"\3\0") and read_at(1, 1083) == b"\0"
    return True


def _is_binary(head: bytes) -> bool:
    """Whether content is binary: most of a compressed stream is not printable."""
    return len(head) - len(head.translate(None, _PRINTABLE)) < 0.9 * len(head)


def _is_plausible(kind: str, head: bytes) -> bool:
    """Whether more of the head fits a format with a short signature."""
    if kind == "bzip2":
        return head[4:10] == b"1AY&SY" and head[3:4].isdigit()
    if kind == "orc":
        return len(head) > 3 and head[3] < 0x20
    if kind == "arj":
        return len(head) > 4 and 0 < int.from_bytes(head[2:4], "little") <= 2600 and head[4] >= 0x1E
    if kind in _LETTERS:
        return any(byte < 9 for byte in head[3:16])
    if kind in ("pack (.z)", "compress (lzh)"):
        return len(head) > 3 and (head[2] == 0 or kind == "compress (lzh)") and b"\0" in head
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


def format_of(source: IO[bytes], name: str) -> str | None:
    """Return the format of an open file, which is at its beginning afterwards."""
    source.seek(0)
    kind = container_format(source.read(HEAD_BYTES), name)
    if kind is None:
        size = source.seek(0, 2)

        def read_at(length: int, offset: int) -> bytes:
            source.seek(offset)
            return source.read(length)

        kind = container_elsewhere(read_at, size)
    source.seek(0)
    return kind
