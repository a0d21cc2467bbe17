"""Write a container again without its secrets: the same steps of the same formats as `walk`, with an answer to each.

`rewrite` streams: a member is held in memory or in an unnamed temporary file, one at a time, within the budget of `ReadLimits`.
What does not change is written byte for byte where the format allows it. What to mask, and what to do about things that cannot be
read, is decided by the `Mask` that is passed in.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Protocol

from provision.containers.budget import Budget, BudgetError
from provision.containers.chunk_stream import CHUNK_BYTES, ChunkStream, DamagedError
from provision.containers.container_format import (
    COMPRESSED_FORMATS,
    HEAD_BYTES,
    UNSUPPORTED_FORMATS,
    container_format,
    container_of,
    format_of,
)
from provision.containers.embedded import EmbeddedStream, EmbeddedStreams, encode_like
from provision.containers.formats.registry import FORMATS, RAW_TOO, REWRITTEN
from provision.containers.sqlite_pages import SqlitePages
from provision.containers.sqlite_rewriter import rewrite_database_file
from provision.containers.steps import FormatInput, Member, NotRead, copy_to, spooled_file
from provision.containers.walk import inner_name
from provision.errors import ProvisionError
from provision.formats.key_paths import printable_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provision.containers.blob import ReadLimits


REBUILD = "delete it, or rebuild it"
"""The cure for a container with a secret whose format cannot be rewritten."""
LEFT_OUT = b"[REDACTED:not-read]"
"""What a container in base64 becomes that cannot be read."""


class RewriteError(ProvisionError):
    """A container cannot be rewritten; nothing of it may be used."""


class HeldSecretError(RewriteError):
    """A secret was found where it cannot be masked: what holds it may not be kept as it is."""


class Mask(Protocol):
    """What is masked, and what happens to what cannot be examined."""

    @property
    def leaves_out(self) -> bool:
        """Whether a member that cannot be examined is left out; else it is kept as it is."""

    def opens(self, kind: str) -> bool:
        """Whether containers of a format are opened; others are passed to `body`."""

    def label(self, where: str, what: str, data: bytes) -> bytes:
        """Return a short part (a name, a comment, a cell), masked."""

    def body(self, source: IO[bytes], target: IO[bytes], where: str) -> None:
        """Write plain content, masked. Raises ProvisionError when it cannot be examined."""

    def row(self, where: str, place: str, row: Mapping[str, object]) -> Mapping[str, object]:
        """Return the new values of those columns of a database row that the row itself names as secret."""

    def is_certain(self, source: IO[bytes], where: str) -> bool:
        """Whether raw bytes hold a secret for certain: no cells or lines of a binary file that happen to look like one."""

    def lost(self, source: IO[bytes], where: str, place_of: Callable[[int], str | None]) -> None:
        """Note what is in bytes that the result no longer has; `place_of` names those, None for all others."""

    def left_out(self, where: str, name: str, error: ProvisionError) -> None:
        """Note that a member is left out (or, without `leaves_out`, kept unread)."""


def rewrite(source: IO[bytes], target: IO[bytes], where: str, mask: Mask, limits: ReadLimits, *, size: int) -> bool:
    """Write `source` (seekable, of `size` bytes), called `where` in notes, to `target` with `mask` applied to every part.

    Returns whether anything changed; if not, `target` is a copy. Raises RewriteError, and what `mask` raises.
    """
    try:
        return Rewriter(mask, limits, Budget.of(limits, size)).content(source, target, where, 0)
    except BudgetError as e:
        raise RewriteError(str(e), hint="unpack it, then mask its files") from e
    except RecursionError as e:
        raise RewriteError("nested too deeply") from e


class Rewriter:
    """Rewrites one file with everything nested in it."""

    def __init__(self, mask: Mask, limits: ReadLimits, budget: Budget) -> None:
        self._mask = mask
        self._limits = limits
        self._budget = budget

    def content(self, source: IO[bytes], target: IO[bytes], where: str, depth: int) -> bool:
        """Rewrite a container, or plain content; return whether it changed."""
        kind = format_of(source, where)
        if kind is None:
            return self._body(source, target, where, depth)
        if not self._mask.opens(kind):
            return self._masked(source, source, target, where)
        if depth >= self._limits.nesting:
            raise RewriteError(f"archives are nested more than {self._limits.nesting} deep")
        if kind in UNSUPPORTED_FORMATS:
            raise RewriteError(f"not read: {kind}", hint="unpack or convert it, then mask the result")
        if kind == "sqlite":
            return self._database(source, target, where, depth)
        return self._format(kind, source, target, where, depth)

    def _format(self, kind: str, source: IO[bytes], target: IO[bytes], where: str, depth: int) -> bool:
        held = FormatInput(ChunkStream(_chunks(source)), source, self._limits.memory_bytes)
        if kind in RAW_TOO and kind != "png" and held.held() is None:
            raise RewriteError(f"a {kind} file too large to open", hint="unpack it, then mask its files")
        source.seek(0)
        changed = False
        unread: list[NotRead] = []
        begun = target.tell()
        files = ExitStack()  # of the member before: a format has written it when it yields the next one
        try:
            for step in FORMATS[kind](held, target if kind in REWRITTEN else None):
                if isinstance(step, NotRead):
                    unread.append(step)
                elif isinstance(step, Member):
                    files.close()
                    self._member(kind, step, where, depth, files)
                    changed = changed or step.changed
                elif step.data:
                    step.masked = self._mask.label(where, step.what, step.data)
                    changed = changed or step.changed
        except DamagedError as e:
            raise RewriteError(f"this {kind} is damaged: {e}") from e
        finally:
            files.close()
        changed = self._settle(unread, where, changed=changed)
        if changed and kind not in REWRITTEN:
            raise HeldSecretError(f"a secret is in it, and a {kind} cannot be rewritten", hint=REBUILD)
        if not changed:
            _copy_again(source, target, begun)
        if kind in RAW_TOO:
            self._require_clean(target, where)
        return changed

    def _database(self, source: IO[bytes], target: IO[bytes], where: str, depth: int) -> bool:
        begun = target.tell()
        changed, emptied = rewrite_database_file(source, target, lambda place, row: self.row(where, place, row, depth))
        if not (changed or self._mask.leaves_out or self._mask.is_certain(source, where)):
            _copy_again(source, target, begun)
            return False
        self._require_clean(target, where)
        self._mask.lost(source, where, freed_pages(source))
        for name in emptied:
            error = RewriteError("it keeps single words without their text: emptied")
            self._mask.left_out(where, f"the full-text table {printable_name(name)}", error)
        return True

    def _settle(self, unread: list[NotRead], where: str, *, changed: bool) -> bool:
        """Decide what parts that were not read mean for the result; return whether it changed."""
        for step in unread:
            error = RewriteError(step.reason)
            if step.name is None or (changed and not self._mask.leaves_out):
                raise error
            self._mask.left_out(where, step.name, error)
        return changed or (bool(unread) and self._mask.leaves_out)

    def _member(self, kind: str, step: Member, where: str, depth: int, files: ExitStack) -> None:
        if kind not in COMPRESSED_FORMATS:
            self._budget.member()
        plain, result = files.enter_context(spooled_file()), files.enter_context(spooled_file())
        for chunk in self._budget.spend(step.chunks):
            plain.write(chunk)
        plain.seek(0)
        name = inner_name(where, step, container_format(plain.read(HEAD_BYTES)))
        try:
            if step.text:
                step.changed = self._body(plain, result, name, depth)
            else:
                step.changed = self.content(plain, result, name, depth + 1)
            step.result = result if step.changed else plain
        except ProvisionError as e:
            if step.name is None or kind not in REWRITTEN:
                raise
            self._unexamined(step, plain, where, e)
        step.result.seek(0)

    def _unexamined(self, step: Member, plain: IO[bytes], where: str, error: ProvisionError) -> None:
        """Leave a member out, or keep it when a search of its raw bytes finds nothing."""
        step.result = plain
        if self._mask.leaves_out:
            step.dropped = step.changed = True
        elif isinstance(error, HeldSecretError):
            raise error
        else:
            self._require_clean(plain, f"{where}!{step.name}", error)
        self._mask.left_out(where, step.name or "", error)

    def _require_clean(self, result: IO[bytes], where: str, error: ProvisionError | None = None) -> None:
        if self._mask.is_certain(result, where):
            raise error or HeldSecretError("a secret is in a place that cannot be masked", hint="remove it by hand")
        result.seek(0, 2)

    def _body(self, source: IO[bytes], target: IO[bytes], where: str, depth: int) -> bool:
        """Mask a text: first inside the containers that it holds in base64, so that they stay whole, then in the rest."""
        source.seek(0)
        with spooled_file() as opened:
            opened.writelines(self.text(_chunks(source), where, depth))
            opened.seek(0)
            return self._masked(opened, source, target, where)

    def _masked(self, opened: IO[bytes], source: IO[bytes], target: IO[bytes], where: str) -> bool:
        begun = target.tell()
        self._mask.body(opened, target, where)
        target.seek(begun)
        source.seek(0)
        changed = not _same(source, target)
        target.seek(0, 2)
        return changed

    def text(self, chunks: Iterable[bytes], where: str, depth: int) -> Iterator[bytes]:
        """Yield a text with the containers that it holds in base64 rewritten, each piece as soon as it is certain."""
        found = EmbeddedStreams()
        for piece in found.split(chunks):
            yield piece if isinstance(piece, bytes) else self.encoded(piece, where, depth)
        for problem in found.problems:
            raise RewriteError(problem, hint="decode and unpack it, then mask the result")

    def encoded(self, stream: EmbeddedStream, where: str, depth: int) -> bytes:
        """Return the new text of a container in base64; what cannot be read is left out, as a member is."""
        with spooled_file() as plain, spooled_file() as result:
            plain.write(stream.data)
            try:
                changed = self.content(plain, result, f"{where}!{stream.label}", depth + 1)
            except (ProvisionError, BudgetError) as e:
                error = e if isinstance(e, ProvisionError) else RewriteError(str(e))
                if self._mask.leaves_out:
                    self._mask.left_out(where, stream.label, error)
                    return LEFT_OUT
                if isinstance(error, HeldSecretError):
                    raise error from None
                self._require_clean(plain, f"{where}!{stream.label}", error)
                self._mask.left_out(where, stream.label, error)
                return stream.text
            result.seek(0)
            return encode_like(result.read(), stream.text, stream.times) if changed else stream.text

    def row(self, where: str, place: str, row: Mapping[str, object], depth: int) -> list[object]:
        """Return the new values of a database row."""
        named = self._mask.row(where, place, row)
        return [
            named[column] if column in named else self._cell(where, f"{place}, {column}", value, depth)
            for column, value in row.items()
        ]

    def _cell(self, where: str, place: str, value: object, depth: int) -> object:
        if not isinstance(value, str | bytes) or not value:
            return value
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        if container_of(data) or EmbeddedStreams.of(data).streams():
            with spooled_file() as plain, spooled_file() as result:
                plain.write(data)
                self.content(plain, result, f"{where}!{place}", depth + 1)
                result.seek(0)
                masked = result.read()
        else:
            masked = self._mask.label(where, place, data)
        if masked == data:
            return value
        return masked.decode("utf-8", "surrogateescape") if isinstance(value, str) else masked


def freed_pages(source: IO[bytes]) -> Callable[[int], str | None]:
    """Return a function that names the place of a byte of a database that is in no row."""

    def read_at(offset: int, length: int) -> bytes:
        source.seek(offset)
        return source.read(length)

    try:
        pages = SqlitePages(read_at, source.seek(0, 2))
    except ValueError:
        return lambda _: None

    def place_of(offset: int) -> str | None:
        page, unused = pages.state(offset)
        return f"page {page}, {unused}" if unused else None

    return place_of


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _copy_again(source: IO[bytes], target: IO[bytes], begun: int) -> None:
    """Replace what was written to the target by the source."""
    target.seek(begun)
    target.truncate()
    source.seek(0)
    copy_to(source, target)


def _same(one: IO[bytes], two: IO[bytes]) -> bool:
    """Whether the rest of two files is equal."""
    while chunk := one.read(CHUNK_BYTES):
        if chunk != two.read(len(chunk)):
            return False
    return not two.read(1)
