"""Mask secrets in content that no program reads back: logs, histories, dumps, databases, and archives of those.

The mask is a word that is valid in YAML, JSON, a shell and a URL. Masking is idempotent.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from provision.containers.blob import ReadLimits
from provision.containers.budget import Budget, BudgetError
from provision.containers.rewrite import RewriteError, Rewriter, rewrite
from provision.containers.sqlite_rewriter import DatabaseError, rewrite_database
from provision.containers.steps import spooled_file
from provision.detect.match import Confidence
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from provision.detect.detector import Detector
    from provision.detect.match import Match

MASK = b"masked..."
LARGEST_BYTES = 512 << 20
"""Files up to this size are masked; larger ones are reported as not masked."""
_CHUNK = 1 << 20


class MaskError(ProvisionError):
    """Something cannot be masked safely; it was not changed."""


def is_maskable(match: Match) -> bool:
    """Whether the confidence of a match is high enough to mask it."""
    return match.confidence is not Confidence.LOW


def mask_text(data: bytes, detector: Detector, wanted: Callable[[Match], bool] = is_maskable) -> bytes:
    """Return `data` with every wanted secret masked, in whatever encoding it has there."""
    matches = detector.scan(data)
    if not matches:
        return data
    out = io.BytesIO()
    _write_masked(io.BytesIO(data), out, (match for match in matches if wanted(match)))
    return out.getvalue()


def mask_content(name: str, data: bytes, detector: Detector, limits: ReadLimits | None = None) -> bytes:
    """Return `data` (a database, an archive, compressed, or text) with every secret masked. Raises MaskError."""
    if len(data) > LARGEST_BYTES:
        raise MaskError(f"{name} is too large to mask (more than {LARGEST_BYTES >> 20} MB)", hint="remove it by hand")
    try:
        with spooled_file() as result:
            if not rewrite(io.BytesIO(data), result, name, FixMask(detector), limits or ReadLimits(), size=len(data)):
                return data
            if result.seek(0, io.SEEK_END) > LARGEST_BYTES:
                raise MaskError(f"{name} becomes too large to mask", hint="remove it by hand")
            result.seek(0)
            return result.read()
    except (RewriteError, DatabaseError) as e:
        raise MaskError(f"{name}: {e.message}", hint=e.hint or "remove it by hand") from e


def mask_database(path: Path, detector: Detector) -> int:
    """Mask a database in place, under its own lock; returns the number of rows changed. Raises DatabaseError, RewriteError."""
    limits = ReadLimits()
    rewriter = Rewriter(FixMask(detector), limits, Budget.of(limits, path.stat().st_size))
    try:
        return rewrite_database(path, lambda place, row: rewriter.row(path.name, place, row, 0))
    except BudgetError as e:
        raise MaskError(f"{path.name}: {e}", hint="remove it by hand") from e


class FixMask:
    """Masks for `rewrite`: members that cannot be examined stay when nothing is found in their raw bytes."""

    leaves_out = False

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def opens(self, kind: str) -> bool:
        """Every container is opened."""
        return bool(kind)

    def label(self, where: str, what: str, data: bytes) -> bytes:
        """Mask a short part."""
        del where, what
        return mask_text(data, self._detector)

    def body(self, source: IO[bytes], target: IO[bytes], where: str) -> None:
        """Mask content as it streams by."""
        del where
        matches = [match for match in self._detector.scan_chunks(_chunks(source)) if is_maskable(match)]
        source.seek(0)
        _write_masked(source, target, iter(matches))

    def row(self, where: str, place: str, row: Mapping[str, object]) -> Mapping[str, object]:
        """Mask no value by its name alone."""
        del where, place, row
        return {}

    def is_certain(self, source: IO[bytes], where: str) -> bool:
        """Whether raw bytes hold a known key, or a secret that is one for certain."""
        del where
        source.seek(0)
        return any(
            match.known or match.confidence is Confidence.HIGH for match in self._detector.scan_chunks(_chunks(source))
        )

    def lost(self, source: IO[bytes], where: str, place_of: Callable[[int], str | None]) -> None:
        """Nothing to note: what is gone is fixed."""

    def left_out(self, where: str, name: str, error: ProvisionError) -> None:
        """Nothing to note: the audit itself reports what it could not read."""


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk


def _write_masked(source: IO[bytes], target: IO[bytes], matches: Iterator[Match]) -> None:
    at = 0
    for match in matches:
        for number, (start, end) in enumerate(match.spans):
            if start < at:
                continue
            _copy(source, target, start - at)
            found = source.read(end - start)
            target.write(_mask_like(found, match) if number == 0 else b"")
            at = end
    while chunk := source.read(_CHUNK):
        target.write(chunk)


def _copy(source: IO[bytes], target: IO[bytes], length: int) -> None:
    while length > 0 and (chunk := source.read(min(length, _CHUNK))):
        target.write(chunk)
        length -= len(chunk)


def _mask_like(found: bytes, match: Match) -> bytes:
    """Return the mask in the encoding of what it replaces."""
    if "utf-16" not in match.encodings:
        return MASK
    return MASK.decode().encode("utf-16-be" if found[:1] == b"\0" else "utf-16-le")
