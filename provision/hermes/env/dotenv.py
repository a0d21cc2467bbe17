"""The `.env` of a Hermes home: what may be written to it, and how to change one that is already there.

Only values on which both of Hermes' parsers agree are ever written; everything else is refused with the reason. A
user's own lines stay byte for byte: `edit_env` touches the lines of the names it is given and nothing else, and gives up
with an error when the result would not be read back as meant.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dotenv.parser import parse_stream

from provision.hermes.env.parsers import EnvFileError, read_env_lines, read_env_raw
from provision.hermes.env.startup_repair import decode_env, is_utf16, is_utf32, repair_env, repair_lines
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
    """A `.env` after an edit: its bytes, what of the user's was replaced or taken out, and remarks for the report."""

    data: bytes
    removed: tuple[RemovedSetting, ...] = ()
    notes: tuple[str, ...] = ()


def check_value(name: str, value: str) -> str | None:
    """Why `NAME=value` may not stand in a `.env`, or None when both of Hermes' parsers read exactly this value.

    An empty value is allowed: the line then blanks a variable of the shell. The reason never quotes the value.
    """
    if not _NAME.fullmatch(name):
        return "a name is made of letters, digits and underscores, and does not begin with a digit"
    if len(value) > VALUE_LIMIT_CHARS:
        return f"the value is longer than {VALUE_LIMIT_CHARS} characters"
    if not _VALUE.fullmatch(value):
        blank = "white space or a line break" if any(map(str.isspace, value)) else "characters"
        return f"the value holds {blank} that Hermes' parsers read differently (allowed: A-Z a-z 0-9 . _ ~ + / = : @ -)"
    line = f"{name}={value}\n"
    if repair_lines([line]) != [line]:
        return "the value holds the name of a Hermes variable before a `=`, and Hermes would cut the line in two"
    return None


def format_env(values: Mapping[str, str]) -> bytes:
    """`NAME=value` lines in the order given: UTF-8 without BOM, LF, a newline at the end.

    Raises EnvFileError that names the variable and the reason, never the value.
    """
    for name, value in values.items():
        if reason := check_value(name, value):
            hint = "Hermes would read something else, or nothing"
            raise EnvFileError(f"{name!r} cannot be written to .env: {reason}", hint=hint)
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode()


def edit_env(data: bytes | None, set_: Mapping[str, str], remove: Collection[str] = ()) -> EditedEnv:
    """Set and remove variables; every other line stays as it is, byte for byte, and keeps its value.

    Several lines of one of our names become one, where the first stood; new names go to the end. A BOM is dropped
    (Hermes loses the first name behind it), UTF-16 becomes UTF-8 as in Hermes' own repair, a missing last newline is
    added. A name that is in both `set_` and `remove` is set. Raises EnvFileError, changing nothing, when a value may not
    be written, the encoding is beyond repair, or Hermes would not read the result as meant.
    """
    format_env(set_)
    gone = frozenset(remove) - set_.keys()
    if not data:
        return EditedEnv(format_env(set_))
    text, encoding, notes = _opened(data)
    attempts = [text]
    healed = decode_env(repair_env(text.encode(encoding)))[0]
    if healed != text:
        attempts.append(healed)
    for attempt in attempts:
        changed, removed = _edited(attempt, set_, gone)
        result = changed.encode(encoding if attempt is text else "utf-8")
        if _reads_as_meant(data, result, set_, gone):
            more = ("the .env was put right as Hermes itself would have done",) if attempt is not text else ()
            return EditedEnv(result, tuple(removed), notes + more)
    raise EnvFileError(
        "this .env cannot be changed so that Hermes reads it right: a quote in it is never closed, or a line is garbled",
        hint="mend the file by hand (one NAME=value a line, quotes in pairs) and run the same command again",
    )


def _opened(data: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Text to edit, the encoding to write it back in, and remarks."""
    hint = "save it as UTF-8 and run the same command again"
    if is_utf32(data):
        raise EnvFileError("this .env is UTF-32, which Hermes cannot read", hint=hint)
    if is_utf16(data):
        try:
            return data.decode("utf-16"), "utf-8", ("the .env was UTF-16 and is UTF-8 now",)
        except UnicodeDecodeError as e:
            raise EnvFileError("this .env begins like UTF-16 and is not", hint=hint) from e
    text, encoding = decode_env(data)
    notes: tuple[str, ...] = ()
    if text.startswith("\ufeff"):
        text = text.lstrip("\ufeff")
        notes += ("a byte order mark was dropped: Hermes loses the first variable behind it",)
    if "\0" in text:
        text = text.replace("\0", "")
        notes += ("NUL bytes were dropped",)
    return text, encoding, notes


class _Piece(NamedTuple):
    """A stretch of the file: blank lines before, the text itself, and the name it defines if it is one of ours."""

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


def _edited(text: str, set_: Mapping[str, str], gone: Collection[str]) -> tuple[str, list[RemovedSetting]]:
    ours = set_.keys() | set(gone)
    newline = "\r\n" if "\r\n" in text else "\n"
    removed: list[RemovedSetting] = []
    placed: set[str] = set()
    for _ in range(_ROUNDS):  # a multi-line value of ours may uncover lines that matter: look again until it is quiet
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
    """The line that defines a name, and what follows it if that could be somebody's own assignment.

    A value of ours never spans lines: one that does is a quote that was not closed, and the lines it swallowed may be
    settings of the user's. Without any `=` they are the torn rest of the value, and go with it.
    """
    first, *rest = body.splitlines(keepends=True) if body.count("\n") > 1 or "\r" in body else [body]
    following = "".join(rest)
    return first, following if "=" in following else ""


def _replaced(name: str, line: str, number: int, set_: Mapping[str, str]) -> Iterator[RemovedSetting]:
    value = line.partition("=")[2].strip().strip("'\"")
    if name not in set_:
        yield RemovedSetting(
            ".env", f"line {number}: {name}", "would change where Hermes sends requests", masked_value(name, value)
        )
    elif value != set_[name]:
        yield RemovedSetting(
            ".env", f"line {number}: {name}", "replaced by the provisioned value", masked_value(name, value)
        )


def _reads_as_meant(before: bytes, after: bytes, set_: Mapping[str, str], gone: Collection[str]) -> bool:
    """Both parsers read our values, nothing that had to go is left, and every value of the user's is the same."""
    raw, lines = read_env_raw(after), read_env_lines(after)
    if any(raw.get(name) != value or lines.get(name) != value for name, value in set_.items()):
        return False
    if any(raw.get(name) is not None or name in lines for name in gone):
        return False
    ours = set_.keys() | set(gone)
    known = {name.lstrip("\ufeff"): value for name, value in read_env_raw(before).items()}
    known.pop("", None)  # a BOM before a comment reads as a name of its own
    return all(name in raw and raw[name] == value for name, value in known.items() if name not in ours)
