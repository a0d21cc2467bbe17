"""Worker processes that make bundles: sealing holds the interpreter lock, so threads would not be faster.

Each worker is connected by one pipe. When a worker dies, its pipe closes, which is an error here and never a hang; when
this process dies, the worker's pipe closes and the worker ends. Plaintext and the signing key cross in memory only. Workers
write only into the staging folder of this run; the parent moves bundles into place, so an orphaned worker cannot disturb
the next run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Protocol, cast

from provision.bundle.seal_and_sign import BundleJob, MadeBundle, write_bundle
from provision.errors import ProvisionError
from provision.keys.process_memory import protect_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CHUNK = 32
SMALL = 300
"""With fewer bundles, starting processes costs more than it saves."""
_AHEAD = 2  # chunks queued per worker, so that it never waits for the parent
_MAX_WORKERS = 16
_HOW = (
    "spawn" if os.name == "nt" else "forkserver"
)  # never fork: a child must not inherit pipes, locks or the parent's heap


class WorkerDiedError(ProvisionError):
    """A worker process died with bundles still to make."""


class BundleMaker(Protocol):
    """Makes bundles as jobs are pushed; each call yields the bundles finished since the last one, in any order."""

    def push(self, job: BundleJob) -> Iterator[MadeBundle]:
        """Queue a job. A bundle that cannot be made is yielded as a `MadeBundle` with an error."""

    def finish(self) -> Iterator[MadeBundle]:
        """Yield all bundles that are still being made."""

    def close(self) -> None:
        """Stop all work."""


class InProcessMaker:
    """Makes bundles one after the other in this process."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def push(self, job: BundleJob) -> Iterator[MadeBundle]:
        """Make the bundle of this job."""
        yield make_bundle(job, self._key)

    def finish(self) -> Iterator[MadeBundle]:
        """Yield nothing: each job is finished when it is pushed."""
        return iter(())

    def close(self) -> None:
        """Do nothing."""


class BundleWorkers:
    """Makes bundles in up to `count` processes, started on demand; `key` is passed to them in memory.

    `push` blocks while all workers are busy, so memory does not grow with the number of jobs. Raises WorkerDiedError;
    bundles made until then stay.
    """

    def __init__(self, key: Ed25519PrivateKey, count: int) -> None:
        self._key_raw = key.private_bytes_raw()
        self._count = max(1, min(count, _MAX_WORKERS))
        self._chunk: list[BundleJob] = []
        self._processes: list[BaseProcess] = []
        self._pending: dict[Connection, int] = {}

    def push(self, job: BundleJob) -> Iterator[MadeBundle]:
        """Queue a job; yields finished bundles when it has to wait for a free worker."""
        self._chunk.append(job)
        if len(self._chunk) >= CHUNK:
            yield from self._send()

    def finish(self) -> Iterator[MadeBundle]:
        """Yield all bundles that are still being made."""
        if self._chunk:
            yield from self._send()
        while any(self._pending.values()):
            yield from self._receive()

    def close(self) -> None:
        """Close the pipes, which ends the workers."""
        for connection in self._pending:
            connection.close()
        self._pending.clear()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()

    def _send(self) -> Iterator[MadeBundle]:
        if len(self._processes) < self._count:
            self._start()
        while min(self._pending.values()) >= _AHEAD:
            yield from self._receive()
        connection = min(self._pending, key=self._pending.__getitem__)
        chunk, self._chunk = self._chunk, []
        try:
            connection.send(chunk)
        except OSError as e:
            raise _died() from e
        self._pending[connection] += 1

    def _receive(self) -> Iterator[MadeBundle]:
        for ready in wait([connection for connection, count in self._pending.items() if count]):
            connection = cast("Connection", ready)
            try:
                made: list[MadeBundle] = connection.recv()
            except (EOFError, OSError) as e:
                raise _died() from e
            self._pending[connection] -= 1
            yield from made

    def _start(self) -> None:
        start_fork_server()
        context = multiprocessing.get_context(_HOW)
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._key_raw), daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        self._processes.append(process)
        self._pending[ours] = 0


def start_fork_server() -> None:
    """Start the fork server in the background, while the inventory is being read."""
    if _HOW == "forkserver":
        from multiprocessing import forkserver  # noqa: PLC0415  not for every system

        multiprocessing.set_forkserver_preload([__name__])
        forkserver.ensure_running()


def _died() -> WorkerDiedError:
    return WorkerDiedError(
        "a worker process died while making bundles",
        hint="the system may be short of memory; run the command again, finished bundles are kept",
    )


def _work(connection: Connection, key_raw: bytes) -> None:
    """Run a worker: receive chunks and send results until the pipe closes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  named here for the spawned process
        Ed25519PrivateKey,
    )

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and closes the pipe
    protect_process()
    key = Ed25519PrivateKey.from_private_bytes(key_raw)
    while True:
        try:
            chunk: list[BundleJob] = connection.recv()
            connection.send([make_bundle(job, key) for job in chunk])
        except (EOFError, OSError):
            return


def make_bundle(job: BundleJob, key: Ed25519PrivateKey) -> MadeBundle:
    """Make one bundle; a failure is returned as a value."""
    try:
        return write_bundle(job, key)
    except ProvisionError as e:
        return MadeBundle(job.user, error=e.message, hint=e.hint)
    except OSError as e:
        hint = "free disk space or repair the disk, then run `provision render` again"
        return MadeBundle(job.user, error=f"cannot write its bundle: {e.strerror or e}", hint=hint)
