"""Git history: every object that a repository still has, reachable or not; each secret once, with its oldest commit.

The objects are listed once: those of branches and tags, stash and reflog, and dangling ones. Several processes read them in
parts (`git_objects`). Only for objects with findings, `git log` lists the commits and paths; of several, the oldest is reported.
What an earlier audit found clean is not scanned again; objects in files that cannot have changed since are not even read
(`git_files`).
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from provision.audit.sources.git_files import ObjectFiles
from provision.audit.sources.git_objects import ListingError, ObjectReader, PartReader, short_id
from provision.audit.sources.git_part import DamagedObject, GitObject, HeldSecret, RepositoryPart, UnprovenObject
from provision.audit.sources.git_view import OBJECT_ID, GitError, GitProcess, repository_view
from provision.containers.blob import Blob, MatchPosition, ReadLimits, Unreadable
from provision.containers.open_file import read_beginning
from provision.detect.shapes import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.audit.sources.git_objects import OwnLocate
    from provision.audit.unchanged import UnchangedFiles
    from provision.detect.match import Match
    from provision.detect.secret import Secret

_PART_BYTES = 32 << 20
_PART_OBJECTS = 20_000
_MOST_DAMAGED = 20
_MOST_REFS = 100_000
_LOG = (
    "log", "--stdin", "--no-walk=unsorted", "--raw", "--no-abbrev", "-m", "--root", "--no-renames", "-z",
    "--format=%x01%H %ct", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-mailmap", "--ignore-missing",
)  # fmt: skip


class _Origin(NamedTuple):
    """The commit that added a blob, and the path there."""

    time: int
    commit: bytes
    path: bytes


class RepositoryScan:
    """The history of the repository whose git folder is `path`: `parts`, then `note` what was found in them, then `findings`.

    `unchanged` counts objects that were not even read, because an earlier audit found them clean.
    """

    def __init__(self, path: str, limits: ReadLimits, files: UnchangedFiles | None = None) -> None:
        self.path = path
        self._limits = limits
        self._files = files
        self._kept = ObjectFiles(Path(path), files) if files else None
        self._holders: dict[Secret, list[GitObject]] = {}
        """The objects each secret was found in."""
        self._damaged: dict[bytes, GitObject] = {}
        self._said: set[tuple[str, str | None]] = set()
        self._is_whole = True
        self._open_parts = 0
        self._is_listed = False
        self.unchanged = 0

    @property
    def is_read(self) -> bool:
        """Whether all parts were made and are finished."""
        return self._is_listed and self._open_parts == 0

    def parts(self) -> Iterator[RepositoryPart | Unreadable]:
        """List the objects, and yield those to read in parts of similar size."""
        try:
            yield from self._parts()
        except (GitError, ListingError) as e:
            yield Unreadable(self.path, f"its history was not read to its end: {e}")
        except OSError as e:
            why = (e.strerror or "no space for temporary links").lower()
            yield Unreadable(self.path, f"its history was not read: {why}")
        self._is_listed = True

    def _parts(self) -> Iterator[RepositoryPart | Unreadable]:
        problems: list[Unreadable] = []
        with repository_view(self.path, problems) as ours:
            yield from problems
            is_known = self._kept.known_objects() if self._kept else (lambda _: False)
            lines: list[bytes] = []
            size = 0
            for held, length in list_objects(ours, self._limits):
                if is_known(held.id):
                    self.unchanged += 1
                    continue
                lines.append(b"%b %b\n" % held)
                size += length
                if size >= _PART_BYTES or len(lines) >= _PART_OBJECTS:
                    yield self._part(lines, size)
                    lines, size = [], 0
            if lines:
                yield self._part(lines, size)

    def _part(self, lines: list[bytes], size: int) -> RepositoryPart:
        self._open_parts += 1
        return RepositoryPart(self.path, b"".join(lines), size)

    def note(self, found: HeldSecret | DamagedObject | UnprovenObject) -> None:
        """Take what was found in a part."""
        if isinstance(found, UnprovenObject):
            self._is_whole = False
            return
        if isinstance(found, DamagedObject):
            self._damaged[found.held.id] = found.held
            return
        holders = self._holders.setdefault(found.secret, [])
        if holders[-1:] != [found.held]:
            holders.append(found.held)

    def is_new(self, unread: Unreadable) -> bool:
        """Whether something unread was not reported for another part. Unless it is an object, the files do not count as read."""
        self._is_whole &= unread.where is not None
        said = (unread.reason, unread.where)
        is_new = said not in self._said
        self._said.add(said)
        return is_new

    def end_part(self) -> None:
        """A part is finished."""
        self._open_parts -= 1

    def drop(self, part: RepositoryPart) -> None:
        """Never read the objects of a part again: a process died of one of them, which was reported."""
        dropped = set(part.objects())
        kept = {secret: [held for held in holders if held not in dropped] for secret, holders in self._holders.items()}
        self._holders = {secret: holders for secret, holders in kept.items() if holders}

    def clean(self) -> list[bytes]:
        """Return the tokens by which the next audit knows the files that were read."""
        return self._kept.tokens if self._kept and self._is_whole and not self._damaged else []

    def findings(self) -> Iterator[Blob | Unreadable]:
        """Yield what is damaged, then each object with secrets again, with its commit and path."""
        for held in list(self._damaged.values())[:_MOST_DAMAGED]:
            yield Unreadable(self.path, "a damaged object", f"object {short_id(held.id)}")
        if len(self._damaged) > _MOST_DAMAGED:
            yield Unreadable(self.path, f"{len(self._damaged) - _MOST_DAMAGED} more objects are damaged")
        if not self._holders:
            return
        try:
            with repository_view(self.path, []) as ours:
                yield from _Places(self.path, ours, self._limits, self._holders, self._damaged).blobs()
        except (GitError, ListingError) as e:
            yield Unreadable(self.path, f"its history was not read to its end: {e}")
        except OSError as e:
            why = (e.strerror or "no space for temporary links").lower()
            yield Unreadable(self.path, f"its history was not read: {why}")


def read_repository(path: str, limits: ReadLimits) -> Iterator[Blob | Unreadable]:
    """Read the history in one process, as a whole. Read a blob's data before asking for the next blob."""
    scan = RepositoryScan(path, limits)
    for part in scan.parts():
        if isinstance(part, Unreadable):
            yield part
            continue
        reader = PartReader(part, limits, None)
        for item in reader.blobs():
            if isinstance(item, Blob):
                yield item
                for held in reader.take_held():
                    scan.note(held)
            elif isinstance(item, Unreadable):
                yield item
            else:
                scan.note(item)
    yield from scan.findings()


def list_objects(ours: Path, limits: ReadLimits) -> Iterator[tuple[GitObject, int]]:
    """List all objects except trees (file names are found with commits) and their sizes, in the order that is fastest to read."""
    form = "--batch-check=%(objectname) %(objecttype) %(objectsize)"
    with GitProcess(ours, limits, "cat-file", "--batch-all-objects", form, "--unordered") as git:
        git.end_input()
        for line in git.tokens(b"\n"):
            name, _, more = line.partition(b" ")
            kind, _, size = more.partition(b" ")
            if kind != b"tree":
                yield GitObject(name, kind), int(size) if size.isdigit() else 0
        if not git.succeeded():
            raise ListingError("git cannot list its objects")


class _Places:
    """Finds where secrets came from: `holders` are the objects of each."""

    def __init__(
        self,
        path: str,
        ours: Path,
        limits: ReadLimits,
        holders: dict[Secret, list[GitObject]],
        damaged: Iterable[bytes],
    ) -> None:
        self.path = path
        self._ours = ours
        self._limits = limits
        self._holders = holders
        self._damaged = damaged

    def blobs(self) -> Iterator[Blob | Unreadable]:
        """Yield the objects with secrets again, each secret from the oldest commit that has it."""
        origins: dict[GitObject, _Origin] = {}
        named: set[bytes] | None = None
        with contextlib.suppress(GitError, ListingError):  # then less is known about commits and paths
            self._find_origins({held for holders in self._holders.values() for held in holders}, origins)
            named = self._reachable({origin.commit for origin in origins.values()})
        never = _Origin(1 << 62, b"", b"")
        chosen: dict[GitObject, set[Secret]] = {}
        for secret, holders in self._holders.items():
            oldest = min(holders, key=lambda held: (origins.get(held, never), held))
            chosen.setdefault(oldest, set()).add(secret)
        reader = ObjectReader(self.path, self._ours, self._limits)
        for held, data in reader.contents(chosen):
            where = _where(held, origins.get(held), named)
            if data is None:
                yield Unreadable(self.path, "a damaged object", where)
            else:
                for part in reader.parts(data, where, held, partial(_once, chosen[held])):
                    if isinstance(part, Blob):  # what cannot be read was reported the first time
                        yield part

    def _find_origins(self, wanted: set[GitObject], found: dict[GitObject, _Origin]) -> None:
        """Record in `found` the oldest commit of each wanted object and its path there, in one pass over all commits."""
        blobs = {held.id: held for held in wanted}
        with GitProcess(self._ours, self._limits, *_LOG) as git:
            for held, _ in list_objects(self._ours, self._limits):
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
        with GitProcess(self._ours, self._limits, "rev-list", "--stdin", "--ignore-missing") as git:
            for tip in _tips(Path(self.path)):
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


def _where(held: GitObject, origin: _Origin | None, named: set[bytes] | None) -> str:
    if held.kind == b"tag":
        return f"tag {short_id(held.id)}"
    if origin is None:
        return f"{held.kind.decode()} {short_id(held.id)}" + (", in no commit" if held.kind == b"blob" else "")
    path = printable_path(origin.path) if origin.path else "(message)"
    unreferenced = named is not None and origin.commit not in named
    return f"commit {short_id(origin.commit)}:{path}" + (" (in no branch or tag)" if unreferenced else "")


def printable_path(path: bytes) -> str:
    """Make a path from a repository safe for a report: only printable characters, no secret."""
    text = mask_secrets(path.decode("utf-8", "replace"))
    return "".join(c if c.isprintable() else "?" for c in text)


def _once(
    secrets: set[Secret], data: bytes | Iterable[bytes], own: OwnLocate | None, match: Match
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
