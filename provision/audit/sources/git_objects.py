"""Objects of a git repository: one part of them, read through a `git cat-file --batch` of its own, and the secrets in each.

A repository is divided into parts so that several processes read it; what is found in all parts is put together by `git`. git
does not compare content with its id, and a repository is input: an object only counts as scanned before when its content was
hashed.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from provision.audit.sources.git_part import DamagedObject, GitObject, HeldSecret, RepositoryPart, UnprovenObject
from provision.audit.sources.git_view import GitEndedError, GitError, GitProcess, GitSilentError, repository_view
from provision.containers.blob import Blob, ContentKind, MatchPosition, ReadLimits, Unreadable
from provision.containers.budget import Budget
from provision.containers.chunk_stream import CheckedChunks, ChunkStream
from provision.containers.container_format import HEAD_BYTES, container_format
from provision.containers.embedded import EmbeddedStreams
from provision.containers.walk import PartWalker, kind_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from provision.audit.unchanged import UnchangedFiles
    from provision.detect.match import Match

    OwnLocate = Callable[[Match], MatchPosition | None]
    Locate = Callable[[bytes | Iterable[bytes], OwnLocate | None, Match], MatchPosition | None]

_AT_ONCE = 64
_MOST_SILENCES = 3


class ListingError(Exception):
    """The objects cannot be listed, or reading them has to stop; the message says why."""


class ObjectReader:
    """Reads objects through the view `ours` of a repository. `damaged` are the ids of those that git could not read."""

    def __init__(self, path: str, ours: Path, limits: ReadLimits) -> None:
        self._path = path
        self._ours = ours
        self._limits = limits
        self.damaged: set[bytes] = set()
        self._silences = 0

    def git(self, *arguments: str) -> GitProcess:
        """Start git on the view."""
        return GitProcess(self._ours, self._limits, *arguments)

    def contents(self, objects: Iterable[GitObject]) -> Iterator[tuple[GitObject, bytes | CheckedChunks | None]]:
        """Yield each object with its content; None for a damaged one, on which git may stop and is restarted.

        git may also stop after an object that it returned although it is damaged. So an object without an answer is requested
        again, first this time, before it counts as damaged.
        """
        left = iter(objects)
        waiting: deque[GitObject] = deque()

        def more() -> bool:
            if not waiting:
                waiting.extend(islice(left, _AT_ONCE))
            return bool(waiting)

        while more():
            first = waiting[0]
            with self.git("cat-file", "--batch") as git:
                try:
                    while more():
                        git.write(b"".join(held.id + b"\n" for held in waiting))
                        while waiting:
                            yield from self._content(git, waiting[0])
                            waiting.popleft()
                except GitEndedError:
                    if waiting[0] is first:
                        yield self._damage(waiting.popleft())
                except GitError as e:
                    self._count_silence(e)
                    if waiting:
                        yield self._damage(waiting.popleft())

    def _damage(self, held: GitObject) -> tuple[GitObject, None]:
        self.damaged.add(held.id)
        return held, None

    def _count_silence(self, error: GitError) -> None:
        self._silences += isinstance(error, GitSilentError)
        if self._silences > _MOST_SILENCES:
            raise ListingError(str(error)) from error

    def _content(self, git: GitProcess, held: GitObject) -> Iterator[tuple[GitObject, bytes | CheckedChunks | None]]:
        words = git.line().split()
        if words == [held.id, b"missing"]:
            yield self._damage(held)
            return
        if words[:1] != [held.id] or len(words) != 3 or not words[2].isdigit():
            raise GitEndedError("git stopped")
        size = int(words[2])
        content = git.parts(size)
        if size <= self._limits.whole_bytes:
            yield held, b"".join(content)
        else:
            quiet = CheckedChunks(content)
            yield held, quiet
            quiet.check()
        for _ in content:  # what the reader did not take
            pass
        for _ in git.parts(1):  # the end of the line
            pass

    def parts(
        self, data: bytes | CheckedChunks, where: str | None, held: GitObject, locate: Locate
    ) -> Iterator[Blob | Unreadable]:
        """Yield an object, or the parts of the container that it is; `locate` decides which matches count."""
        stream = ChunkStream((data,) if isinstance(data, bytes) else data)
        kind = None
        if held.kind == b"blob":
            kind = container_format(stream.peek(HEAD_BYTES)) or kind_elsewhere(stream, self._limits)
        size = len(data) if isinstance(data, bytes) else self._limits.whole_bytes
        walker = PartWalker(self._path, self._limits, Budget.of(self._limits, size), ContentKind.GIT)
        name = where or f"object {short_id(held.id)}"
        if kind is None:
            embedded = EmbeddedStreams()
            whole = data if isinstance(data, bytes) else embedded.watching(stream.parts())
            yield Blob(self._path, whole, where, ContentKind.GIT, partial(locate, data, None))
            if isinstance(data, bytes):
                embedded.search(data, final=True)
            parts = walker.embedded(name, embedded, 0)
        else:
            parts = walker.container(name, kind, stream, 0)
        for part in walker.guarded(parts):
            if isinstance(part, Blob):
                yield replace(part, locate=partial(locate, part.data, part.locate))
            else:
                yield part


class PartReader:
    """Reads one part of a repository. `clean` are the tokens of objects in which nothing was found, `taken_over` counts those
    whose content was known."""

    def __init__(self, part: RepositoryPart, limits: ReadLimits, files: UnchangedFiles | None) -> None:
        self._part = part
        self._limits = limits
        self._files = files
        self._held: list[HeldSecret] = []
        self.clean: list[bytes] = []
        self.taken_over = 0
        self._is_clean = True

    def blobs(self) -> Iterator[Blob | Unreadable | DamagedObject | UnprovenObject]:
        """Yield the parts of every object. Read a blob's data before asking for the next blob."""
        path = self._part.path
        try:
            with repository_view(path, []) as ours:  # what it cannot show was reported with the list
                reader = ObjectReader(path, ours, self._limits)
                for held, data in reader.contents(self._part.objects()):
                    if data is None:
                        yield DamagedObject(path, held)
                    else:
                        yield from self._object(reader, held, data)
        except (GitError, ListingError) as e:
            yield Unreadable(path, f"its history was not read to its end: {e}")
        except OSError as e:
            yield Unreadable(
                path, f"its history was not read: {(e.strerror or 'no space for temporary links').lower()}"
            )

    def _object(
        self, reader: ObjectReader, held: GitObject, data: bytes | CheckedChunks
    ) -> Iterator[Blob | Unreadable | UnprovenObject]:
        token = None
        if self._files is not None and isinstance(data, bytes):
            if object_id(held, data) == held.id:
                token, is_known = self._files.git_object(held.id)
            else:
                is_known = False
                yield UnprovenObject(self._part.path)
            if is_known and token:
                self.taken_over += 1
                self.clean.append(token)
                return
        self._is_clean = True
        for part in reader.parts(data, None, held, partial(self._note, held)):
            self._is_clean &= isinstance(part, Blob)
            yield part
        if token is not None and self._is_clean:
            self.clean.append(token)

    def _note(self, held: GitObject, _data: object, _own: object, match: Match) -> None:
        self._is_clean = False
        found = HeldSecret(self._part.path, match.secret, held)
        if self._held[-1:] != [found]:
            self._held.append(found)

    def take_held(self) -> list[HeldSecret]:
        """Return the secrets that were noted since the last call."""
        held, self._held = self._held, []
        return held


def object_id(held: GitObject, data: bytes) -> bytes:
    """Return the id that git gives to this content (gitformat-pack(5)): SHA-1, or SHA-256 in repositories with such ids."""
    hashed = hashlib.sha256 if len(held.id) == 64 else partial(hashlib.sha1, usedforsecurity=False)
    return hashed(b"%b %d\0%b" % (held.kind, len(data), data)).hexdigest().encode()


def short_id(name: bytes) -> str:
    """Return an id as it is shown."""
    return name[:10].decode("ascii", "replace")
