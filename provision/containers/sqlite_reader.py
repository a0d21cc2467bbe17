"""Read SQLite files: every row with its table, and deleted content that is still in the file.

Nothing is written, not even the files that SQLite creates beside a database it opens: up to `ReadLimits.memory_bytes` a database
is read, with its write-ahead log, and opened in memory; a larger one is opened as immutable. The raw bytes are read too, so
deleted rows, freed pages and damaged databases are covered.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from provision.containers.batch import BATCH_BYTES, PartBatch
from provision.containers.blob import Blob, ContentKind, MatchPosition, PartKind, ReadLimits, Unreadable
from provision.containers.container_format import container_of
from provision.containers.embedded import EmbeddedStreams
from provision.containers.sqlite_pages import FREED, SqlitePages, apply_wal
from provision.formats.key_paths import printable_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.detect.match import Match
    from provision.detect.secret import Secret

_Open = Callable[[str, str, bytes], "Iterator[Blob | Unreadable]"]
"""Yields the parts of a container: its place, its format, its bytes."""
_STEPS = 100_000
_CONTENTLESS = re.compile(rb"[(,]\s*content\s*=\s*(?:''|\"\")")


class SqliteDatabase:
    """One SQLite file, on disk or from an archive."""

    def __init__(self, path: str, where: str | None, limits: ReadLimits, kind: ContentKind, open_cell: _Open) -> None:
        self._path = path
        self._where = where
        self._limits = limits
        self._kind = ContentKind.SQLITE if kind is ContentKind.ARCHIVE else kind
        self._open_cell = open_cell
        self._live: set[Secret] = set()

    def blobs(
        self,
        connect: Callable[[], sqlite3.Connection],
        chunks: Callable[[], Iterable[bytes]],
        read_at: Callable[[int, int], bytes],
        size: int,
    ) -> Iterator[Blob | Unreadable]:
        """Yield the rows, then what is in no row.

        `chunks` returns the raw bytes each time it is called; `read_at(offset, length)` reads anywhere in the `size` bytes.
        """
        try:
            with contextlib.closing(connect()) as connection:
                yield from self._rows(connection, size)
        except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, ValueError) as e:
            yield self._unreadable(f"its rows cannot be read: {_error_name(e)}")
        try:
            pages = SqlitePages(read_at, size)
        except ValueError as e:
            yield self._unreadable(f"damaged: {e}")
            yield self._blob(chunks(), None)
            return
        yield self._blob(chunks(), lambda match: self._beside_rows(pages, match))
        for page, data, joint in pages.joints():
            yield self._blob(data, partial(_across, page, joint))

    def _unreadable(self, reason: str) -> Unreadable:
        return Unreadable(self._path, reason, self._where)

    def _blob(self, data: bytes | Iterable[bytes], locate: Callable[[Match], MatchPosition | None] | None) -> Blob:
        return Blob(self._path, data, self._where, self._kind, locate, PartKind.CELL)

    def _beside_rows(self, pages: SqlitePages, match: Match) -> MatchPosition | None:
        page, unused = pages.state(match.start)
        if unused:
            return MatchPosition(f"page {page}, {unused}")
        value = match.secret.reveal()
        if any(value in live.reveal() or live.reveal() in value for live in self._live):
            return None
        return MatchPosition(f"page {page}")

    def _rows(self, connection: sqlite3.Connection, size: int) -> Iterator[Blob | Unreadable]:
        _harden(connection, self._limits, size)
        yield from self._query(connection, "the schema", "SELECT rowid, name, sql FROM sqlite_master", size)
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        for raw, sql in tables:
            name = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else str(raw)
            if isinstance(sql, bytes) and sql.lstrip()[:14].upper() == b"CREATE VIRTUAL":
                if _CONTENTLESS.search(sql):
                    yield self._unreadable(
                        f"the full-text table {printable_name(name)} keeps single words without their text: not read"
                    )
                continue  # its content is in shadow tables, which are read like all others
            quoted = '"' + name.replace('"', '""') + '"'
            try:
                yield from self._query(connection, name, f"SELECT rowid, * FROM {quoted}", size)  # noqa: S608  quoted above
            except sqlite3.OperationalError as e:
                if "rowid" not in str(e):
                    yield self._unreadable(
                        f"the table {printable_name(name)} cannot be read to its end: {_error_name(e)}"
                    )
                    continue
                yield from self._query(connection, name, f"SELECT NULL, * FROM {quoted}", size)  # noqa: S608
            except (sqlite3.Error, MemoryError, OverflowError, UnicodeError) as e:
                yield self._unreadable(f"the table {printable_name(name)} cannot be read to its end: {_error_name(e)}")

    def _query(self, connection: sqlite3.Connection, table: str, query: str, size: int) -> Iterator[Blob | Unreadable]:
        cursor = connection.execute(query)
        columns = [printable_name(description[0]) for description in cursor.description][1:]
        label, batch = printable_name(table), PartBatch()
        total = 0
        error: Exception | None = None
        try:
            for rows, (rowid, *cells) in enumerate(cursor, 1):
                row = rowid if isinstance(rowid, int) else rows
                before = batch.size
                for column, cell in zip(columns, cells, strict=True):
                    data = cell.encode("utf-8", "surrogatepass") if isinstance(cell, str) else cell
                    if isinstance(data, bytes) and data:
                        where = f"{label}:row {row}, {column}"
                        batch.add(where, data, PartKind.CELL)
                        yield from self._opened(where, data)
                total += batch.size - before
                if batch.size >= BATCH_BYTES:
                    yield self._batch(batch)
                    batch = PartBatch()
                if rows > size or total > 4 * size + BATCH_BYTES:
                    yield self._unreadable(f"the table {label} returns more than the file can hold: damaged")
                    break
        except (sqlite3.Error, MemoryError, OverflowError, UnicodeError) as e:
            error = e
        if batch.size:
            yield self._batch(batch)
        if error is not None:
            raise error

    def _batch(self, batch: PartBatch) -> Blob:
        def locate(match: Match) -> MatchPosition:
            self._live.add(match.secret)
            return batch.locate(match)

        return self._blob(batch.data(), locate)

    def _opened(self, where: str, data: bytes) -> Iterator[Blob | Unreadable]:
        """Yield what a cell holds when it is a container, or base64 of one."""
        place = f"{self._where}!{where}" if self._where else where
        kind = container_of(data)
        if kind is not None:
            yield from self._open_cell(place, kind, data)
            return
        embedded = EmbeddedStreams.of(data)
        for label, inner, stream in ((each.label, each.kind, each.data) for each in embedded.streams()):
            yield from self._open_cell(f"{place}!{label}", inner, stream)
        yield from (Unreadable(self._path, problem, place) for problem in embedded.problems)


def _across(page: int, joint: int, match: Match) -> MatchPosition | None:
    return MatchPosition(f"page {page}, {FREED}") if match.start < joint < match.end else None


def _harden(connection: sqlite3.Connection, limits: ReadLimits, size: int) -> None:
    """Prevent that code from the database runs, that a row exceeds the memory limit, and that a query runs for ever."""
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.memory_bytes)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    left = iter(range(1000 + size // 1000))
    connection.set_progress_handler(lambda: next(left, None) is None, _STEPS)


def open_in_memory(image: bytes | bytearray, wal: bytes, most_bytes: int) -> sqlite3.Connection:
    """Open a copy of the database in memory, with its write-ahead log applied."""
    if wal or image[18:20] != b"\1\1":
        image = apply_wal(image if isinstance(image, bytearray) else bytearray(image), wal, most_bytes)
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
    except BaseException:
        connection.close()
        raise
    return connection


def open_immutable(path: str) -> sqlite3.Connection:
    """Open a file in place, so that SQLite writes nothing beside it; its write-ahead log is not read."""
    return sqlite3.connect(f"file:{quote(path, errors='surrogateescape')}?mode=ro&immutable=1", uri=True)


def _error_name(error: Exception) -> str:
    """Return the name of an SQLite error; its text may repeat content of a hostile schema."""
    return str(getattr(error, "sqlite_errorname", type(error).__name__)).removeprefix("SQLITE_").lower()
