"""One unit of work of a scan: a file, a repository or a process, and what is found in it.

The scan and its worker processes both run tasks, so tasks live in a module of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from provision.audit.match_blob import match_blob
from provision.audit.sources.filenames import read_entry
from provision.audit.sources.git import read_repository
from provision.audit.sources.processes import FoundProcess, FoundUserVariables, read_process, read_user_variables
from provision.audit.sources.walk import FoundEntry, FoundFile, FoundRepository
from provision.containers.blob import Blob, ReadLimits, Unreadable
from provision.containers.file_reader import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.audit.finding import RawFinding
    from provision.detect.detector import Detector

Task = FoundFile | FoundRepository | FoundProcess | FoundUserVariables | FoundEntry


def read_task(task: Task, limits: ReadLimits) -> Iterator[Blob | Unreadable]:
    """Read the content of one task."""
    match task:
        case FoundFile(path, _, named):
            return read_file(path, limits, follow=named)
        case FoundRepository(path):
            return read_repository(path, limits)
        case FoundEntry():
            return read_entry(task)
        case FoundProcess(pid):
            return read_process(pid)
        case FoundUserVariables():
            return read_user_variables()
        case _:
            assert_never(task)


def scan_task(task: Task, detector: Detector, limits: ReadLimits) -> Iterator[RawFinding | Unreadable]:
    """Yield what is found in one task. Any failure is reported, and ends neither the scan nor a worker."""
    try:
        yield from scan_blobs(read_task(task, limits), detector)
    except Exception as e:  # parsers read hostile content here; one file must not hide all others
        yield Unreadable(task_path(task), f"not scanned to its end ({type(e).__name__})")


def task_path(task: Task) -> str:
    """Return how a task is named in reports."""
    return f"/proc/{task.pid}" if isinstance(task, FoundProcess) else task.path


def scan_blobs(blobs: Iterable[Blob | Unreadable], detector: Detector) -> Iterator[RawFinding | Unreadable]:
    """Yield what is found in each blob, and what could not be read."""
    for blob in blobs:
        if isinstance(blob, Unreadable):
            yield blob
        else:
            yield from match_blob(blob, detector)
