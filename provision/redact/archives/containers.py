"""Redact containers (archives, compressed files, databases and what they hold) with the rewriter that `audit --fix` uses too.

Every member is redacted by its own kind. A member that cannot be examined is left out of the result, with a remark; nothing
passes through unread. Nothing is unpacked under a name that the archive chooses.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, BinaryIO, cast

from provision.containers.blob import ReadLimits
from provision.containers.budget import Budget
from provision.containers.chunk_stream import CHUNK_BYTES
from provision.containers.container_format import format_of
from provision.containers.embedded import EmbeddedStreams
from provision.containers.steps import copy_to, spooled_file
from provision.detect.match import Confidence
from provision.detect.secret_names import names_secret, plain_value
from provision.redact import file_kinds
from provision.redact.masks import masked_already
from provision.redact.notes import Remark
from provision.redact.session import CannotExamineError
from provision.redact.stream import redact_bytes
from provision.redact.structured.json_text import RULE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provision.errors import ProvisionError
    from provision.redact.session import Session

LIMITS = ReadLimits()
_PICTURES = frozenset({"png", "pdf"})
"""Their pixels have to be examined too: other modules redact them."""
_HINT = "unpack or convert it, then redact the result"
_NAME_COLUMNS = frozenset({"name", "key", "k", "setting", "variable", "var", "option"})
_VALUE_COLUMNS = frozenset({"value", "val", "v", "data", "content"})


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a container; see `RedactFile`."""
    from provision.containers.rewrite import HeldSecretError, RewriteError, rewrite  # noqa: PLC0415  all formats: texts are redacted without
    from provision.containers.sqlite_rewriter import DatabaseError  # noqa: PLC0415

    size = source.seek(0, 2)
    source.seek(0)
    with spooled_file() as result:
        try:
            rewrite(source, result, file, PublishingMask(session), LIMITS, size=size)
        except (RewriteError, DatabaseError) as e:
            raise CannotExamineError(
                e.message, hint=e.hint or _HINT, holds_secret=isinstance(e, HeldSecretError)
            ) from e
        result.seek(0)
        copy_to(result, target)


def holds_containers(source: BinaryIO, file: str) -> bool:
    """Whether a text holds containers, or values in a form of their own, that only `redact_file` here can redact."""
    if format_of(source, file) is not None:
        return True
    found = EmbeddedStreams()
    for _ in found.watching(_chunks(source)):
        pass
    source.seek(0)
    return bool(found.streams() or found.problems)


def redact_embedded(chunks: Iterable[bytes], session: Session, file: str) -> Iterator[bytes]:
    """Yield a redacted text with the containers that it holds in base64 redacted too. Raises CannotExamineError."""
    found = EmbeddedStreams()
    for piece in found.split(chunks):
        if isinstance(piece, bytes):
            yield piece
        else:
            from provision.containers.rewrite import Rewriter  # noqa: PLC0415  as above

            rewriter = Rewriter(PublishingMask(session), LIMITS, Budget.of(LIMITS, len(piece.data)))
            yield rewriter.encoded(piece, file, 0)
    for problem in found.problems:
        raise CannotExamineError(problem, hint=_HINT)


class PublishingMask:
    """Masks for `rewrite`: everything that the session masks; what cannot be examined is left out."""

    leaves_out = True

    def __init__(self, session: Session) -> None:
        self._session = session

    def opens(self, kind: str) -> bool:
        """Every container is opened, except pictures."""
        return kind not in _PICTURES

    def label(self, where: str, what: str, data: bytes) -> bytes:
        """Redact a short part."""
        return redact_bytes(data, self._session, where, what)

    def body(self, source: IO[bytes], target: IO[bytes], where: str) -> None:
        """Redact content by its kind."""
        head = source.read(file_kinds.HEAD_BYTES)
        source.seek(0)
        kind = file_kinds.kind_of(head)
        if kind in file_kinds.CONTAINERS:  # a damaged one, which the rewriter passes on as raw bytes
            kind = file_kinds.FileKind.TEXT
        file_kinds.redact_as(kind, cast("BinaryIO", source), cast("BinaryIO", target), where, self._session)

    def row(self, where: str, place: str, row: Mapping[str, object]) -> Mapping[str, object]:
        """Mask texts that their column names as secret, or the name in a table of names and values."""
        named_secret = any(
            isinstance(value, str) and column.lower() in _NAME_COLUMNS and names_secret(value)
            for column, value in row.items()
        )
        return {
            column: self._session.masked_value(where, f"{place}, {column}", RULE, value)
            for column, value in row.items()
            if (names_secret(column) or (named_secret and column.lower() in _VALUE_COLUMNS))
            and isinstance(value, str)
            and not plain_value(value)
        }

    def is_certain(self, source: IO[bytes], where: str) -> bool:
        """Whether raw bytes still hold a secret for certain; what is only possible is noted for review."""
        source.seek(0)
        for match in self._session.detector.scan_chunks(_chunks(source)):
            if masked_already(match.secret.reveal()):
                continue
            if match.known or match.confidence is Confidence.HIGH:
                self._session.note(where, f"byte {match.start}", match)
                return True
            place = f"byte {match.start}"
            self._session.notes.unsure.append(Remark(where, place, f"possible secret (rule {match.rule})"))
        return False

    def lost(self, source: IO[bytes], where: str, place_of: Callable[[int], str | None]) -> None:
        """Note the secrets that are gone with the bytes that held them."""
        source.seek(0)
        for match in self._session.detector.scan_chunks(_chunks(source)):
            place = place_of(match.start)
            if place is not None and not masked_already(match.secret.reveal()):
                self._session.note(where, place, match)

    def left_out(self, where: str, name: str, error: ProvisionError) -> None:
        """Add a remark that a member is left out of the result."""
        from provision.containers.rewrite import HeldSecretError  # noqa: PLC0415

        held = isinstance(error, HeldSecretError)
        self._session.notes.left_out.append(Remark(where, name, error.message, error.hint or _HINT, held))


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk
