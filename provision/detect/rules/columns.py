"""Find the values in columns whose header is the name of a secret: CSV, TSV, tables with bars, INSERT, COPY, dumps of MySQL.

A table ends at the first row whose number of cells differs from the header, however far below it. A scan of large data sees it
window by window: `open_table` then says what heads the rows that continue in the next one.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.engines.patterns import lazily_compiled
from provision.detect.rule import NamedValue
from provision.detect.rules.languages import IN_OTHER_LANGUAGES
from provision.detect.secret_names import names_secret
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from provision.detect.match import Span

_NAMED = (
    r"(?:secret|token|passw(?:or)?d|passphrase|passcode|passkey|pwd|psk|jwt|credential|(?:api|access|private|auth)keys?"
    rf"|[ _-](?:pass|pw|keys?)|{IN_OTHER_LANGUAGES})"
)
_CELLS = r"[\w .#/\t,;|\"'`*\x80-\xff-]*"
_SQL = (
    r"\b(?:insert|replace)[ ](?:[a-z_]{2,13}[ ]){0,3}([\w.`\"\[\]]{1,80})[\t\n\f\r ]{0,4}(\([^()]{1,900}\))?"
    r"[\t\n\f\r ]{0,4}values?[\t\n\f\r ]{0,4}\("
    r"|\bcopy[ ]([\w.\"]{1,80})[ ]?\(([^()]{1,900})\)[ ]from[ ]stdin[^\r\n]{0,80}\r?\n"
    r"|\bcreate[ ]table[ ](?:if[ ]not[ ]exists[ ])?([\w.`\"\[\]]{1,80})[ ]?\(([^;]+?)\)[^;()]{0,200};"
)

_MEMORY_BYTES = 32 << 20
_NAME_IN_LINE = lazily_compiled(rf"(?i){_NAMED}".encode("latin-1"), memory_bytes=_MEMORY_BYTES)
_LINE_OF_CELLS = lazy_regex(rf"{_CELLS}\r?".encode("latin-1"))
_STATEMENT_BEGINS = lazily_compiled(rb"(?i)\b(?:(?:insert|replace|copy)[ ]|create[ ]table[ ])")
_DEFINITION_BEGINS = lazy_regex(rb"(?i)create[ ]table[ ](?:if[ ]not[ ]exists[ ])?[\w.`\"\[\]]{1,80}[ ]?\(")
_STATEMENT = lazy_regex(rf"(?i){_SQL}".encode("latin-1"))
_DEFINED = lazy_regex(rb"(?:^|,)\s*[`\"\[]?(\w+)[`\"\]]?[ ]+(?!key\b)\[?[a-z]", re.MULTILINE | re.IGNORECASE)
_CONSTRAINT = lazy_regex(rb"(?i)primary|key|unique|constraint|index|foreign|check")
_SQL_VALUE = lazy_regex(
    rb"[ \t\r\n]*(?:(?:[NE]|_binary[ ])?'(?P<text>(?:[^'\\]|\\.|'')*)'|(?P<other>[^,()']*))[ \t\r\n]*(?P<end>[,)])",
    re.DOTALL,
)
_JOINED = rb"(?:[.+&~,]|<<|\|\||\.\.)"
_CODE = lazy_regex(rb"\\?\"[ ]?%b.*%b[ ]?\\?\"|%b[ ].*[ ]%b|`\$.*`" % ((_JOINED,) * 4), re.DOTALL)
"""Not a value, but program code that puts one there: `VALUES ('" + password + "')`."""
_TUPLE = lazy_regex(rb"\s{0,4},?\s{0,4}\(")
_NAME_CELL = lazy_regex(rb"[ \t]*[\"'`*]{0,3}[A-Za-z_#\x80-\xff][\w .#/'\x80-\xff-]{0,60}[\"'`*]{0,3}[ \t]*")
_KEY = lazy_regex(r"(?i)[ _-]keys?$")
_RULE = lazy_regex(rb"[ \t]*(?:[|+:=-]|\xe2[\x94\x95][\x80-\xbf]|[ \t])+\r?")
_CSV_CELL = {
    each: lazy_regex(rb"(?:\"(?:[^\"]|\"\")*\"|[^\"\r\n%b][^\r\n%b]*|)(?=%b|\r?\Z)" % (each[:1], each[:1], each))
    for each in (b",", b";", b"\t", b", ", b"; ")
}
_NOT_WORDS = lazy_regex(rb"[^\s\d!-/:-@]*[\d!-/:-@]\S*")
_BARS = lazy_regex(rb"\||\xe2\x94\x82|\xe2\x95\x91|\xe2\x94\x83")
_NEWLINE = ord("\n")
_MOST_CELLS = 60
_MOST_LINES_OF_ROW = 20
_EDGES = b" \t\"'`*"
_FARTHEST_ROW = 16 << 10


class OpenTable(NamedTuple):
    """What heads the rows from offset `at` on: a header line, or definitions and the beginning of a statement."""

    head: bytes
    at: int


class _Row(NamedTuple):
    """A row of a table: the definitions of tables so far, what else heads it, where it begins, and its values of secrets."""

    defined: bytes
    head: bytes
    start: int
    values: list[NamedValue]


def columns_of_secrets(data: bytes, left: int, right: int) -> Iterator[NamedValue]:
    """Yield the cells of each column with the name of a secret; the header is in this range, its rows may be below."""
    for row in _rows_of_secrets(data, left, right):
        yield from row.values


def open_table(data: bytes, ranges: Iterable[Span], since: int) -> OpenTable | None:
    """Return the table with a row shortly after `since`, and all definitions above, of those with a header in `ranges`."""
    defined = b""
    for left, right in ranges:
        for row in _rows_of_secrets(data, left, right):
            if since <= row.start <= since + _FARTHEST_ROW:
                return OpenTable(row.defined + row.head, row.start)
            defined = row.defined or defined
    line = data.find(b"\n", since, since + _FARTHEST_ROW) + 1
    return OpenTable(defined, line) if defined and line else None


def _rows_of_secrets(data: bytes, left: int, right: int) -> Iterator[_Row]:
    at = left
    while line := _line_of_names(data, at, right):
        start, end = line
        at = end
        found = _header(data[start:end].rstrip(b"\r"))
        if found and not (found[0] == b"|" and _is_in_table(data, left, start, len(found[1]))):
            first = data.find(b"\n", end - 1) + 1 or len(data)
            at = yield from _rows(data, first, b"", data[start:first], *found)
    yield from _rows_of_statements(data, left, right)


def _line_of_names(data: bytes, at: int, right: int) -> Span | None:
    """Return the first whole line between `at` and `right` that holds the name of a secret and could be cells."""
    right = min(right, len(data))
    while found := _NAME_IN_LINE.search(data, at, right):
        start = data.rfind(b"\n", at, found.start()) + 1 or at
        end = data.find(b"\n", found.end(), right)
        end = end if end >= 0 else right
        begins, ends = not start or data[start - 1] == _NEWLINE, end == len(data) or data[end] == _NEWLINE
        if begins and ends and _LINE_OF_CELLS.fullmatch(data, start, end):
            return start, end
        at = end
    return None


def _rows_of_statements(data: bytes, left: int, right: int) -> Iterator[_Row]:
    tables: dict[bytes, list[bytes]] = {}
    defined, asked = b"", right
    at = unclosed = left
    while at < right and (begins := _STATEMENT_BEGINS.search(data, at, right)):
        start = begins.start()
        at = start + 1
        defines = _DEFINITION_BEGINS.match(data, start)
        found = None if defines and start < unclosed else _STATEMENT.match(data, start, right)
        if not found:
            if defines and start >= unclosed:  # nor do those end that begin before the next semicolon
                end = data.find(b";", start)
                unclosed = end if end >= 0 else len(data)
            continue
        at = max(found.end() - 1, at)
        if found[5]:
            names = [name for name in _DEFINED.findall(found[6]) if not _CONSTRAINT.fullmatch(name)]
            tables[_bare(found[5])] = names
            if _wanted(names):
                right = len(data)
                columns = b",\n".join(b"`%b` text" % name for name in names)
                defined += b"create table %b (\n%b\n);\n" % (_bare(found[5]), columns)
                yield _Row(defined, b"", found.start(), [])
        elif found[1]:
            names = _columns(found[2][1:-1]) if found[2] else tables.get(_bare(found[1]), [])
            if _wanted(names):
                at = yield from _tuples(data, at, defined, found[0][:-1], names)
        elif _wanted(names := _columns(found[4])):
            at = yield from _rows(data, found.end(), defined, found[0], b"\t", names, in_table=start < asked)


def heads_secrets(line: bytes) -> bool:
    """Return whether a line heads a table with a column of secrets."""
    return _header(line.rstrip(b"\r\n")) is not None


def in_heads(data: bytes, offsets: Iterable[int]) -> Iterator[int]:
    """Yield those of the sorted offsets that are in a line which heads a table with a column of secrets."""
    end, heads = -1, False
    for at in offsets:
        if at > end:
            start, end = data.rfind(b"\n", max(end, 0), at) + 1, data.find(b"\n", at)
            end = end if end >= 0 else len(data)
            heads = _LINE_OF_CELLS.fullmatch(data, start, end) is not None and heads_secrets(data[start:end])
        if heads:
            yield at


def _is_in_table(data: bytes, left: int, start: int, count: int) -> bool:
    """Return whether a row of the same table is before `start`, with up to two rules between: the row is then not a header."""
    for _ in range(3):
        if start <= left:
            return False
        end, start = start - 1, data.rfind(b"\n", left, start - 1) + 1 or left
        before = data[start:end].rstrip(b"\r")
        if not before.strip() or not _RULE.fullmatch(before):
            return len(_cells(before, 0, b"|")) == count
    return False


def _bare(name: bytes) -> bytes:
    return name.lower().translate(None, b'`"[]')


def _columns(text: bytes) -> list[bytes]:
    return [cell.strip(_EDGES + b"[]\r\n") for cell in text.split(b",")]


def _wanted(names: list[bytes]) -> dict[int, bytes]:
    """Return the names of secrets, also of several, and of any key: a value that looks random is then one."""
    texts = ((n, name, name.decode("utf-8", "replace")) for n, name in enumerate(names))
    return {
        n: name
        for n, name, text in texts
        if names_secret(text) or names_secret(text.removesuffix("s")) or _KEY.search(text)
    }


def _header(line: bytes) -> tuple[bytes, list[bytes]] | None:
    """Return the delimiter and the names of a line that heads a table; Jira's and Confluence's have two bars between them."""
    if line.startswith(b"||"):
        line = line.replace(b"||", b"|")
    for delimiter in (b"|", b"\t", b",", b";", b", ", b"; "):
        if len(delimiter) > 1 and (delimiter not in line or line[:1].isspace()):
            continue  # arguments of a call are indented
        spans = _cells(line, 0, delimiter)
        if not 2 <= len(spans) <= _MOST_CELLS:
            continue
        cells = [line[start:end] for start, end in spans]
        if delimiter[:1] in b",;" and any(cell != cell.strip() for cell in cells):
            continue  # arguments of a call
        if len(delimiter) > 1 and any(cell.count(b" ") > 1 for cell in cells):
            continue  # a sentence: `password, token and cookie`
        if all(_NAME_CELL.fullmatch(cell) for cell in cells):
            names = [cell.strip(_EDGES) for cell in cells]
            return (delimiter, names) if _wanted(names) else None
    return None


def _cells(line: bytes, base: int, delimiter: bytes) -> list[Span]:
    """Return the ranges of a line's cells, without an outer frame; one range if it has no delimiter or an open quote."""
    if delimiter == b"|":
        spans = _between_bars(line, base)
        if len(spans) > 2:
            spans = spans[not line[: spans[0][1] - base].strip() :]
            spans = spans[: len(spans) - (not line[spans[-1][0] - base :].strip())]
        return spans
    if delimiter not in line:
        return [(base, base + len(line))]
    spans, at = [], 0
    while cell := _CSV_CELL[delimiter].match(line, at):
        spans.append((base + cell.start(), base + cell.end()))
        at = cell.end() + len(delimiter)
        if cell.end() >= len(line):
            return spans
        if line[cell.end() : at] != delimiter or len(spans) > _MOST_CELLS:
            break
    return [(base, base + len(line))]


def _between_bars(line: bytes, base: int) -> list[Span]:
    cuts = [(0, 0), *(found.span() for found in _BARS.finditer(line)), (len(line), len(line))]
    return [(base + end, base + start) for (_, end), (start, _) in pairwise(cuts)]


def _rows(  # noqa: PLR0917  a table's place and form
    data: bytes, at: int, defined: bytes, head: bytes, delimiter: bytes, names: list[bytes], *, in_table: bool = True
) -> Generator[_Row, None, int]:
    """Yield a table's rows from `at` on; returns where it ends. `in_table`: its header is in the range that is searched."""
    wanted = _wanted(names)
    while at < len(data):
        end = _end_of_row(data, at, len(data), quoted=delimiter != b"|")
        line = data[at:end].rstrip(b"\r")
        if not _RULE.fullmatch(line) or not line.strip():
            spans = _cells(line, at, delimiter)
            if len(spans) < len(names) and delimiter == b"|":
                spans = _between_bars(line, at)  # an empty first or last cell looks like a frame
            if len(spans) != len(names):
                return at
            values = [value for n, name in wanted.items() for value in _cell(data, *spans[n], name, in_table=in_table)]
            if len(delimiter) > 1:  # a list of words has blanks after its commas too
                values = [each for each in values if _NOT_WORDS.fullmatch(data, each.start, each.end)]
            yield _Row(defined, head, at, values)
        at = end + 1
    return len(data)


def _end_of_row(data: bytes, at: int, right: int, *, quoted: bool) -> int:
    """Return where a row ends: a quoted cell may hold some line ends."""
    first = end = data.find(b"\n", at, right)
    quotes = 0
    for _ in range(_MOST_LINES_OF_ROW):
        if end < 0:
            return right if first < 0 or quotes % 2 == 0 else first
        quotes += data.count(b'"', at, end) if quoted else 0
        if quotes % 2 == 0:
            return end
        at, end = end, data.find(b"\n", end + 1, right)
    return first


def _cell(data: bytes, start: int, end: int, name: bytes, *, in_table: bool) -> Iterator[NamedValue]:
    raw = data[start:end]
    inner = raw.strip(_EDGES)
    if inner:
        first = start + raw.find(inner)
        yield NamedValue(first, first + len(inner), name, in_table)


def _tuples(data: bytes, at: int, defined: bytes, head: bytes, names: list[bytes]) -> Generator[_Row, None, int]:
    """Yield the tuples from `at` on as rows; returns where they end."""
    wanted = _wanted(names)
    while opened := _TUPLE.match(data, at):
        start, at, n = opened.end() - 1, opened.end(), 0
        values: list[NamedValue] = []
        while value := _SQL_VALUE.match(data, at):
            at = value.end()
            if n in wanted and value["text"] and not _CODE.fullmatch(value["text"]):
                values.append(NamedValue(*value.span("text"), wanted[n]))
            n += 1
            if value["end"] == b")":
                break
        else:
            return at
        yield _Row(defined, head, start, values)
        if n != len(names):
            return at
    return at
