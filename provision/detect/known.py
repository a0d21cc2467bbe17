"""Recognise the fleet's own keys by fingerprint.

A candidate is fingerprinted and looked up, so an audit of a machine needs no key. Besides the fingerprints only the keys'
shapes are known: a public prefix (`sk-aisa-`) and a length.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.detect.known_key import KnownKey

SCHEMA = "provision/known-keys/v1"
KNOWN_RULE = "known-key"
USUAL_PREFIXES = (
    "sk-aisa-", "sk-ant-", "sk-or-v1-", "sk-proj-", "sk-svcacct-", "sk-", "xai-", "AIza", "gsk_", "hf_", "ghp_", "pplx-",
)  # fmt: skip
"""Prefixes that a file of fingerprints may contain: the part of a key that its provider publishes."""
LONGEST = 4096
"""Longest known key in bytes."""
_WORD = rb"A-Za-z0-9_-"
_KEY_RUN = re.compile(rb"[A-Za-z0-9_-]{1,%d}" % LONGEST)


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """Fingerprints of keys, and the keys' shapes: pairs of a public prefix (may be empty) and the whole length in bytes."""

    salt: bytes
    shapes: frozenset[tuple[str, int]]
    by_fingerprint: Mapping[str, KnownKey]

    def find(self, value: str) -> KnownKey | None:
        """Return the key with this value."""
        return self.by_fingerprint.get(fingerprint(value, self.salt))

    def dump(self) -> bytes:
        """Return the keys as a `provision/known-keys/v1` file, sorted; `known_file.parse_known_keys` reads it."""
        keys = sorted(self.by_fingerprint.values(), key=lambda key: (key.user, key.stage, key.fingerprint))
        form = {
            "schema": SCHEMA,
            "salt": self.salt.hex(),
            "shapes": [list(shape) for shape in sorted(self.shapes)],
            "keys": [
                {
                    "user": key.user,
                    "fingerprint": key.fingerprint,
                    "stage": key.stage,
                    "created": key.created.isoformat() if key.created else None,
                    "label": key.label,
                }
                for key in keys
            ],
        }
        return (json.dumps(form, indent=1, ensure_ascii=False) + "\n").encode()


def shape_of(value: str) -> tuple[str, int]:
    """Return a key's usual prefix, or an empty string, and its length in bytes."""
    prefix = next((usual for usual in USUAL_PREFIXES if value.startswith(usual)), "")
    return prefix, len(value.encode("utf-8", "surrogatepass"))


class Candidates:
    """Find text with the prefix and length of a known key.

    A key with a prefix is found even inside other text. A key without a prefix is found only as a complete run of the
    characters that such a key may have.
    """

    def __init__(self, known: KnownKeys) -> None:
        self.known = known
        self._lengths: dict[bytes, list[int]] = {}
        for prefix, length in sorted(known.shapes):
            self._lengths.setdefault(prefix.encode(), []).append(length)
        self.prefixes = tuple(prefix for prefix in self._lengths if prefix)
        bare = self._lengths.get(b"", [])
        self._longest = max((length for _, length in known.shapes), default=0)
        self._bare = frozenset(bare)
        self._runs = [
            re.compile(b"(?<![%s])[%s]{%d,%d}(?![%s])" % (each, each, min(bare), max(bare), each))
            for each in (_WORD, b"+/=.~" + _WORD, b"+/=.~:@" + _WORD)
            if bare
        ]

    @property
    def stand_alone(self) -> bool:
        """Whether there are keys without a prefix, and so without a keyword."""
        return bool(self._runs)

    def matches(self, data: bytes, places: Iterable[int]) -> Iterator[Match]:
        """Yield the known keys in `data`; `places` are offsets where a prefix may begin."""
        for at in places:
            for prefix, lengths in self._lengths.items():
                if prefix and data.startswith(prefix, at):
                    run = _KEY_RUN.match(data, at, at + self._longest)
                    room = run.end() - at if run else 0
                    yield from self._at(data, at, (length for length in lengths if length <= room))
        for runs in self._runs:
            for run in runs.finditer(data):
                if len(run[0]) in self._bare:
                    yield from self._at(data, run.start(), (len(run[0]),))

    def find(self, value: str) -> KnownKey | None:
        """Return the key with this value; values of other shapes are not hashed."""
        return self.known.find(value) if shape_of(value) in self.known.shapes else None

    @property
    def longest_bare(self) -> int:
        """Length of the longest key without a prefix; 0 without any."""
        return max(self._bare, default=0)

    def whole(self, text: bytes) -> Match | None:
        """Return the known key without a prefix that is exactly `text`."""
        return next(self._at(text, 0, (len(text),)), None) if len(text) in self._bare else None

    def beginning(self, data: bytes, longer_than: int) -> Match | None:
        """Return the known key at the beginning of `data` that is longer than `longer_than` bytes."""
        lengths = sorted(
            {length for prefix, length in self.known.shapes if prefix and data.startswith(prefix.encode())}
        )
        run = _KEY_RUN.match(data)
        room = run.end() if run else 0
        return next(self._at(data, 0, (length for length in lengths if longer_than < length <= room)), None)

    def _at(self, data: bytes, at: int, lengths: Iterable[int]) -> Iterator[Match]:
        for length in lengths:
            value = data[at : at + length].decode("ascii")
            if key := self.known.find(value):
                span = (at, at + length)
                yield Match(KNOWN_RULE, FindingSeverity.CRITICAL, Confidence.HIGH, (span,), Secret(value), (), key)
