"""Worker processes, as far as they need no process: the limits of their number, and what an idle pool does."""

from __future__ import annotations

import pytest
from bundlecraft import Shop

from provision.bundle.workers import BundleWorkers, WorkerDiedError


class Pipe:
    """A pipe whose other end has closed."""

    closed = False

    def send(self, _chunk: object) -> None:
        raise BrokenPipeError

    def close(self) -> None:
        self.closed = True


def test_an_idle_pool_starts_no_process() -> None:
    workers = BundleWorkers(Shop(users=()).signer, 4)
    assert list(workers.finish()) == []
    assert workers._processes == []
    workers.close()


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (1, 1), (16, 16), (400, 16)])
def test_the_number_of_processes_is_bounded(asked: int, given: int) -> None:
    assert BundleWorkers(Shop(users=()).signer, asked)._count == given


def test_a_dead_worker_is_an_error_with_a_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    workers, pipe = BundleWorkers(Shop(users=()).signer, 1), Pipe()
    monkeypatch.setattr(workers, "_start", lambda: workers._pending.setdefault(pipe, 0))
    workers._chunk = [object()]  # type: ignore[list-item]
    with pytest.raises(WorkerDiedError) as caught:
        list(workers.finish())
    assert "again" in caught.value.hint
    workers.close()
    assert pipe.closed
