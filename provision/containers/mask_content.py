"""Mask secrets in content that no program reads back: logs, histories, dumps, databases, and archives of those.

The mask is a word that is valid in YAML, JSON, a shell and a URL. Masking is idempotent.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import IO, TYPE_CHECKING, cast

from provision.containers.mask_sqlite import DatabaseError, mask_database_image
from provision.detect.match import Confidence
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provision.detect.detector import Detector
    from provision.detect.match import Match

MASK = b"masked..."
LARGEST_BYTES = 512 << 20
"""Files up to this size are masked, in memory; larger ones are reported as not masked."""
_NESTING = 4
_SQLITE = b"SQLite format 3\0"


_COMPRESSIONS = cast(
    "Sequence[tuple[bytes, Callable[[IO[bytes]], IO[bytes]], Callable[[bytes], bytes]]]",
    (
        (b"\x1f\x8b", gzip.open, gzip.compress),
        (b"BZh", bz2.open, bz2.compress),
        (b"\xfd7zXZ\0", lzma.open, lzma.compress),
    ),
)


class MaskError(ProvisionError):
    """Something cannot be masked safely; it was not changed."""


def is_maskable(match: Match) -> bool:
    """Whether the confidence of a match is high enough to mask it."""
    return match.confidence is not Confidence.LOW


def mask_text(data: bytes, detector: Detector, wanted: Callable[[Match], bool] = is_maskable) -> bytes:
    """Return `data` with every wanted secret masked, in whatever encoding it has there."""
    out, at = [], 0
    for match in detector.scan(data):
        if not wanted(match):
            continue
        for number, (start, end) in enumerate(match.spans):
            if start < at:
                continue
            out.append(data[at:start])
            out.append(_mask_like(data[start:end], match) if number == 0 else b"")
            at = end
    out.append(data[at:])
    return b"".join(out)


def _mask_like(found: bytes, match: Match) -> bytes:
    """Return the mask in the encoding of what it replaces."""
    if "utf-16" not in match.encodings:
        return MASK
    return MASK.decode().encode("utf-16-be" if found[:1] == b"\0" else "utf-16-le")


def mask_content(name: str, data: bytes, detector: Detector, depth: int = 0) -> bytes:
    """Return `data` (a database, an archive, compressed, or text) with every secret masked. Raises MaskError."""
    if len(data) > LARGEST_BYTES:
        raise MaskError(f"{name} is too large to mask (more than {LARGEST_BYTES >> 20} MB)", hint="remove it by hand")
    if depth > _NESTING:
        raise MaskError(f"{name}: archives are nested too deep", hint="remove it by hand")
    try:
        if data.startswith(_SQLITE):
            return mask_database_image(data, lambda cell: mask_text(cell, detector))
        if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _zip(data, detector, depth)
        for magic, opened, compress in _COMPRESSIONS:
            if data.startswith(magic):
                inside = _bounded(name, opened(io.BytesIO(data)))
                masked = mask_content(name, inside, detector, depth + 1)
                return data if masked == inside else compress(masked)
        if data[257:262] == b"ustar":
            return _tar(data, detector, depth)
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError) as e:
        raise MaskError(f"{name} cannot be unpacked ({type(e).__name__})", hint="remove it by hand") from e
    except DatabaseError as e:
        raise MaskError(f"{name}: {e.message}", hint=e.hint) from e
    return mask_text(data, detector)


def _bounded(name: str, file: IO[bytes]) -> bytes:
    with file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise MaskError(f"{name} unpacks to more than {LARGEST_BYTES >> 20} MB", hint="remove it by hand")
    return data


def _zip(data: bytes, detector: Detector, depth: int) -> bytes:
    out = io.BytesIO()
    changed = False
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        if sum(info.file_size for info in old.infolist()) > LARGEST_BYTES:
            raise MaskError("the archive unpacks to too much", hint="remove it by hand")
        new.comment = old.comment
        for info in old.infolist():
            content = b"" if info.is_dir() else old.read(info)
            masked = mask_content(info.filename, content, detector, depth + 1)
            changed = changed or masked != content
            new.writestr(info, masked, compress_type=info.compress_type)
    return out.getvalue() if changed else data


def _tar(data: bytes, detector: Detector, depth: int) -> bytes:
    out = io.BytesIO()
    changed = False
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w", format=old.format) as new:
        for info in old:
            file = old.extractfile(info) if info.isreg() else None
            if file is None:
                new.addfile(info)
                continue
            content = file.read()
            masked = mask_content(info.name, content, detector, depth + 1)
            changed = changed or masked != content
            info.size = len(masked)
            new.addfile(info, io.BytesIO(masked))
    return out.getvalue() if changed else data
