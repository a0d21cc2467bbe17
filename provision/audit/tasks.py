"""One unit of work of a scan: a file, a repository or a process, and what is found in it.

The scan and its worker processes both run tasks, so tasks live in a module of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from provision.audit.match_blob import match_blob
from provision.audit.sources.filenames import read_entry
from provision.audit.sources.git_part import DamagedObject, HeldSecret, RepositoryPart, UnprovenObject
from provision.audit.sources.processes import FoundProcess, FoundUserVariables, read_process, read_user_variables
from provision.audit.sources.walk import FoundEntry, FoundFile, FoundRepository
from provision.containers.blob import Blob, ReadLimits, Unreadable
from provision.containers.file_reader import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.audit.finding import RawFinding
    from provision.audit.unchanged import FileWatch, UnchangedFiles
    from provision.detect.detector import Detector


class ScanNotes(NamedTuple):
    """What a scanner noted beside its findings: tokens of clean files, and how many files were taken over."""

    clean: list[bytes]
    taken_over: int
    objects: int = 0
    """Objects of repositories that were taken over."""


SimpleTask = FoundFile | FoundProcess | FoundUserVariables | FoundEntry
Task = SimpleTask | RepositoryPart
FoundTask = SimpleTask | FoundRepository
Noted = HeldSecret | DamagedObject | UnprovenObject
"""What is found in a part of a repository, and becomes findings when all parts are read."""


def read_task(task: FoundTask, limits: ReadLimits, watch: FileWatch | None = None) -> Iterator[Blob | Unreadable]:
    """Read the content of one task; `watch` is told what is read of a file."""
    match task:
        case FoundFile(path, _, named):
            return read_file(path, limits, follow=named, watch=watch)
        case FoundRepository(path):
            from provision.audit.sources.git import read_repository  # noqa: PLC0415  only where one is found

            return read_repository(path, limits)
        case FoundEntry():
            return read_entry(task)
        case FoundProcess(pid):
            return read_process(pid)
        case FoundUserVariables():
            return read_user_variables()
        case _:
            assert_never(task)


class Scanner:
    """Scans tasks. `files` says which files need not be scanned again; `clean` collects the tokens of those that were clean.

    Nothing is remembered of a file with a finding, or of which anything was not read: it is scanned again each time.
    """

    def __init__(self, detector: Detector, limits: ReadLimits, files: UnchangedFiles | None = None) -> None:
        self._detector = detector
        self._limits = limits
        self._files = files
        self.clean: list[bytes] = []
        self.taken_over = 0
        """Files whose content was known to be clean."""
        self.objects = 0

    def scan(self, task: Task) -> Iterator[RawFinding | Unreadable | Noted]:
        """Yield what is found in one task. Any failure is reported, and ends neither the scan nor a worker."""
        try:
            yield from self._part(task) if isinstance(task, RepositoryPart) else self._simple(task)
        except Exception as e:  # parsers read hostile content here; one file must not hide all others
            yield Unreadable(task_path(task), f"not scanned to its end ({type(e).__name__})")

    def _part(self, part: RepositoryPart) -> Iterator[Unreadable | Noted]:
        from provision.audit.sources.git_objects import PartReader  # noqa: PLC0415  only where a repository is found

        reader = PartReader(part, self._limits, self._files)
        for item in reader.blobs():
            if isinstance(item, Blob):
                for _ in match_blob(item, self._detector):
                    pass  # each match is noted with its object
                yield from reader.take_held()
            else:
                yield item
        self.clean += reader.clean
        self.objects += reader.taken_over

    def _simple(self, task: SimpleTask) -> Iterator[RawFinding | Unreadable]:
        watch = self._files.watch(task.path) if self._files and isinstance(task, FoundFile) else None
        is_clean = True
        for found in scan_blobs(read_task(task, self._limits, watch), self._detector):
            is_clean = False
            yield found
        if watch and is_clean and watch.token:
            self.taken_over += watch.was_known
            self.clean.append(watch.token)

    def take_notes(self) -> ScanNotes:
        """Return what was noted since the last call."""
        notes = ScanNotes(self.clean, self.taken_over, self.objects)
        self.clean, self.taken_over, self.objects = [], 0, 0
        return notes


def task_path(task: Task | FoundTask) -> str:
    """Return how a task is named in reports."""
    return f"/proc/{task.pid}" if isinstance(task, FoundProcess) else task.path


def scan_blobs(blobs: Iterable[Blob | Unreadable], detector: Detector) -> Iterator[RawFinding | Unreadable]:
    """Yield what is found in each blob, and what could not be read."""
    for blob in blobs:
        if isinstance(blob, Unreadable):
            yield blob
        else:
            yield from match_blob(blob, detector)
