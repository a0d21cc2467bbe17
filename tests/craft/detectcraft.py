"""Keys made for one run, the forms in which they turn up, and what stays of them after masking."""

from __future__ import annotations

import base64
import itertools
import json
import random
import urllib.parse
from collections.abc import Iterable, Iterator

import seeded

from provision.detect.detector import Detector
from provision.detect.fingerprint import fingerprint
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey
from provision.detect.stream.scanner import Piece, StreamScanner

SALT = b"detector's tests"


def aisa_key() -> str:
    """A key such as the gateway issues."""
    return "sk-" + "aisa-" + seeded.token_urlsafe(32)


def known(*keys: str) -> KnownKeys:
    """These keys as fingerprints, the first being u0's."""
    names = {fingerprint(key, SALT): f"u{index}" for index, key in enumerate(keys)}
    shapes = frozenset(shape_of(key) for key in keys)
    return KnownKeys(SALT, shapes, {name: KnownKey(user, name, "current") for name, user in names.items()})


def folded(text: str, width: int) -> str:
    """As a terminal shows it: `width` characters a row, wherever that cuts."""
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def encoded(key: str) -> Iterator[tuple[str, bytes]]:
    """A key in every encoding we promise to see through, once."""
    raw, env = key.encode(), f"A=1\nexport AISA_API_KEY={key}\nB=2\n"
    yield "plain", env.encode()
    yield "glued", b"x9|" + raw
    for shift in range(3):
        yield f"base64 {shift}", b"v: " + base64.b64encode(b"q" * shift + raw) + b"\n"
        yield f"base64 url-safe {shift}", b"v: " + base64.urlsafe_b64encode(b"q" * shift + raw) + b"\n"
        lines = b"lorem ipsum dolor " * (5 + shift) + b" " + raw + b" consetetur" * 9
        yield f"base64 in lines {shift}", base64.encodebytes(lines)
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "hex in lines", folded((b"lorem ipsum " * 8 + raw + b" xx " * 20).hex(), 60).encode()
    yield "utf-16 le", env.encode("utf-16-le")
    yield "utf-16 be", env.encode("utf-16-be")
    yield "utf-16 be, at the end", f"KEY={key}".encode("utf-16-be")
    yield "url, around", b"/x?next=%2Fv1%3Fkey%3D" + raw + b"%26y"
    yield "url, all of it", "".join(f"%{byte:02x}" for byte in raw).encode()
    yield "url, punctuation", b"key=" + raw.replace(b"-", b"%2D").replace(b"_", b"%5F")
    yield "json, around", json.dumps({"log": f"x\n{key}\n"}).encode()
    yield "json, all of it", "".join(f"\\u{byte:04x}" for byte in raw).encode()
    yield "colours", b"a " + raw[:5] + b"\x1b[31m" + raw[5:20] + b"\x1b[0m" + raw[20:] + b"\x1b[0m z"
    yield "colours in json", json.dumps([0.1, "o", f"{key[:9]}\x1b[1m{key[9:]}\r\n"]).encode()
    yield "events of a recording", "\n".join(json.dumps([n / 10, "o", part]) for n, part in enumerate(key)).encode()


def nested(key: str) -> Iterator[tuple[str, bytes]]:
    """Two encodings at once."""
    raw = key.encode()
    yield "base64 of base64", b"x: " + base64.b64encode(b"q" + base64.b64encode(raw))
    yield "base64 of utf-16", base64.b64encode(f"set KEY={key}".encode("utf-16-le"))
    yield "base64 of json", base64.b64encode(json.dumps({"key": f"\n{key}"}).encode())
    yield "url of base64", urllib.parse.quote(base64.b64encode(b"x" + raw)).encode()
    yield "json of json", json.dumps(json.dumps({"api_key": key})).encode()


def wrapped(key: str) -> Iterator[tuple[str, bytes]]:
    """Broken over rows by terminals of many widths."""
    for width in (9, 16, 20, 33, 40, 47, 60, 80):
        for line_end in ("\n", "\r\n"):
            text = folded(f"ada@mbp:~$ echo AISA_API_KEY={key}", width).replace("\n", line_end)
            yield f"{width} columns, {line_end!r}", f"before{line_end}{text}{line_end}$ {line_end}".encode()


def streamed(detector: Detector, data: bytes, sizes: Iterable[int]) -> list[Piece]:
    """What a StreamScanner gives when it is fed in pieces of these sizes."""
    scanner, pieces, at = StreamScanner(detector), [], 0
    for size in sizes:
        if at >= len(data):
            break
        pieces += scanner.feed(data[at : at + size])
        at += size
    return pieces + scanner.finish()


def starred(pieces: Iterable[Piece]) -> bytes:
    """Pieces joined, what must be masked shown as stars."""
    return b"".join(b"*" * len(piece.data) if piece.match else piece.data for piece in pieces)


def chunkings(seed: int) -> Iterator[Iterable[int]]:
    """Ways to cut a stream."""
    yield itertools.repeat(1 << 20)
    yield itertools.repeat(1)
    draw = random.Random(seed)
    yield iter(lambda: draw.randint(1, 60), 0)
