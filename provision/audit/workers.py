"""Worker processes that scan batches of tasks, and the pool that distributes the batches.

A file that kills a worker (out of memory, a crash in a compiled engine) is reported; the rest of its batch goes to the next
worker. A `Secret` refuses to be pickled, so a match is sent as its fields, over a pipe that no other process can read.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import pickle
import signal
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing import sharedctypes
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from provision.audit.finding import RawFinding
from provision.audit.sources.git_part import DamagedObject, HeldSecret, UnprovenObject
from provision.audit.tasks import Noted, Scanner, ScanNotes, Task, task_path
from provision.audit.unchanged import without_sigio
from provision.containers.blob import Unreadable
from provision.detect.match import Match
from provision.detect.rule import Rule
from provision.detect.rules.builtin import BUILTIN
from provision.detect.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from provision.audit.unchanged import UnchangedFiles
    from provision.containers.blob import ReadLimits
    from provision.detect.detector import Detector

_JOIN_TIMEOUT_S = 5.0
_BUILTIN = {rule.id: rule for rule in BUILTIN}


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch is finished; with `died`, a worker died on the last task."""

    batch: list[Task]
    notes: ScanNotes = ScanNotes([], 0)  # noqa: RUF009  never changed
    died: bool = False


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Connection
    at: Any
    """Shared memory: the index of its current task in the batch."""
    batch: list[Task] = field(default_factory=list)


class WorkerPool:
    """Up to `count` worker processes, started when there is work for them and stopped at the end of the `with` block."""

    def __init__(self, detector: Detector, limits: ReadLimits, count: int, files: UnchangedFiles | None = None) -> None:
        """Raises UnpicklableDetectorError when the detector's rules cannot be sent to another process."""
        self._count = count
        self._workers: list[_Worker] = []
        forks = sys.platform.startswith("linux") and threading.active_count() == 1
        self._context: BaseContext = multiprocessing.get_context("fork" if forks else "spawn")
        self._arguments = (detector if forks else _pickled(detector), limits, files)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        for worker in self._workers:
            worker.pipe.close()
            if kind is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_JOIN_TIMEOUT_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def run(self, batches: Iterator[list[Task]]) -> Iterator[RawFinding | Unreadable | Noted | BatchDone]:
        """Yield everything found in the batches, as it is found, and a BatchDone for each finished batch."""
        unfinished: list[list[Task]] = []
        while True:
            while self._has_room():
                batch = unfinished.pop() if unfinished else next(batches, None)
                if batch is None:
                    break
                if batch:
                    self._send(self._idle(), batch)
                else:
                    yield BatchDone(batch)
            busy = [worker for worker in self._workers if worker.batch]
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy])
            for worker in busy:
                if worker.pipe in ready:
                    yield from self._receive(worker, unfinished)

    def _has_room(self) -> bool:
        return len(self._workers) < self._count or any(not worker.batch for worker in self._workers)

    def _idle(self) -> _Worker:
        return next((worker for worker in self._workers if not worker.batch), None) or self._start()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        at = sharedctypes.RawValue("i", 0)
        others = [worker.pipe for worker in self._workers] + [ours]
        inherited = others if self._context.get_start_method() == "fork" else []
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, at, inherited, *self._arguments), daemon=True
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours, at)
        self._workers.append(worker)
        return worker

    def _send(self, worker: _Worker, batch: list[Task]) -> None:
        worker.batch = batch
        worker.at.value = 0
        with contextlib.suppress(OSError):  # it died: noticed at the next wait
            worker.pipe.send(batch)

    def _receive(
        self, worker: _Worker, unfinished: list[list[Task]]
    ) -> Iterator[RawFinding | Unreadable | Noted | BatchDone]:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._remove_dead(worker, unfinished)
            return
        if isinstance(message, ScanNotes):
            batch, worker.batch = worker.batch, []
            yield BatchDone(batch, message)
        else:
            yield from map(_from_fields, message)

    def _remove_dead(self, worker: _Worker, unfinished: list[list[Task]]) -> Iterator[Unreadable | BatchDone]:
        """Report the task that a worker died on; the tasks it had not begun become a batch again."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        at = min(worker.at.value, len(worker.batch) - 1)
        task = worker.batch[at]
        how = worker.process.exitcode
        reason = f"a worker process died while scanning it ({signal.Signals(-how).name if how and how < 0 else f'exit {how}'})"
        yield Unreadable(task_path(task), reason)
        yield BatchDone(worker.batch[: at + 1], died=True)
        if worker.batch[at + 1 :]:
            unfinished.append(worker.batch[at + 1 :])


class UnpicklableDetectorError(Exception):
    """This detector can only be used in the process that made it: it cannot be pickled."""


class _Packer(pickle.Pickler):
    """Pickles built-in rules by id: every process has them, and they hold functions, which cannot be pickled."""

    def persistent_id(self, obj: Any) -> str | None:
        return obj.id if isinstance(obj, Rule) and _BUILTIN.get(obj.id) is obj else None


class _Unpacker(pickle.Unpickler):
    def persistent_load(self, name: Any) -> Rule:
        return _BUILTIN[name]


def _pickled(detector: Detector) -> bytes:
    out = io.BytesIO()
    try:
        _Packer(out).dump(detector)
    except (pickle.PicklingError, AttributeError, TypeError) as e:
        raise UnpicklableDetectorError from e
    return out.getvalue()


def _work(  # noqa: PLR0917  what a worker starts with
    pipe: Connection,
    at: Any,
    inherited: list[Connection],
    detector_or_pickle: Detector | bytes,
    limits: ReadLimits,
    files: UnchangedFiles | None,
) -> None:
    """Run a worker: receive a batch, send what is found, send its notes; stop when the pipe is closed."""
    detector = (
        _Unpacker(io.BytesIO(detector_or_pickle)).load()
        if isinstance(detector_or_pickle, bytes)
        else detector_or_pickle
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    scanner = Scanner(detector, limits, files)
    with without_sigio():
        while True:
            try:
                batch = pipe.recv()
            except (EOFError, OSError):
                return
            for number, task in enumerate(batch):
                at.value = number
                for found in scanner.scan(task):
                    pipe.send([_to_fields(found)])
            pipe.send(scanner.take_notes())


def _to_fields(found: RawFinding | Unreadable | Noted) -> Any:
    if isinstance(found, HeldSecret):
        return found.path, found.secret.reveal(), found.held
    if not isinstance(found, RawFinding):
        return found
    m = found.match
    parts = (m.rule, m.severity, m.confidence, m.spans, m.secret.reveal(), m.encodings, m.known, m.key)
    return found.place, parts, found.kind, found.before, found.after


def _from_fields(message: Any) -> RawFinding | Unreadable | Noted:
    if isinstance(message, Unreadable | DamagedObject | UnprovenObject):
        return message
    if len(message) == 3:
        path, secret, held = message
        return HeldSecret(path, Secret(secret), held)
    place, (rule, severity, confidence, spans, value, encodings, known, key), *rest = message
    return RawFinding(place, Match(rule, severity, confidence, spans, Secret(value), encodings, known, key), *rest)
