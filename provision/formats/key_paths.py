"""Key paths: the path of the value at an offset of a YAML, JSON or `.env` file (`providers.aisa.api_key`, `pool.x[0].token`).

Only files with findings are parsed. A path never repeats a secret that is used as a key, and a file that cannot be parsed has
no paths.
"""

from __future__ import annotations

import contextlib
import functools
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from provision.detect.shapes import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_YAML_BYTES = 2 << 20
"""PyYAML reads about one megabyte per second."""
_DEEPEST = 200
_NOWHERE = (1 << 62, 1 << 62)
_LONGEST_NAME = 60
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_ENV_NAME = re.compile(rb"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_/@+-]+")


class ScalarRange(NamedTuple):
    """The half-open range of a scalar in the text, and its path."""

    start: int
    end: int
    path: str


def form_of(name: str) -> str | None:
    """Return `yaml`, `json` or `env` by a file's name, backups included (`config.yaml.bak.1`, `.env.old`); else None."""
    name = re.split(r"[/\\!]", name)[-1].lower()
    if re.search(r"\.ya?ml(?:$|[.~])", name):
        return "yaml"
    if re.search(r"\.json(?:$|[.~])", name):
        return "json"
    if re.match(r"\.(?:op\.)?env(?:$|[.~_-])", name) or name.endswith(".env"):
        return "env"
    return None


def key_paths(name: str, data: bytes) -> Callable[[int], str | None]:
    """Return a function from a byte offset in `data` to the key path of the value there, parsed by the form of `name`."""
    form = form_of(name)
    if form == "env":
        return lambda offset: _env_name(data, offset)
    if form == "json":
        return _JsonPaths(data).at
    values: list[ScalarRange] = []
    if form == "yaml" and len(data) <= _YAML_BYTES:
        with contextlib.suppress(ValueError, IndexError):  # values before the error have paths
            values.extend(yaml_values(data.decode("utf-8")))
    values = _in_bytes(data, values) if values else values
    starts = [value.start for value in values]

    def path_at(offset: int) -> str | None:
        at = bisect_right(starts, offset) - 1
        return values[at].path if at >= 0 and offset < values[at].end else None

    return path_at


def _env_name(data: bytes, offset: int) -> str | None:
    line = data[data.rfind(b"\n", 0, offset) + 1 : offset + 1]
    found = _ENV_NAME.match(line)
    return found.group(1).decode() if found and found.end() <= len(line) else None


class _Path:
    """The parser's position: names and numbers from the root down."""

    def __init__(self) -> None:
        self._steps: list[str | int] = []

    def enter(self, step: str | int) -> None:
        if len(self._steps) >= _DEEPEST:
            raise ValueError("nested too deeply")
        self._steps.append(step)

    def leave(self) -> None:
        self._steps.pop()

    def named(self, name: str) -> None:
        self._steps[-1] = name

    def next(self) -> None:
        if self._steps and isinstance(self._steps[-1], int):
            self._steps[-1] += 1

    def __str__(self) -> str:
        joined = "".join(f"[{step}]" if isinstance(step, int) else f".{printable_name(step)}" for step in self._steps)
        return joined.removeprefix(".")


@functools.lru_cache(maxsize=1024)  # the same few names occur often
def printable_name(name: str) -> str:
    """Return a name from a user's file for a report: quoted if unusual, cut if long, without secrets."""
    if _PLAIN_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME:
        return mask_secrets(name)
    name = mask_secrets(name)
    name = "".join(c if c.isprintable() else "?" for c in name)
    return f'"{name[:_LONGEST_NAME]}{"…" if len(name) > _LONGEST_NAME else ""}"'


class _JsonPaths:
    """Paths in a JSON text, which is parsed only up to the last requested offset."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._begin()

    def _begin(self) -> None:
        self._path = _Path()
        self._scalars = _json_scalars(self._data, self._path)
        self._before = self._start = self._end = 0

    def at(self, offset: int) -> str | None:
        if offset < self._before:
            self._begin()
        with contextlib.suppress(ValueError, IndexError):  # values before the error have paths
            while self._end <= offset:
                self._before = self._end
                self._start, self._end = next(self._scalars, _NOWHERE)
        return str(self._path) if self._start <= offset < self._end else None


def _json_scalars(data: bytes, path: _Path) -> Iterator[tuple[int, int]]:
    """Yield the range of each scalar; `path` is then its path."""
    closing: list[bytes] = []
    expects_name = False
    for token in _JSON_TOKEN.finditer(data):
        text = token.group()
        if text in {b"{", b"["}:
            path.enter("" if text == b"{" else 0)
            closing.append(b"}" if text == b"{" else b"]")
            expects_name = text == b"{"
        elif text in {b"}", b"]"}:
            if closing:  # JSON lines: the next document begins
                closing.pop()
                path.leave()
            expects_name = False
        elif text == b",":
            path.next()
            expects_name = bool(closing) and closing[-1] == b"}"
        elif text == b":":
            expects_name = False
        elif expects_name:
            path.named(text.strip(b'"').decode("utf-8", "replace"))
            yield token.span()
        else:
            yield token.span()


def yaml_values(text: str) -> Iterator[ScalarRange]:
    """Yield the scalars of a YAML text in order, with ranges in characters. Raises ValueError at a syntax error."""
    yield from (ScalarRange(start, end, path) for start, end, path, _ in yaml_scalars(text))


def yaml_scalars(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield start, end, path and value of each scalar. Aliases are not followed, so the output cannot grow without bound."""
    import yaml  # noqa: PLC0415  needed only for a YAML file with findings

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    path = _Path()
    opened: list[_Collection] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                if opened and opened[-1].awaits_name:
                    path.named("?")
                mapping = isinstance(event, yaml.MappingStartEvent)
                opened.append(_Collection(mapping))
                path.enter("" if mapping else 0)
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                opened.pop()
                path.leave()
            elif isinstance(event, yaml.ScalarEvent):
                if opened and opened[-1].awaits_name:
                    path.named(event.value)
                assert event.start_mark is not None and event.end_mark is not None  # noqa: S101, PT018  parsed, not made
                yield event.start_mark.index, event.end_mark.index, str(path), event.value
            elif not isinstance(event, yaml.AliasEvent):
                continue
            if opened:
                opened[-1].count_child(path)
    except (yaml.YAMLError, RecursionError) as e:
        raise ValueError("not YAML") from e


class _Collection:
    """An open mapping or sequence; in a mapping, names and values alternate."""

    __slots__ = ("_mapping", "awaits_name")

    def __init__(self, mapping: bool) -> None:
        self._mapping = mapping
        self.awaits_name = mapping

    def count_child(self, path: _Path) -> None:
        if self._mapping:
            self.awaits_name = not self.awaits_name
        else:
            path.next()


def _in_bytes(data: bytes, values: list[ScalarRange]) -> list[ScalarRange]:
    """Convert the ranges from characters to bytes."""
    if data.isascii():
        return values
    text = data.decode("utf-8")
    found, at_char, at_byte = [], 0, 0
    for value in values:
        start = at_byte + len(text[at_char : value.start].encode())
        end = start + len(text[value.start : value.end].encode())
        found.append(ScalarRange(start, end, value.path))
        at_char, at_byte = value.start, start
    return found
