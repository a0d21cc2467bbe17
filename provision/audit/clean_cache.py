"""What earlier audits of this user scanned and found clean, as keyed digests in one file of the user's cache folder.

The file holds no value, no name and no finding: only digests of what was clean, each with the day of its last use. It is used
only when it and its folder belong to this user alone; a damaged one is dropped. Two audits at once each replace it in one step:
the later one keeps what it read before, so the worst is that something is scanned again.
"""

from __future__ import annotations

import hashlib
import os
import time
from bisect import bisect_left
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import platformdirs

from provision.files import FileProblemError, open_regular, write_atomic
from provision.windows_acl import on_windows, other_accounts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TOKEN_BYTES = 16
_RECORD_BYTES = TOKEN_BYTES + 2
_MAGIC = b"provision/audit-clean/v1\n"
_HEAD_BYTES = len(_MAGIC) + 32 + 8
_MOST_RECORDS = 1_000_000
"""18 MB; of more, those that were not used for the longest time are dropped."""
_MOST_FILES = 8
"""Rules, known keys, options and versions each make a file of their own."""
_DAY_NS = 86_400 * 10**9
_REFRESHED_DAYS = 7


class _Records:
    """Sorted records in one bytes object: a token, then the day of its last use."""

    def __init__(self, packed: bytes = b"") -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed) // _RECORD_BYTES

    def __getitem__(self, index: int) -> bytes:
        return self.packed[index * _RECORD_BYTES : index * _RECORD_BYTES + TOKEN_BYTES]

    def day(self, token: bytes) -> int | None:
        """Return the day on which a token was last used; None when it is not there."""
        at = bisect_left(self, token)
        if at == len(self) or self[at] != token:
            return None
        return int.from_bytes(self.packed[at * _RECORD_BYTES + TOKEN_BYTES : (at + 1) * _RECORD_BYTES], "big")

    def with_tokens(self, tokens: Iterable[bytes], day: int) -> _Records:
        """Return the records with these tokens used on `day`, at most `_MOST_RECORDS`."""
        end, size = day.to_bytes(2, "big"), _RECORD_BYTES
        parts, at = [], 0
        for first, group in groupby(sorted(tokens), key=itemgetter(0)):  # few bisections, and few records in memory
            low = bisect_left(self, bytes((first,)), at)
            high = bisect_left(self, bytes((first + 1,)), low) if first < 255 else len(self)
            records = (self.packed[place * size : (place + 1) * size] for place in range(low, high))
            merged = {record[:TOKEN_BYTES]: record for record in records}
            merged.update((token, token + end) for token in group)
            parts += [self.packed[at * size : low * size], *map(merged.__getitem__, sorted(merged))]
            at = high
        return _Records(b"".join([*parts, self.packed[at * size :]])).bounded()

    def bounded(self) -> _Records:
        """Return at most `_MOST_RECORDS` records, those that were used last."""
        surplus = len(self) - _MOST_RECORDS
        if surplus <= 0:
            return self
        days = list(
            zip(self.packed[TOKEN_BYTES::_RECORD_BYTES], self.packed[TOKEN_BYTES + 1 :: _RECORD_BYTES], strict=True)
        )
        oldest = sorted(days)[surplus - 1]
        size = _RECORD_BYTES
        kept = [self.packed[at * size : (at + 1) * size] for at, day in enumerate(days) if day > oldest]
        if not kept:  # all of one day: which ones does not matter
            kept = [self.packed[surplus * size :]]
        return _Records(b"".join(kept))


class CleanCache:
    """Tokens of what was scanned clean with the same rules, keys, options and program: `key` is a digest of all of these.

    `full`: nothing is taken from it, only written to it. It pickles, so that worker processes can consult it.
    """

    def __init__(self, path: Path, key: bytes, *, full: bool = False) -> None:
        self._path = path
        self._key = key
        self._full = full
        self._today = time.time_ns() // _DAY_NS & 0xFFFF
        self._records = _Records() if full else _read(path)
        self._noted: set[bytes] = set()

    def token(self, *parts: object) -> bytes:
        """Return the token of something, from its parts: text, bytes and numbers."""
        return hashlib.blake2b(repr(parts).encode(), key=self._key, digest_size=TOKEN_BYTES).digest()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was there when it was opened."""
        return not self._records.packed

    def __contains__(self, token: bytes) -> bool:
        return self._records.day(token) is not None

    def use(self, token: bytes) -> bool:
        """Return whether a token is there, and remember that it was used."""
        day = self._records.day(token)
        if day is None:
            return False
        if day != self._today and not 0 < self._today - day < _REFRESHED_DAYS:
            self._noted.add(token)
        return True

    def add(self, tokens: Iterable[bytes]) -> None:
        """Add what was scanned clean in this run."""
        self._noted.update(tokens)

    def save(self) -> None:
        """Write the file if anything is new. When it cannot be written, the next audit scans again."""
        if not self._noted:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_private(self._path.parent):
                return
            body = _read(self._path).with_tokens(self._noted, self._today).packed
            dated = time.time_ns().to_bytes(8, "big") + body
            write_atomic(self._path, _MAGIC + hashlib.sha256(dated).digest() + dated, durable=False)
            kept = sorted(self._path.parent.glob("audit-*.clean"), key=lambda each: each.stat().st_mtime_ns)
            for old in kept[:-_MOST_FILES]:
                old.unlink(missing_ok=True)
        except (OSError, FileProblemError):
            return
        self._noted.clear()


def cache_path(key: bytes) -> Path:
    """Return the file for a key, beside the compiled rules."""
    return platformdirs.user_cache_path("hermes-provision", appauthor=False) / f"audit-{key.hex()[:24]}.clean"


def _read(path: Path) -> _Records:
    """Read the records; none when the file is missing, damaged, of another user, or from a later time than now."""
    try:
        if not _is_private(path.parent):
            return _Records()
        with open_regular(path, follow=False) as file:
            status = os.fstat(file.fileno())
            most = _HEAD_BYTES + _MOST_RECORDS * _RECORD_BYTES
            if not on_windows() and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
                return _Records()
            data = file.read(most + 1)
    except (OSError, FileProblemError):
        return _Records()
    digest, dated = data[len(_MAGIC) : len(_MAGIC) + 32], data[len(_MAGIC) + 32 :]
    whole = (len(data) - _HEAD_BYTES) % _RECORD_BYTES == 0 and _HEAD_BYTES <= len(data) <= most
    if not whole or not data.startswith(_MAGIC) or hashlib.sha256(dated).digest() != digest:
        return _Records()
    if int.from_bytes(dated[:8], "big") > time.time_ns():  # the clock was set back: times of files prove nothing
        return _Records()
    return _Records(dated[8:])


def _is_private(folder: Path) -> bool:
    """Whether only this user can put files into a folder."""
    if on_windows():
        others = other_accounts(folder)
        return others is not None and not others.writers
    status = folder.lstat()
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == os.geteuid() and not status.st_mode & 0o022
