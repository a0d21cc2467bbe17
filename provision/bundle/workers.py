"""Worker processes that make bundles, because sealing holds the interpreter lock and only processes make it faster.

Each worker has one pipe and no other tie to us. A worker that dies ends its pipe, which is an error here and never a
hang; when this process dies, the worker's pipe ends and so does the worker. Plaintext and the signing key cross in
memory only. Workers only ever write into the staging folder of this run; putting bundles in place stays with the
parent, so an orphan cannot disturb the run that comes after.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Protocol, cast

from provision.bundle.seal_and_sign import BundleJob, MadeBundle, write_bundle
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CHUNK = 32
SMALL = 300
"""Below so many bundles, starting processes costs more than it saves."""
_AHEAD = 2  # chunks a worker has at hand, so that it never waits for the parent
_MAX_WORKERS = 16
_HOW = (
    "spawn" if os.name == "nt" else "forkserver"
)  # never plain fork: no child inherits pipes, locks or the parent's heap


class WorkerDiedError(ProvisionError):
    """A worker process ended in the middle of its work."""


class BundleMaker(Protocol):
    """Makes bundles as jobs are pushed; each call yields what has been finished meanwhile, in any order."""

    def push(self, job: BundleJob) -> Iterator[MadeBundle]:
        """Take a job. A bundle that cannot be made comes back as a `MadeBundle` with an error."""

    def finish(self) -> Iterator[MadeBundle]:
        """Everything that is still under way."""

    def close(self) -> None:
        """Stop, whatever is under way."""


class InProcessMaker:
    """Makes bundles one after the other, here."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def push(self, job: BundleJob) -> Iterator[MadeBundle]:
        """The bundle of this job."""
        yield make_bundle(job, self._key)

    def finish(self) -> Iterator[MadeBundle]:
        """Nothing: every job was made when it came."""
        return iter(())

    def close(self) -> None:
        """Nothing to stop."""


class BundleWorkers:
    """Makes bundles in up to `count` processes, started when they are needed; `key` reaches them in memory only.

    Jobs are taken only as fast as workers finish, so memory does not grow with their number. Raises WorkerDiedError; what
    was made until then stays made.
    """

    def __init__(self, key: Ed25519PrivateKey, count: int) -> None:
        self._key_raw = key.private_bytes_raw()
        self._count = max(1, min(count, _MAX_WORKERS))
        self._chunk: list[BundleJob] = []
        self._processes: list[BaseProcess] = []
        self._pending: dict[Connection, int] = {}

    def push(self, job: BundleJob) -> Iterator[MadeBundle]:
        """Take a job; yields finished bundles when it has to wait for a free worker."""
        self._chunk.append(job)
        if len(self._chunk) >= CHUNK:
            yield from self._send()

    def finish(self) -> Iterator[MadeBundle]:
        """Everything that is still under way."""
        if self._chunk:
            yield from self._send()
        while any(self._pending.values()):
            yield from self._receive()

    def close(self) -> None:
        """End the pipes, and with them the workers."""
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
    """Begin what every worker needs first, in the background; worth it while a large inventory is being read."""
    if _HOW == "forkserver":
        from multiprocessing import forkserver  # noqa: PLC0415  not for every system

        multiprocessing.set_forkserver_preload([__name__])
        forkserver.ensure_running()


def _died() -> WorkerDiedError:
    return WorkerDiedError(
        "a worker process died while making bundles",
        hint="probably the system was short of memory; run it again, finished bundles are not made twice",
    )


def _work(connection: Connection, key_raw: bytes) -> None:
    """A worker's life: chunks in, results out, until the pipe ends."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  named here for the spawned process
        Ed25519PrivateKey,
    )

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it ends our pipe
    key = Ed25519PrivateKey.from_private_bytes(key_raw)
    while True:
        try:
            chunk: list[BundleJob] = connection.recv()
            connection.send([make_bundle(job, key) for job in chunk])
        except (EOFError, OSError):
            return


def make_bundle(job: BundleJob, key: Ed25519PrivateKey) -> MadeBundle:
    """Make one bundle; a failure of this user is a value."""
    try:
        return write_bundle(job, key)
    except ProvisionError as e:
        return MadeBundle(job.user, error=e.message, hint=e.hint)
    except OSError as e:
        hint = "free space or mend the disk, then render again"
        return MadeBundle(job.user, error=f"cannot write its bundle: {e.strerror or e}", hint=hint)
