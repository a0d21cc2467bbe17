"""The progress that commands show while they push bundles."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from provision.cli.context import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.push.events import Started
    from provision.push.outcomes import PushOutcome


@contextlib.contextmanager
def push_progress(
    run: Run, what: str, total: int, *, check: bool = False
) -> Iterator[Callable[[Started | PushOutcome], None]]:
    """Print a line per finished machine, and on a terminal the overall progress. `check`: nothing is changed."""
    from provision.push.events import Started
    from provision.push.outcomes import Failed, Halted, Unreachable, checked_name, outcome_name
    from provision.report.progress import Progress

    if run.quiet:
        yield lambda _: None
        return
    name = checked_name if check else outcome_name
    progress = Progress(what, total, sys.stderr, time.monotonic)

    def observe(event: Started | PushOutcome) -> None:
        if isinstance(event, Started):
            return
        line = f"{event.user} ({event.host}): {name(event)}"
        if isinstance(event, Failed | Unreachable):
            line += f": {event.message} [{event.cause}]; {event.cure}"
        elif isinstance(event, Halted):
            line += f" until {event.until}: {event.reason}"
        elif event.restart:
            line += f"; restart {', '.join(event.restart)}: it has the old settings"
        progress.say(line)
        progress.step(name(event))

    with contextlib.closing(progress):
        yield observe
