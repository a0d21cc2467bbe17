"""Write and edit the `.env` of a Hermes home.

Writes only values that both of Hermes' parsers read in the same way, and refuses all others with a reason. The user's
own lines keep every byte: `edit_env` changes only the lines of the given names. It raises an error if Hermes would not
read the result as intended.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dotenv.parser import parse_stream

from provision.hermes.env.parsers import EnvFileError, read_env_lines, read_env_raw
from provision.hermes.env.startup_repair import decode_env, is_utf16, is_utf32, repair_env, repair_lines
from provision.hermes.facts import names as facts
from provision.hermes.removed_setting import RemovedSetting, masked_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

VALUE_LIMIT_CHARS = 8192
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9._~+/=:@-]*")
_DEFINES = re.compile(r"\s*(?:export\s+)?'?([^=#\s']+)'?\s*=")
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class EditedEnv:
    """A `.env` after an edit: its bytes, the user's values that were replaced or removed, and notes for the report."""

    data: bytes
    removed: tuple[RemovedSetting, ...] = ()
    notes: tuple[str, ...] = ()


def check_value(name: str, value: str) -> str | None:
    """Return why `NAME=value` must not be written to a `.env`, or None if both of Hermes' parsers read exactly this value.

    An empty value is allowed: the line then clears a variable of the shell. The reason never quotes the value.
    """
    if not _NAME.fullmatch(name):
        return "a name consists of letters, digits and underscores and does not begin with a digit"
    if len(value) > VALUE_LIMIT_CHARS:
        return f"the value is longer than {VALUE_LIMIT_CHARS} characters"
    if not _VALUE.fullmatch(value):
        blank = "white space or a line break" if any(map(str.isspace, value)) else "characters"
        return (
            f"the value contains {blank} that Hermes' parsers read differently (allowed: A-Z a-z 0-9 . _ ~ + / = : @ -)"
        )
    line = f"{name}={value}\n"
    if repair_lines([line]) != [line]:
        return "the value contains the name of a Hermes variable before a `=`, so Hermes would split the line in two"
    return None


def format_env(values: Mapping[str, str]) -> bytes:
    """Format `NAME=value` lines in the given order: UTF-8 without BOM, LF, a newline at the end.

    Raises EnvFileError with the variable's name and the reason, never with the value.
    """
    for name, value in values.items():
        if reason := check_value(name, value):
            hint = "choose another value: Hermes would read another one, or none"
            raise EnvFileError(f"{name!r} cannot be written to .env: {reason}", hint=hint)
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode()


def edit_env(data: bytes | None, set_: Mapping[str, str], remove: Collection[str] = ()) -> EditedEnv:
    """Set and remove variables. All other lines keep every byte and their value.

    Several lines of a name to set become one, at the place of the first. New names are added at the end. A BOM is
    removed (with it, Hermes loses the first name), UTF-16 becomes UTF-8 as in Hermes' own repair, and a missing last
    newline is added; Latin-1 stays Latin-1. A name in both `set_` and `remove` is set. Raises EnvFileError if a value
    must not be written, the encoding cannot be repaired, or Hermes would not read the result as intended.
    """
    format_env(set_)
    dropped = frozenset(remove) - set_.keys()
    if not data:
        return EditedEnv(format_env(set_))
    text, encoding, notes = _decode_for_edit(data)
    attempts, before = [text], data
    if encoding == "latin-1":  # Hermes' repair would replace each such byte for good; the same repair here keeps it
        repaired = "".join(repair_lines(list(io.StringIO(text, newline=None))))
        before = repaired.encode(encoding)
    else:
        repaired = decode_env(repair_env(text.encode(encoding)))[0]
    if repaired != text:
        attempts.append(repaired)
    for attempt in attempts:
        changed, removed = _edited(attempt, set_, dropped)
        result = changed.encode(encoding if attempt is text or encoding == "latin-1" else "utf-8")
        if _reads_as_meant(before, result, set_, dropped):
            more = ("the .env was repaired as Hermes itself does",) if attempt is not text else ()
            return EditedEnv(result, tuple(removed), notes + more)
    raise EnvFileError(
        "cannot change this .env safely: a quote is not closed, or a line is invalid",
        hint="correct the file (one NAME=value per line, quotes in pairs) and run the same command again",
    )


def _decode_for_edit(data: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Return the text to edit, the encoding to write it in, and notes."""
    hint = "save it as UTF-8 and run the same command again"
    if is_utf32(data):
        raise EnvFileError("this .env is UTF-32, which Hermes cannot read", hint=hint)
    if is_utf16(data):
        try:
            return data.decode("utf-16"), "utf-8", ("the .env was converted from UTF-16 to UTF-8",)
        except UnicodeDecodeError as e:
            raise EnvFileError("this .env has the byte order mark of UTF-16 but is not valid UTF-16", hint=hint) from e
    text, encoding = decode_env(data)
    notes: tuple[str, ...] = ()
    if text.startswith("\ufeff"):
        text = text.lstrip("\ufeff")
        notes += ("a byte order mark was removed: with it, Hermes does not find the first variable",)
    if "\0" in text:
        text = text.replace("\0", "")
        notes += ("NUL bytes were removed",)
    return text, encoding, notes


class _Piece(NamedTuple):
    """A part of the file: blank lines before it, its text, and the name it defines if an edit concerns it."""

    before: str
    body: str
    name: str | None
    line: int


def _pieces(text: str, ours: Collection[str]) -> Iterator[_Piece]:
    for binding in parse_stream(io.StringIO(text, newline="")):
        string = binding.original.string
        body = string.lstrip()
        cut = len(string) - len(body)
        cut = max(string.rfind("\n", 0, cut), string.rfind("\r", 0, cut)) + 1
        before, body = string[:cut], string[cut:]
        name = binding.key
        if binding.error and (defines := _DEFINES.match(body)):  # the line parser still reads these
            name = defines[1]
        line = binding.original.line + before.count("\n")
        yield _Piece(before, body, name if name in ours else None, line)


def _edited(text: str, set_: Mapping[str, str], dropped: Collection[str]) -> tuple[str, list[RemovedSetting]]:
    ours = set_.keys() | set(dropped)
    newline = "\r\n" if "\r\n" in text else "\n"
    removed: list[RemovedSetting] = []
    placed: set[str] = set()
    for _ in range(_ROUNDS):  # replacing a multi-line value may uncover lines to change: repeat until none is left
        out, again = [], False
        for piece in _pieces(text, ours):
            out.append(piece.before)
            name = piece.name
            if name is None:
                out.append(piece.body)
                continue
            first, rest = _first_line(piece.body)
            canonical = f"{name}={set_[name]}" if name in set_ else None
            if canonical is not None and name not in placed and first.rstrip("\r\n") == canonical and not rest:
                out.append(piece.body)
                placed.add(name)
                continue
            removed += _replaced(name, first, piece.line, set_)
            if canonical is not None and name not in placed:
                out.append(canonical + newline)
                placed.add(name)
            out.append(rest)
            again = again or bool(rest)
        text = "".join(out)
        if not again:
            break
        placed = set()
    fresh = [f"{name}={value}{newline}" for name, value in set_.items() if name not in placed]
    if text and not text.endswith(("\n", "\r")):
        text += newline
    return text + "".join(fresh), removed


def _first_line(body: str) -> tuple[str, str]:
    """Return the line that defines a name, and the lines after it if they may be the user's own settings.

    A value that we write never spans lines. One that does has an unclosed quote, and the lines inside it may be the
    user's settings. If they contain no `=`, they are the rest of the value and are removed with it.
    """
    first, *rest = body.splitlines(keepends=True) if body.count("\n") > 1 or "\r" in body else [body]
    following = "".join(rest)
    return first, following if "=" in following else ""


def _replaced(name: str, line: str, number: int, set_: Mapping[str, str]) -> Iterator[RemovedSetting]:
    value = line.partition("=")[2].strip().strip("'\"")
    if name not in set_:
        yield RemovedSetting(
            facts.ENV_NAME,
            f"line {number}: {name}",
            "would change where Hermes sends requests",
            masked_value(name, value),
        )
    elif value != set_[name]:
        yield RemovedSetting(
            facts.ENV_NAME, f"line {number}: {name}", "replaced by the provisioned value", masked_value(name, value)
        )


def _reads_as_meant(before: bytes, after: bytes, set_: Mapping[str, str], dropped: Collection[str]) -> bool:
    """Check that both parsers read our values, that removed names are gone, and that the user's values are unchanged."""
    raw, lines = read_env_raw(after), read_env_lines(after)
    if any(raw.get(name) != value or lines.get(name) != value for name, value in set_.items()):
        return False
    if any(raw.get(name) is not None or name in lines for name in dropped):
        return False
    ours = set_.keys() | set(dropped)
    known = {name.lstrip("\ufeff"): value for name, value in read_env_raw(before).items()}
    known.pop("", None)  # a BOM before a comment reads as a name of its own
    return all(name in raw and raw[name] == value for name, value in known.items() if name not in ours)
