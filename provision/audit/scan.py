"""Look through everything below some paths, in several processes, and bring back what was found as it is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.audit.source import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from provision.audit.source import RawFinding, Unreadable
    from provision.detect.detector import Detector


@dataclass(slots=True)
class Tally:
    """How far a scan is. `files` counts files and other sources that were gone through, `bytes` what they held on disk."""

    files: int = 0
    bytes: int = 0


def scan(
    paths: Sequence[str | Path],
    detector: Detector,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    companions: bool = True,
    environ: bool = False,
    stdin: BinaryIO | None = None,
    on_home: Callable[[Path], None] = lambda _: None,
    on_progress: Callable[[Tally], None] = lambda _: None,
) -> Iterator[RawFinding | Unreadable]:
    """Everything found below `paths`, in no particular order, and everything that could not be read.

    A Hermes home found on the way is told to `on_home`; with `companions` the histories, crontabs and service files of its
    owner are looked through too. `environ` adds the user's own processes, `stdin` a stream (reported as `<stdin>`).
    `workers` None lets the amount of work decide; 1 stays in this process. A path that does not exist is an `Unreadable`.
    """
    raise NotImplementedError
