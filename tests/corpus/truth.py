"""What was planted where, and how findings are judged against it."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corpus.kinds import Kind, known_key, unknown
from provision.detect.fingerprint import fingerprint
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PIECE = 8
"""Characters that a report must share with a secret to have found it, when it shows another part or form of it."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One secret in one file (of an archive: the outermost file). `lines` are those on which it stands in a text file."""

    value: str
    kind: str
    known: bool
    lane: str
    path: str
    lines: tuple[int, ...]
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """What some scanner reported: a file and what it can say about the place and the value. `digest` is a SHA-1 of it."""

    path: str
    line: int | None = None
    text: str = ""
    digest: str = ""


@dataclass
class Score:
    """Found and missed, true and false."""

    found: list[Planted] = field(default_factory=list)
    missed: list[Planted] = field(default_factory=list)
    true: int = 0
    false: list[Hit] = field(default_factory=list)

    @property
    def recall(self) -> float:
        total = len(self.found) + len(self.missed)
        return len(self.found) / total if total else 1.0

    @property
    def precision(self) -> float:
        total = self.true + len(self.false)
        return self.true / total if total else 1.0

    def by_lane(self) -> dict[str, tuple[int, int]]:
        """Found and planted for each lane."""
        found, all_ = Counter(p.lane for p in self.found), Counter(p.lane for p in (*self.found, *self.missed))
        return {lane: (found[lane], total) for lane, total in all_.items()}


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder, what is planted in it, and the keys of the users that a vault would know."""

    root: Path
    planted: tuple[Planted, ...]
    users: dict[str, str]

    def known(self, salt: bytes = b"corpus-salt-0000") -> KnownKeys:
        """What a vault with these users' keys would hand to an audit."""
        keys = {
            fingerprint(value, salt): KnownKey(user, fingerprint(value, salt), "current")
            for user, value in self.users.items()
        }
        return KnownKeys(salt, frozenset(shape_of(value) for value in self.users.values()), keys)


class Writer:
    """Where lanes put files and say what they planted."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng = root, rng
        self.lane, self.turn = "", 0
        self._planted: list[tuple[str, Kind, str]] = []
        self._more_forms: dict[str, tuple[str, ...]] = {}
        self._users: dict[str, str] = {}

    def begin(self, lane: str, turn: int) -> None:
        self.lane, self.turn = lane, turn

    def known(self) -> Kind:
        """A new user's key, which the vault knows."""
        key = known_key(self.rng)
        self._users[f"user{len(self._users)}"] = key.value
        return key

    def token(self) -> Kind:
        """A secret that can be told by its own look."""
        return unknown(self.rng, tokens_only=True)

    def any(self) -> Kind:
        """A secret of any kind, opaque ones too: to be put behind a name."""
        return unknown(self.rng)

    def path(self, name: str) -> Path:
        """A file of this lane and turn; its folder exists."""
        path = self.root / self.lane / str(self.turn) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, data: str | bytes, *secrets: Kind) -> Path:
        """Write a file and say that these secrets are in it."""
        path = self.path(name)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        self.say(path, *secrets)
        return path

    def say(self, path: Path, *secrets: Kind, forms: tuple[str, ...] = ()) -> None:
        """These secrets are in this file, perhaps in further forms than the usual ones."""
        for secret in secrets:
            self._planted.append((self.lane, secret, path.relative_to(self.root).as_posix()))
            self.say_forms(secret, forms)

    def say_forms(self, secret: Kind, forms: tuple[str, ...]) -> None:
        """This secret also looks like these."""
        self._more_forms[secret.value] = (*self._more_forms.get(secret.value, ()), *forms)

    def corpus(self) -> Corpus:
        known = set(self._users.values())
        texts: dict[str, bytes] = {}
        planted = []
        for lane, secret, path in self._planted:
            value = secret.value
            if path not in texts:
                file = self.root / path
                texts[path] = file.read_bytes() if file.is_file() else b""
            forms = (value, *_forms(value), *self._more_forms.get(value, ()))
            planted.append(Planted(value, secret.name, value in known, lane, path, _lines(texts[path], forms), forms))
        return Corpus(self.root, tuple(planted), dict(self._users))


def _forms(value: str) -> tuple[str, ...]:
    raw = value.encode()
    encoded = [
        base64.b64encode(b"\0" * pad + raw).decode().rstrip("=")[pad * 4 // 3 + bool(pad) : -3] for pad in range(3)
    ]
    return (*encoded, raw.hex(), urllib.parse.quote(value, safe=""), value.replace("\n", "\\n"))


def _lines(data: bytes, forms: Iterable[str]) -> tuple[int, ...]:
    if b"\0" in data[:4000]:
        return ()
    found = set()
    for form in forms:
        at = data.find(form.encode())
        if at >= 0:
            first = data.count(b"\n", 0, at) + 1
            found |= set(range(first, first + form.count("\n") + 1))
    return tuple(sorted(found))


def judge(corpus: Corpus, hits: Iterable[Hit]) -> Score:
    """Generous to the scanner: a report counts for a secret of the same file or repository if it shows it, an encoded form
    of it or a good part of either, or if it shows nothing and points to its line."""
    by_path: dict[str, list[Planted]] = {}
    for planted in corpus.planted:
        by_path.setdefault(planted.path, []).append(planted)
    score, found = Score(), set()
    for hit in hits:
        theirs = [p for path in _folders(hit.path) for p in by_path.get(path, ()) if _same(p, hit)]
        if theirs:
            score.true += 1
            found |= {id(p) for p in theirs}
        else:
            score.false.append(hit)
    for planted in corpus.planted:
        (score.found if id(planted) in found else score.missed).append(planted)
    return score


def _folders(path: str) -> Iterator[str]:
    """A path and the folders above it: a repository's secrets are planted in its folder. A database is one with its log."""
    yield path
    yield f"{path}-wal"
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _same(planted: Planted, hit: Hit) -> bool:
    if hit.digest:
        if hit.digest in {hashlib.sha1(form.encode()).hexdigest() for form in planted.forms}:
            return True
        return hit.line in planted.lines
    if not hit.text:
        return hit.line in planted.lines
    return any(_shares(form, hit.text) for form in planted.forms)


def _shares(form: str, text: str) -> bool:
    if form in text:
        return True
    size = max(PIECE, min(len(form), len(text)) // 2)
    if len(text) < PIECE or len(form) < PIECE:
        return False
    step = max(1, size // 2)
    return any(form[at : at + size] in text for at in range(0, len(form) - size + 1, step))
