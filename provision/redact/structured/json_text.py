"""Redact JSON and HAR. Each value has its range in the text, so single values change and all other bytes stay.

In a HAR file a neighbour names a secret (`{"name": "Authorization", "value": …}`), and bodies are documents themselves,
also in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.secret_names import names_secret, plain_value
from provision.formats.edits import Edit, apply_edits, decode_text
from provision.redact.stream import redact_bytes
from provision.redact.structured.secret_names import path_chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.redact.session import Session

MAX_DEPTH = 500
_scan_string: Callable[[str, int, bool], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]  # in C
RULE = "secret-field"
_BLANK = re.compile(r"[ \t\n\r]*")
_ATOM = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity")


class JsonValue(NamedTuple):
    """A string or other atom: its path of keys and indices, its range in the text, and the string (None for other atoms)."""

    path: tuple[str, ...]
    start: int
    end: int
    text: str | None


class NotJsonError(ValueError):
    """The text is not JSON, or nested too deep."""


def json_values(text: str) -> Iterator[JsonValue]:
    """Yield every string and atom of a JSON document, in order. Raises NotJsonError."""
    at = _document(text, 1 if text.startswith("\ufeff") else 0)
    while True:
        try:
            yield next(at)
        except StopIteration:
            return
        except ValueError as e:
            raise NotJsonError("not JSON") from e


def _document(text: str, at: int) -> Iterator[JsonValue]:
    path: list[str] = []
    closers: list[str] = []
    at = _skip(text, at)
    while True:
        character = text[at : at + 1]
        if character in ("{", "["):
            closers.append("}" if character == "{" else "]")
            if len(closers) > MAX_DEPTH:
                raise NotJsonError("too deep")
            at = _skip(text, at + 1)
            path.append("" if character == "{" else "0")
            if text[at : at + 1] != closers[-1]:
                at = _key(text, at, path) if closers[-1] == "}" else at
                continue
        else:
            value = _atom(text, at, tuple(path))
            yield value
            at = value.end
        at = _skip(text, at)
        while closers and text[at : at + 1] == closers[-1]:
            closers.pop()
            path.pop()
            at = _skip(text, at + 1)
        if not closers:
            if at != len(text):
                raise NotJsonError("more than one value")
            return
        if text[at : at + 1] != ",":
            raise NotJsonError("no comma")
        at = _skip(text, at + 1)
        if closers[-1] == "}":
            at = _key(text, at, path)
        else:
            path[-1] = str(int(path[-1]) + 1)


def _atom(text: str, at: int, path: tuple[str, ...]) -> JsonValue:
    if text[at : at + 1] == '"':
        value, end = _scan_string(text, at + 1, True)
        return JsonValue(path, at, end, value)
    atom = _ATOM.match(text, at)
    if not atom:
        raise NotJsonError("not a value")
    return JsonValue(path, at, atom.end(), None)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _key(text: str, at: int, path: list[str]) -> int:
    if text[at : at + 1] != '"':
        raise NotJsonError("no key")
    path[-1], at = _scan_string(text, at + 1, True)
    at = _skip(text, at)
    if text[at : at + 1] != ":":
        raise NotJsonError("no colon")
    return _skip(text, at + 1)


def redact_json(data: bytes, file: str, session: Session) -> bytes:
    """Mask the values of secret names and chosen paths, and what the detectors find in strings after decoding escapes."""
    decoded = decode_text(data)
    if decoded is None:
        return data
    text, encoding = decoded
    edits: list[Edit] = []
    try:
        found = list(json_values(text))
    except NotJsonError:
        return data
    har = any(value.path[:2] == ("log", "entries") for value in found)
    named = _named(found) if har else {}
    for value in found:
        name = named.get(value.path[:-1], "") if value.path[-1:] == ("value",) else ""
        changed = _redacted(value, name, text[value.start : value.end], file, session)
        if changed is not None:
            edits.append(Edit(value.start, value.end, json.dumps(changed, ensure_ascii=False)))
    return apply_edits(text, edits).encode(encoding) if edits else data


def _named(found: list[JsonValue]) -> dict[tuple[str, ...], str]:
    """Return the `name` of each object that has one, as in HAR. All cookies are secret, so their name is "cookie"."""
    return {
        value.path[:-1]: "cookie" if "cookies" in value.path else value.text
        for value in found
        if value.text is not None and value.path[-1:] == ("name",)
    }


def _redacted(value: JsonValue, name: str, written: str, file: str, session: Session) -> str | None:
    """Return the new string of a value, or None if it stays."""
    raw = value.text if value.text is not None else written
    where = ".".join(value.path)
    own = next((step for step in reversed(value.path) if not step.isdigit()), "")
    chosen = path_chosen(value.path, session.options.paths)
    secret = names_secret(own) or (bool(name) and (name == "cookie" or _header(name)))
    if chosen or (secret and not plain_value(raw)):
        masked = session.masked_value(file, where, RULE, raw)
        return masked if masked != raw else None
    if value.text is None or len(raw) < 8:
        return None
    if own == "text" and (inner := _body(raw)) is not None:
        masked_body = redact_bytes(inner, session, file, where)
        return base64.b64encode(masked_body).decode() if masked_body != inner else None
    if "\\" not in written:
        return None  # the detectors see it in the text, with its name before it
    masked = redact_bytes(raw.encode("utf-8", "surrogatepass"), session, file, where).decode("utf-8", "surrogatepass")
    return masked if masked != raw else None


def _header(name: str) -> bool:
    return name.lower() in {"cookie", "set-cookie", "authorization", "proxy-authorization"} or names_secret(name)


def _body(raw: str) -> bytes | None:
    """Return the bytes of a body that HAR stores as base64; None for a plain one."""
    if len(raw) < 24 or len(raw) % 4:
        return None
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        return None
