"""`deploy`: bundles to many machines, in waves, through Ansible; a journal of who has what.

This module decides who is asked in which order and what a result means; `ansible` runs the program, `events` reads its lines.
Every machine installs for itself and checks everything itself: nothing here has to be trusted by it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.push.ansible import (
    AnsibleError,
    Ssh,
    find_playbook_command,
    playbook_command,
    prepared_folder,
    running_playbook,
)
from provision.push.events import MAX_LINE_BYTES, Skipped, Started, read_event
from provision.push.outcomes import Failed, Installed, PushOutcome, Unchanged, Unreachable
from provision.push.waves import split_into_waves

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from provision.push.events import PushEvent
    from provision.push.inventory import Target
    from provision.push.journal import PushJournal

OLDEST_ENDPOINT = "0.1.0"
"""The oldest provision that installs what this one renders; `hermes_requires` in group_vars may ask for more."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What a deployment is asked to do. `max_failures` None means that no number of failures ends it early."""

    workspace: Path
    dist: Path
    sizes: tuple[str, ...] = ("100%",)
    forks: int = 10
    max_failures: int | None = None
    check: bool = False
    ssh: Ssh = field(default_factory=Ssh)
    variables: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class PushResult:
    """What came of a deployment: an outcome per user who was asked, and those who were not because it ended early."""

    outcomes: dict[str, PushOutcome] = field(default_factory=dict)
    not_asked: tuple[str, ...] = ()
    waves: int = 0

    @property
    def failures(self) -> int:
        """How many have not got it."""
        return sum(isinstance(o, Failed | Unreachable) for o in self.outcomes.values())


def digests_of(dist: Path, users: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each user's manifest; users without a bundle are left out."""
    found = {}
    for user in users:
        try:
            found[user] = hashlib.sha256((dist / user / "manifest.json").read_bytes()).hexdigest()
        except OSError:
            continue
    return found


def deploy(
    order: PushOptions,
    targets: Sequence[Target],
    journal: PushJournal | None,
    environ: Mapping[str, str],
    observe: Callable[[Started | PushOutcome], None],
) -> PushResult:
    """Deploy to the targets. Raises NoAnsibleError, and AnsibleError when ansible-playbook itself cannot work.

    A wave ends before the next begins. After more than `max_failures` failures in all nobody else is asked, in the same wave
    either; machines that are at work then end their work.
    """
    program = find_playbook_command(environ)
    digests = digests_of(order.dist, (t.user for t in targets))
    result, limit = PushResult(), math.inf if order.max_failures is None else order.max_failures
    with_bundle = [t for t in targets if t.user in digests]
    with prepared_folder(order.workspace, order.ssh, order.forks) as folder:
        stop = folder / "stop"

        def settle(outcome: PushOutcome) -> None:
            result.outcomes[outcome.user] = outcome
            if journal is not None:
                journal.note(outcome, digests.get(outcome.user, ""))
            observe(outcome)
            if isinstance(outcome, Failed | Unreachable) and result.failures > limit:
                stop.touch()

        for target in targets:
            if target.user not in digests:
                cure = f"run `provision render --limit {target.user}`"
                settle(Failed(target.user, target.address, "no-bundle", "there is no bundle for this user", cure))
        more, defaults = {**_variables(order), "hermes_stop": str(stop)}, {"hermes_requires": OLDEST_ENDPOINT}
        for wave in split_into_waves(with_bundle, order.sizes):
            if result.failures > limit:
                break
            result.waves += 1
            line = playbook_command(program, folder, wave, order.ssh, more, defaults=defaults, check=order.check)
            with contextlib.closing(_events(line, folder, {t.user: t for t in wave}, environ)) as events:
                silent = _follow(events, observe, settle)
            if result.failures <= limit:  # else whoever was not begun with is not asked at all
                silent = {t.user for t in wave if t.user not in result.outcomes}
            _settle_silent(wave, silent, settle, folder)
    result.not_asked = tuple(t.user for t in with_bundle if t.user not in result.outcomes)
    return result


def _variables(order: PushOptions) -> dict[str, object]:
    found: dict[str, object] = {"hermes_dist": str(order.dist), **order.variables}
    if order.ssh.account:
        found["hermes_account"] = order.ssh.account
    if not order.ssh.become:
        found["hermes_become"] = False
    return found


def _events(
    line: Sequence[str], folder: Path, targets: Mapping[str, Target], environ: Mapping[str, str]
) -> Generator[PushEvent]:
    """What happens, as it happens; the last outcome of a user counts."""
    with running_playbook(line, folder, environ) as process:
        assert process.stdout is not None  # noqa: S101  asked for as a pipe
        whole = True
        while text := process.stdout.readline(MAX_LINE_BYTES):
            began, whole = whole, text.endswith(b"\n")
            event = read_event(text, targets) if began and whole else None  # the rest of an endless line is no line
            if event is not None:
                yield event


def _follow(
    events: Iterable[PushEvent], observe: Callable[[Started], None], settle: Callable[[PushOutcome], None]
) -> set[str]:
    """Take in what happens, until nobody is at work any more once machines are skipped; returns those who did not answer."""
    at_work: set[str] = set()
    skipping = False
    for event in events:
        match event:
            case Started():
                if not skipping:  # whoever is begun with from now on is skipped as well
                    at_work.add(event.user)
                observe(event)
            case Skipped():
                skipping = True
                at_work.discard(event.user)
            case _:
                at_work.discard(event.user)
                settle(event)
        if skipping and not at_work:
            break
    return at_work


def _settle_silent(
    wave: Sequence[Target], silent: set[str], settle: Callable[[PushOutcome], None], folder: Path
) -> None:
    """Users of whom Ansible said nothing. When that is everybody, it did not work at all, and its own words say why."""
    if silent and len(silent) == len(wave):
        said = (folder / "errors").read_text("utf-8", "replace").strip().splitlines()
        reason = next((line for line in said if "ERROR" in line or "rror:" in line), said[-1] if said else "no reason")
        raise AnsibleError(
            f"ansible-playbook did not start its work: {reason[:400]}",
            hint="`ansible-playbook --version` must work here",
        )
    for target in (t for t in wave if t.user in silent):
        message = "ansible-playbook ended before this machine answered"
        settle(Unreachable(target.user, target.address, "no-answer", message, "`provision deploy --resume`"))


def receipts_of(result: PushResult) -> Iterator[tuple[str, str]]:
    """Receipts that came back: user and text, as the machine signed it."""
    for outcome in result.outcomes.values():
        if isinstance(outcome, Installed | Unchanged) and outcome.receipt is not None:
            yield outcome.user, outcome.receipt
