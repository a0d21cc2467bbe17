"""Parse a file of keys for import: CSV or JSON with `user, key[, label]`. The file is checked as a whole.

CSV: comma-separated, `user,key[,label]`, with an optional header row. JSON: a list of objects with `user`, `key` and `label`, or
one object `{user: key}`. All problems are reported together, with file, line and column. None of them quotes a key.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.detect.secret import Secret
from provision.detect.shapes import aisa_shaped, has_secret, is_placeholder
from provision.errors import Place, Problem, Severity
from provision.fleet.names import ID, id_refusal
from provision.formats.csv_reader import Cell, read_csv
from provision.formats.json_reader import read_json
from provision.formats.located import BrokenTextError, Map, Seq, place
from provision.hermes.env.dotenv import check_value
from provision.keys.copy_mistakes import copy_mistake
from provision.keys.vault.text import LABEL_LIMIT, is_valid_label
from provision.shell import shell_path
from provision.windows_acl import on_windows, other_accounts, private_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIMIT_BYTES = 64 << 20
_COLUMNS = {"user": "user", "id": "user", "key": "key", "api_key": "key", "new_key": "key", "label": "label"}
_ALLOWED = "user, key and label"
_ID = re.compile(ID)


@dataclass(frozen=True, slots=True)
class NewKey:
    """One key for one user, with its place in the file."""

    user: str
    key: Secret
    label: str
    place: Place


@dataclass(frozen=True, slots=True)
class ImportFile:
    """The valid entries of a file, and all problems. Use the entries only if no problem is an error."""

    keys: tuple[NewKey, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    values: dict[str, str]
    places: dict[str, Place]
    place: Place

    def at(self, field: str) -> Place:
        return self.places.get(field, self.place)


def read_keys(data: bytes, name: str, *, allow_shared: bool = False) -> ImportFile:
    """Parse and check a file of keys. `name` is the file name in problems. Never raises for the content."""
    problems: list[Problem] = []
    try:
        json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
        entries = list(_from_json(data, name, problems) if json else _from_csv(data, name, problems))
    except BrokenTextError as e:
        return ImportFile((), (*problems, e.problem))
    keys = [key for entry in entries if (key := _checked(entry, problems))]
    problems += _repeated(keys, allow_shared=allow_shared)
    if not entries and not problems:
        problems.append(
            Problem("no-keys", "no key in this file", Place(name), "write one line per key: user,key,label")
        )
    return ImportFile(tuple(keys), tuple(sorted(problems, key=lambda problem: problem.place or Place(name))))


def check_keys(entries: Iterable[tuple[str, Secret, Place]]) -> Iterator[tuple[NewKey | None, list[Problem]]]:
    """Check keys that do not come from a file of keys, each by itself: user, key and place. None for a key with an error."""
    for user, key, at in entries:
        problems: list[Problem] = []
        yield _checked(_Entry({"user": user, "key": key.reveal()}, {}, at), problems), problems


def check_file_mode(file: str) -> Iterator[Problem]:
    """Yield a warning if other accounts of this machine may read a file of keys."""
    if on_windows():
        others = other_accounts(Path(file))
        if others is not None and others.readers:
            text = f"other accounts of this machine can read these keys: {', '.join(others.readers)}"
            yield Problem("readable-keys", text, Place(file), private_command(Path(file)), Severity.WARNING)
        return
    with contextlib.suppress(OSError):
        if Path(file).stat().st_mode & 0o044:
            hint = f"chmod 600 {shell_path(file)}"
            text = "other users of this machine can read these keys"
            yield Problem("readable-keys", text, Place(file), hint, Severity.WARNING)


def _from_csv(data: bytes, name: str, problems: list[Problem]) -> Iterator[_Entry]:
    columns = ["user", "key", "label"]
    for number, row in enumerate(read_csv(data, name)):
        if number == 0 and (named := _named_columns(row, name, problems)):
            columns = named
            continue
        here = place(name, row[0].mark)
        if len(row) > len(columns) and any(cell.text.strip() for cell in row[len(columns) :]):
            extra = place(name, row[len(columns)].mark)
            hint = "put labels with a comma in double quotes"
            problems.append(
                Problem("too-many-columns", f"a row has more columns than {', '.join(columns)}", extra, hint)
            )
            continue
        if len(row) == 1 and re.search(r"[;\t]", row[0].text):
            problems.append(
                Problem(
                    "not-commas", "the columns are not separated by commas", here, "save the file as comma-separated"
                )
            )
            continue
        cells = dict(zip(columns, row, strict=False))
        yield _Entry(
            {column: cell.text.strip() for column, cell in cells.items()},
            {column: place(name, cell.mark) for column, cell in cells.items()},
            here,
        )


def _named_columns(row: list[Cell], name: str, problems: list[Problem]) -> list[str] | None:
    """The columns of a header row. None if the first row is data."""
    words = [cell.text.strip().lower() for cell in row]
    if words[0] not in ("user", "id") and not {"key", "api_key", "new_key"} & set(words):
        return None
    columns: list[str] = []
    for word, cell in zip(words, row, strict=True):
        column = _COLUMNS.get(word, "")
        if not column or column in columns:
            what = "duplicate column" if column else "unknown column"
            problems.append(Problem("bad-column", what, place(name, cell.mark), f"allowed: {_ALLOWED}"))
        columns.append(column or f"?{len(columns)}")
    return columns


def _from_json(data: bytes, name: str, problems: list[Problem]) -> Iterator[_Entry]:
    root, found = read_json(data, name)
    problems += found
    if isinstance(root, Map):
        for user, value in root.items():
            here = place(name, root.marks[user])
            if isinstance(value, Map) and "user" not in value and "id" not in value:
                entry = _object(value, name, here, problems)
                entry.values["user"], entry.places["user"] = user, place(name, root.key_marks[user])
                yield entry
            else:
                yield _Entry({"user": user, "key": _text(value)}, {"user": place(name, root.key_marks[user])}, here)
    elif isinstance(root, Seq):
        for value, position in zip(root, root.marks, strict=True):
            here = place(name, position)
            if isinstance(value, Map):
                yield _object(value, name, here, problems)
            else:
                problems.append(
                    Problem("bad-entry", "invalid entry: expected an object", here, f"write an object with {_ALLOWED}")
                )


def _object(value: Map, name: str, here: Place, problems: list[Problem]) -> _Entry:
    entry = _Entry({}, {}, here)
    for field, content in value.items():
        at = place(name, value.marks[field])
        column = _COLUMNS.get(field)
        if column is None or column in entry.values:
            what = "unknown field" if column is None else f"duplicate field `{column}`"
            problems.append(Problem("bad-field", what, place(name, value.key_marks[field]), f"allowed: {_ALLOWED}"))
            continue
        entry.values[column], entry.places[column] = _text(content), at
    return entry


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _checked(entry: _Entry, problems: list[Problem]) -> NewKey | None:
    user, key, label = (entry.values.get(field, "") for field in ("user", "key", "label"))
    found = [*_check_user(user, entry.at("user")), *_check_key(user, key, entry.at("key"))]
    if not is_valid_label(label):
        hint = f"use printable text of at most {LABEL_LIMIT} characters"
        found.append(Problem("bad-label", "invalid label", entry.at("label"), hint))
    elif has_secret(label):
        found.append(
            Problem(
                "secret-label",
                "the label looks like a key",
                entry.at("label"),
                "labels are not secret: use another name",
            )
        )
    problems += found
    if any(problem.severity is Severity.ERROR for problem in found):
        return None
    return NewKey(user, Secret(key), label, entry.at("key"))


def _check_user(user: str, at: Place) -> Iterable[Problem]:
    if not user:
        yield Problem("no-user", "the user is missing", at, "write one line per key: user,key,label")
    elif has_secret(user):
        yield Problem("swapped-columns", "a key is in the user column", at, "use the order user,key,label")
    elif not _ID.fullmatch(user):
        yield Problem(
            "bad-id",
            "invalid user id",
            at,
            "use the id from the inventory: a-z, 0-9, '.', '_' and '-', at most 64 characters",
        )
    elif reason := id_refusal(user):
        yield Problem("bad-id", f"invalid user id: {reason}", at)


def _check_key(user: str, key: str, at: Place) -> Iterable[Problem]:
    whose = f"the key of {user}" if _ID.fullmatch(user) and not has_secret(user) else "the key"
    if not key:
        yield Problem("empty-key", f"{whose} is empty", at, "copy it from the console, which shows it once")
    elif is_placeholder(key):
        yield Problem("placeholder-key", f"{whose} is a placeholder", at, "use the real key")
    elif reason := check_value("AISA_API_KEY", key):
        yield Problem(
            "unusable-key", f"{whose} cannot be written to a .env: {reason}", at, "copy it again from the console"
        )
    elif mistake := copy_mistake(key):
        yield Problem("miscopied-key", f"{whose} {mistake}", at, "copy the key alone, and completely, from the console")
    elif not aisa_shaped(key):
        hint = "expected sk-aisa- and 43 characters: check that it was copied completely"
        yield Problem("odd-key", f"{whose} does not look like a current AIsa key", at, hint, Severity.WARNING)


def _repeated(keys: list[NewKey], *, allow_shared: bool) -> Iterator[Problem]:
    users: dict[str, NewKey] = {}
    values: dict[Secret, NewKey] = {}
    for new in keys:
        if (first := users.setdefault(new.user, new)) is not new:
            yield Problem("duplicate-user", f"duplicate user {new.user}", new.place, f"first at {first.place}")
        elif (owner := values.setdefault(new.key, new)) is not new:
            severity = Severity.WARNING if allow_shared else Severity.ERROR
            hint = f"first at {owner.place}; use one key per user, or --allow-shared"
            yield Problem("shared-key", f"{new.user} has the same key as {owner.user}", new.place, hint, severity)
