"""Git history: every object that a repository still has, reachable or not; each secret once, with its oldest commit.

All objects are read through one `git cat-file --batch`: those of branches and tags, stash and reflog, and dangling ones. Only
for objects with findings, `git log` lists the commits and paths; of several, the oldest is reported.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from provision.audit.sources.git_view import (
    OBJECT_ID,
    GitEndedError,
    GitError,
    GitProcess,
    GitSilentError,
    repository_view,
)
from provision.containers.blob import Blob, ContentKind, MatchPosition, ReadLimits, Unreadable
from provision.containers.budget import Budget
from provision.containers.chunk_stream import CheckedChunks, ChunkStream
from provision.containers.container_format import HEAD_BYTES, container_format
from provision.containers.embedded import EmbeddedStreams
from provision.containers.open_file import read_beginning
from provision.containers.walk import PartWalker, kind_elsewhere
from provision.detect.shapes import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from provision.detect.match import Match
    from provision.detect.secret import Secret

    _OwnLocate = Callable[[Match], MatchPosition | None]
    _Locate = Callable[[bytes | Iterable[bytes], _OwnLocate | None, Match], MatchPosition | None]

_AT_ONCE = 64
_MOST_DAMAGED = 20
_MOST_SILENCES = 3
_MOST_REFS = 100_000
_LOG = (
    "log", "--stdin", "--no-walk=unsorted", "--raw", "--no-abbrev", "-m", "--root", "--no-renames", "-z",
    "--format=%x01%H %ct", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-mailmap", "--ignore-missing",
)  # fmt: skip


class ListingError(Exception):
    """The objects cannot be listed, or reading them has to stop; the message says why."""


class _Object(NamedTuple):
    id: bytes
    kind: bytes


class _Origin(NamedTuple):
    """The commit that added a blob, and the path there."""

    time: int
    commit: bytes
    path: bytes


def read_repository(path: str, limits: ReadLimits) -> Iterator[Blob | Unreadable]:
    """Read the history of the repository whose git folder is `path`. Read a blob's data before asking for the next blob."""
    problems: list[Unreadable] = []
    try:
        with repository_view(path, problems) as ours:
            yield from problems
            yield from _Repository(path, ours, limits).blobs()
    except (GitError, ListingError) as e:
        yield Unreadable(path, f"its history was not read to its end: {e}")
    except OSError as e:
        yield Unreadable(path, f"its history was not read: {(e.strerror or 'no space for temporary links').lower()}")


class _Repository:
    def __init__(self, path: str, ours: Path, limits: ReadLimits) -> None:
        self._path = path
        self._ours = ours
        self._limits = limits
        self._holders: dict[Secret, list[_Object]] = {}
        """The objects each secret was found in."""
        self._damaged: set[bytes] = set()
        self._silences = 0

    def blobs(self) -> Iterator[Blob | Unreadable]:
        """Yield every object once, to record which hold secrets; then each of those again, with its commit and path."""
        try:
            for held, data in self._contents(self._objects()):
                if data is not None:
                    yield from self._parts(data, None, held, partial(self._note, held))
                elif len(self._damaged) <= _MOST_DAMAGED:
                    yield Unreadable(self._path, "a damaged object", f"object {_short(held.id)}")
        except ListingError as e:
            yield Unreadable(self._path, f"its history was not read to its end: {e}")
        if len(self._damaged) > _MOST_DAMAGED:
            yield Unreadable(self._path, f"{len(self._damaged) - _MOST_DAMAGED} more objects are damaged")
        if self._holders:
            yield from self._placed()

    def _parts(
        self, data: bytes | CheckedChunks, where: str | None, held: _Object, locate: _Locate
    ) -> Iterator[Blob | Unreadable]:
        """Yield an object, or the parts of the container that it is; `locate` decides which matches count."""
        stream = ChunkStream((data,) if isinstance(data, bytes) else data)
        kind = None
        if held.kind == b"blob":
            kind = container_format(stream.peek(HEAD_BYTES)) or kind_elsewhere(stream, self._limits)
        size = len(data) if isinstance(data, bytes) else self._limits.whole_bytes
        walker = PartWalker(self._path, self._limits, Budget.of(self._limits, size), ContentKind.GIT)
        name = where or f"object {_short(held.id)}"
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

    def _note(self, held: _Object, _data: object, _own: object, match: Match) -> None:
        holders = self._holders.setdefault(match.secret, [])
        if holders[-1:] != [held]:
            holders.append(held)

    def _objects(self) -> Iterator[_Object]:
        """List all objects except trees (file names are found with commits), in the order that is fastest to read."""
        with self._git(
            "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)", "--unordered"
        ) as git:
            git.end_input()
            for line in git.tokens(b"\n"):
                name, _, kind = line.partition(b" ")
                if kind != b"tree":
                    yield _Object(name, kind)
            if not git.succeeded():
                raise ListingError("git cannot list its objects")

    def _git(self, *arguments: str) -> GitProcess:
        return GitProcess(self._ours, self._limits, *arguments)

    def _contents(self, objects: Iterable[_Object]) -> Iterator[tuple[_Object, bytes | CheckedChunks | None]]:
        """Yield each object with its content; None for a damaged one, on which git may stop and is restarted.

        git may also stop after an object that it returned although it is damaged. So an object without an answer is requested
        again, first this time, before it counts as damaged.
        """
        left = iter(objects)
        waiting: deque[_Object] = deque()

        def more() -> bool:
            if not waiting:
                waiting.extend(islice(left, _AT_ONCE))
            return bool(waiting)

        while more():
            first = waiting[0]
            with self._git("cat-file", "--batch") as git:
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

    def _damage(self, held: _Object) -> tuple[_Object, None]:
        self._damaged.add(held.id)
        return held, None

    def _count_silence(self, error: GitError) -> None:
        self._silences += isinstance(error, GitSilentError)
        if self._silences > _MOST_SILENCES:
            raise ListingError(str(error)) from error

    def _content(self, git: GitProcess, held: _Object) -> Iterator[tuple[_Object, bytes | CheckedChunks | None]]:
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

    def _placed(self) -> Iterator[Blob | Unreadable]:
        """Yield the objects with secrets again, each secret from the oldest commit that has it."""
        origins: dict[_Object, _Origin] = {}
        named: set[bytes] | None = None
        with contextlib.suppress(GitError, ListingError):  # then less is known about commits and paths
            self._find_origins({held for holders in self._holders.values() for held in holders}, origins)
            named = self._reachable({origin.commit for origin in origins.values()})
        never = _Origin(1 << 62, b"", b"")
        chosen: dict[_Object, set[Secret]] = {}
        for secret, holders in self._holders.items():
            oldest = min(holders, key=lambda held: (origins.get(held, never), held))
            chosen.setdefault(oldest, set()).add(secret)
        for held, data in self._contents(chosen):
            where = _where(held, origins.get(held), named)
            if data is None:
                yield Unreadable(self._path, "a damaged object", where)
            else:
                for part in self._parts(data, where, held, partial(_once, chosen[held])):
                    if isinstance(part, Blob):  # what cannot be read was reported the first time
                        yield part

    def _find_origins(self, wanted: set[_Object], found: dict[_Object, _Origin]) -> None:
        """Record in `found` the oldest commit of each wanted object and its path there, in one pass over all commits."""
        blobs = {held.id: held for held in wanted}
        with self._git(*_LOG) as git:
            for held in self._objects():
                if held.kind == b"commit" and held.id not in self._damaged:
                    git.write(held.id + b"\n")
            git.end_input()
            commit, time = b"", 0
            tokens = git.tokens(b"\0")
            for token in tokens:
                if token.startswith(b"\x01"):
                    commit, _, seconds = token[1:].strip().partition(b" ")
                    time = int(seconds) if seconds.isdigit() else 0
                    changed, path = commit, b""
                else:
                    words = token.split()
                    changed, path = (words[3] if len(words) == 5 else b""), next(tokens, b"")
                if changed in blobs:
                    origin = _Origin(time, commit, path)
                    found[blobs[changed]] = min(found.get(blobs[changed], origin), origin)

    def _reachable(self, commits: set[bytes]) -> set[bytes] | None:
        """Return those of the commits that belong to a branch or tag; None when git fails."""
        with self._git("rev-list", "--stdin", "--ignore-missing") as git:
            for tip in _tips(Path(self._path)):
                git.write(tip + b"\n")
            git.end_input()
            found = commits.intersection(git.tokens(b"\n"))
            return found if git.succeeded() else None


def _tips(repository: Path) -> Iterator[bytes]:
    """List what branches, tags and HEADs point to. The stash is not a branch: its content is easily forgotten."""
    files = [repository / "HEAD", repository / "packed-refs", *repository.glob("worktrees/*/HEAD")]
    for folder, _, names in os.walk(repository / "refs"):
        files += [Path(folder) / name for name in names if Path(folder) / name != repository / "refs" / "stash"]
        if len(files) > _MOST_REFS:
            break
    for file in files:
        lines = read_beginning(str(file)).splitlines()
        yield from (line[: line.find(b" ") if b" " in line else None] for line in lines if _is_tip(line))


def _is_tip(line: bytes) -> bool:
    return bool(OBJECT_ID.match(line)) and not line.endswith(b" refs/stash")


def _where(held: _Object, origin: _Origin | None, named: set[bytes] | None) -> str:
    if held.kind == b"tag":
        return f"tag {_short(held.id)}"
    if origin is None:
        return f"{held.kind.decode()} {_short(held.id)}" + (", in no commit" if held.kind == b"blob" else "")
    path = printable_path(origin.path) if origin.path else "(message)"
    unreferenced = named is not None and origin.commit not in named
    return f"commit {_short(origin.commit)}:{path}" + (" (in no branch or tag)" if unreferenced else "")


def _short(object_id: bytes) -> str:
    return object_id[:10].decode("ascii", "replace")


def printable_path(path: bytes) -> str:
    """Make a path from a repository safe for a report: only printable characters, no secret."""
    text = mask_secrets(path.decode("utf-8", "replace"))
    return "".join(c if c.isprintable() else "?" for c in text)


def _once(
    secrets: set[Secret], data: bytes | Iterable[bytes], own: _OwnLocate | None, match: Match
) -> MatchPosition | None:
    """Return the position of the first match of each of the secrets; `own` is how its part locates it."""
    if match.secret not in secrets:
        return None
    secrets.discard(match.secret)
    if own is not None:
        return own(match)
    if not isinstance(data, bytes) or b"\0" in data[:8192]:
        return MatchPosition()
    return MatchPosition(None, data.count(b"\n", 0, match.start) + 1, match.start - data.rfind(b"\n", 0, match.start))
