"""Read and rewrite the values that a Windows registry export (`.reg`) holds as bytes: `hex:`, `hex(2):`, `hex(7):` …"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.steps import FormatInput, Label

if TYPE_CHECKING:
    from provision.containers.steps import Steps

_VALUE = re.compile(rb"(?P<head>=hex(?:\([0-9a-f]{1,8}\))?:)(?P<bytes>(?:[0-9a-f]{2},?|\\\r?\n[ \t]*)+)", re.IGNORECASE)
_HEX = re.compile(rb"[0-9a-fA-F]{2}")
_SHORTEST = 8


def registry_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield every value of at least eight bytes."""
    data = source.held() or b""
    wide = data.startswith(b"\xff\xfe")
    text = data.decode("utf-16", "replace").encode() if wide else data
    at = 0
    pieces: list[bytes] = []
    for value in _VALUE.finditer(text):
        found = bytes.fromhex(b"".join(_HEX.findall(value["bytes"])).decode())
        if len(found) < _SHORTEST:
            continue
        line = text.count(b"\n", 0, value.start()) + 1
        wide_text = found[1::2].count(0) > len(found) // 4  # as most texts of the registry
        label = Label(f"the value in line {line}", _narrow(found) if wide_text else found, PartKind.CELL)
        yield label
        if label.changed:
            new = _widened(label.now) if wide_text else label.now
            pieces += [text[at : value.start("bytes")], new.hex(",").encode()]
            at = value.end("bytes") - (value["bytes"][-1:] == b"\n")
    pieces.append(text[at:])
    rest = Label("its text", b"".join(pieces), PartKind.BODY)
    if out is not None:  # a reader sees the text itself, with its lines
        yield rest
        whole = rest.now
        out.write(b"\xff\xfe" + whole.decode().encode("utf-16-le") if wide else whole)


def _narrow(data: bytes) -> bytes:
    return data[: len(data) // 2 * 2].decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass")


def _widened(data: bytes) -> bytes:
    return data.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
