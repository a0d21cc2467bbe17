"""Scan everything below some paths, in several processes, and yield what is found as it is found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.finding import RawFinding
from provision.audit.sources import hermes_home
from provision.audit.sources.filenames import NameScanner
from provision.audit.sources.git_part import RepositoryPart
from provision.audit.sources.processes import FoundUserVariables, list_processes
from provision.audit.sources.walk import FoundEntry, FoundFile, FoundHome, FoundRepository, is_inside, walk
from provision.audit.tasks import FoundTask, Noted, Scanner, ScanNotes, Task, scan_blobs
from provision.audit.unchanged import UnchangedFiles, without_sigio
from provision.containers.blob import Blob, ContentKind, ReadLimits, Unreadable
from provision.containers.budget import Budget
from provision.containers.chunk_stream import CHUNK_BYTES, CheckedChunks, ChunkStream
from provision.containers.container_format import HEAD_BYTES, container_format
from provision.containers.open_file import os_error_text
from provision.windows_acl import on_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from provision.audit.clean_cache import CleanCache
    from provision.audit.sources.git import RepositoryScan
    from provision.detect.detector import Detector

STDIN = "<stdin>"
_BATCH_FILES = 256
_BATCH_BYTES = 4 << 20
_HERE_BYTES = 16 << 20
_HERE_FILES = 2000
"""This much is done before other processes are started: starting them takes longer."""

_WithContent = FoundFile | RepositoryPart
_Sized = _WithContent | FoundEntry


@dataclass(slots=True)
class ScanProgress:
    """Progress of a scan. `files` counts files and other sources that were scanned, `bytes` their size on disk; `unchanged` are
    those of the files that were not scanned again."""

    files: int = 0
    bytes: int = 0
    unchanged: int = 0
    objects: int = 0
    """Objects of repositories that were not scanned again."""


def scan(
    paths: Sequence[str | Path],
    detector: Detector,
    *,
    limits: ReadLimits | None = None,
    workers: int | None = None,
    companions: bool = True,
    environ: bool = False,
    stdin: BinaryIO | None = None,
    cache: CleanCache | None = None,
    on_home: Callable[[Path], None] = lambda _: None,
    on_progress: Callable[[ScanProgress], None] = lambda _: None,
) -> Iterator[RawFinding | Unreadable]:
    """Yield everything found below `paths`, in no particular order, and everything that could not be read.

    `on_home` is called with each Hermes home that is found; with `companions` the histories, crontabs and service files of
    its owner are scanned as well. `environ` adds the user's own processes, `stdin` a stream (reported as `<stdin>`).
    `workers` None lets the amount of work decide; 1 stays in this process. What `cache` says was clean and cannot have changed
    is not scanned again, what is clean now is added to it. A path that does not exist is an `Unreadable`.
    """
    run = _Run(detector, limits or ReadLimits(), on_progress, cache)
    if stdin is not None:
        yield from run.stream(stdin, STDIN)
    for path in filter(_is_own_pipe, paths):
        with Path(path).open("rb") as pipe:
            yield from run.stream(pipe, str(path))
    tasks = list_tasks([path for path in paths if not _is_own_pipe(path)], companions=companions, on_home=on_home)
    if environ:
        tasks = chain(tasks, list_processes())
    with without_sigio():
        yield from run.all(tasks, workers or os.cpu_count() or 1)


def list_tasks(
    paths: Sequence[str | Path], *, companions: bool, on_home: Callable[[Path], None] = lambda _: None
) -> Iterator[FoundTask | Unreadable]:
    """List what there is to read below `paths`, then beside the Hermes homes found there."""
    homes = []
    for item in walk(paths):
        if isinstance(item, FoundHome):
            on_home(Path(item.path))
            homes.append(Path(item.path))
        else:
            yield item
    if not companions:
        return
    real = [os.path.realpath(path) for path in paths]
    beside = {os.path.realpath(path): path for home in homes for path in hermes_home.companion_paths(home)}
    extra = [path for at, path in beside.items() if not any(is_inside(at, root) for root in real)]
    yield from (item for item in walk(extra) if not isinstance(item, FoundHome))
    if homes and on_windows():
        yield FoundUserVariables()


def _is_own_pipe(path: str | Path) -> bool:
    """Whether a path is a pipe that was passed to this process, as a shell does for `<(command)`."""
    return os.fspath(path).startswith(("/dev/fd/", "/proc/self/fd/")) and Path(path).is_fifo()


def read_stream(name: str, stream: ChunkStream, limits: ReadLimits) -> Iterator[Blob | Unreadable]:
    """Read standard input: text, or an archive that can be read as it arrives."""
    from provision.containers.embedded import EmbeddedStreams  # noqa: PLC0415  rarely needed, as in the imports below
    from provision.containers.walk import PartWalker, kind_elsewhere  # noqa: PLC0415

    kind = container_format(stream.peek(HEAD_BYTES)) or kind_elsewhere(stream, limits)
    walker = PartWalker(name, limits, Budget.of(limits, 0), ContentKind.STREAM)
    if kind is None:
        embedded = EmbeddedStreams()
        yield Blob(name, CheckedChunks(embedded.watching(stream.parts())), None, ContentKind.STREAM)
        yield from walker.guarded(walker.embedded(None, embedded, 0))
    else:
        yield from walker.guarded(walker.container("stdin", kind, stream, 0))


class _Run:
    def __init__(
        self,
        detector: Detector,
        limits: ReadLimits,
        on_progress: Callable[[ScanProgress], None],
        cache: CleanCache | None,
    ) -> None:
        self._detector = detector
        self._cache = cache
        self._unchanged = UnchangedFiles(cache) if cache else None
        self._scanner = Scanner(detector, limits, self._unchanged)
        self._limits = limits
        self._on_progress = on_progress
        self._progress = ScanProgress()
        self._pending: list[RawFinding | Unreadable] = []
        """What could not be opened, and findings in file names: collected while batches are made."""
        self._names = NameScanner(detector)
        self._repositories: dict[str, RepositoryScan] = {}
        """Repositories of which parts are read now."""

    def stream(self, stream: BinaryIO, name: str) -> Iterator[RawFinding | Unreadable]:
        content = ChunkStream(iter(lambda: stream.read(CHUNK_BYTES), b""))
        try:
            yield from scan_blobs(read_stream(name, content, self._limits), self._detector)
            content.check()
        except OSError as e:
            yield Unreadable(name, os_error_text(e))
        self._progress.files += 1
        self._progress.bytes += content.taken_bytes
        self._on_progress(self._progress)

    def all(self, tasks: Iterator[FoundTask | Unreadable], workers: int) -> Iterator[RawFinding | Unreadable]:
        batches = self._batches(self._in_parts(tasks))
        done_bytes = 0
        while workers == 1 or (done_bytes < _HERE_BYTES and self._progress.files < _HERE_FILES):
            batch = next(batches, None)
            if batch is None:
                break
            if workers > 1 and _work(batch) > _HERE_BYTES:
                yield from self._run_in_pool(chain([batch], batches), workers)
                break
            yield from self._run_here(batch)
            done_bytes += _work(batch)
        else:
            yield from self._run_in_pool(batches, workers)
        yield from self._take_pending()
        yield from self._read_repositories()

    def _in_parts(self, tasks: Iterator[FoundTask | Unreadable]) -> Iterator[Task | Unreadable]:
        """Divide repositories into parts."""
        for task in tasks:
            if isinstance(task, FoundRepository):
                from provision.audit.sources.git import RepositoryScan  # noqa: PLC0415  with what opens containers

                self._repositories[task.path] = found = RepositoryScan(task.path, self._limits, self._unchanged)
                yield from found.parts()
            else:
                yield task

    def _read_repositories(self) -> Iterator[RawFinding | Unreadable]:
        """Yield the findings of the repositories that are read to their end."""
        for repository in [each for each in self._repositories.values() if each.is_read]:
            try:
                yield from scan_blobs(repository.findings(), self._detector)
            except Exception as e:  # as in `Scanner.scan`
                yield Unreadable(repository.path, f"not scanned to its end ({type(e).__name__})")
            del self._repositories[repository.path]
            self._count([], ScanNotes(repository.clean(), 0, repository.unchanged), sources=1)

    def _noted(self, found: RawFinding | Unreadable | Noted) -> Iterator[RawFinding | Unreadable]:
        """Pass findings on; give a repository what belongs to it."""
        repository = None if isinstance(found, RawFinding) else self._repositories.get(found.path)
        if not isinstance(found, RawFinding | Unreadable):
            self._repositories[found.path].note(found)
        elif not isinstance(found, Unreadable) or repository is None or repository.is_new(found):
            yield found

    def _run_here(self, batch: list[Task]) -> Iterator[RawFinding | Unreadable]:
        yield from self._take_pending()
        for task in batch:
            for found in self._scanner.scan(task):
                yield from self._noted(found)
        self._count(batch, self._scanner.take_notes())
        yield from self._read_repositories()

    def _run_in_pool(self, batches: Iterator[list[Task]], workers: int) -> Iterator[RawFinding | Unreadable]:
        from provision.audit.workers import BatchDone, UnpicklableDetectorError, WorkerPool  # noqa: PLC0415  only where they help

        try:
            pool = WorkerPool(self._detector, self._limits, workers, self._unchanged)
        except UnpicklableDetectorError:
            for batch in batches:
                yield from self._run_here(batch)
            return
        with pool:
            for found in pool.run(batches):
                if isinstance(found, BatchDone):
                    if found.died and isinstance(part := found.batch[-1], RepositoryPart):
                        self._repositories[part.path].drop(part)
                    self._count(found.batch, found.notes)
                    yield from self._take_pending()
                    yield from self._read_repositories()
                else:
                    yield from self._noted(found)

    def _batches(self, tasks: Iterator[Task | Unreadable]) -> Iterator[list[Task]]:
        batch: list[Task] = []
        held = 0
        for task in self._changed(tasks):
            if isinstance(task, Unreadable):
                self._pending.append(task)
                if len(self._pending) < _BATCH_FILES:
                    continue
            else:
                batch.append(task)
                held += _work([task]) if isinstance(task, _Sized) else _BATCH_BYTES
            if held >= _BATCH_BYTES or len(batch) + len(self._pending) >= _BATCH_FILES:
                yield self._with_names(batch)
                batch, held = [], 0
        if batch:
            yield self._with_names(batch)

    def _changed(self, tasks: Iterator[Task | Unreadable]) -> Iterator[Task | Unreadable]:
        """Pass on what has to be read; of unchanged files only the names are scanned."""
        if self._unchanged is None:
            yield from tasks
            return
        known: list[Task] = []
        for task in tasks:
            if not isinstance(task, FoundFile) or not self._unchanged.holds(task):
                yield task
                continue
            known.append(task)
            if len(known) >= _BATCH_FILES:
                self._take_over(known)
                known = []
        self._take_over(known)

    def _take_over(self, known: list[Task]) -> None:
        self._with_names(known)
        self._count(known, ScanNotes([], len(known)))

    def _with_names(self, batch: list[Task]) -> list[Task]:
        self._pending += self._names.scan(task.path for task in batch if isinstance(task, FoundFile))
        return batch

    def _take_pending(self) -> Iterator[RawFinding | Unreadable]:
        pending, self._pending = self._pending, []
        for found in pending:
            yield from self._noted(found)

    def _count(self, batch: list[Task], notes: ScanNotes, sources: int = 0) -> None:
        if self._cache and notes.clean:
            self._cache.add(notes.clean)
        self._progress.unchanged += notes.taken_over
        self._progress.objects += notes.objects
        for task in batch:
            if isinstance(task, RepositoryPart):
                self._repositories[task.path].end_part()
        self._progress.files += sources + sum(not isinstance(task, FoundEntry | RepositoryPart) for task in batch)
        self._progress.bytes += _size(batch)
        self._on_progress(self._progress)


def _size(batch: list[Task]) -> int:
    return sum(task.size for task in batch if isinstance(task, FoundFile))


def _work(batch: list[Task]) -> int:
    return sum(task.size for task in batch if isinstance(task, _WithContent))
