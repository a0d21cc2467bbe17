"""`deploy`: install bundles on many machines in waves through Ansible, and record outcomes in a journal.

This module decides the order of machines and evaluates results; `ansible` runs the program, `events` parses its lines. Every
machine verifies its bundle itself and does not have to trust this program.
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
from provision.push.causes import ENROLL_AGAIN
from provision.push.events import MAX_LINE_BYTES, Skipped, Started, read_event
from provision.push.outcomes import Deployed, Failed, Halted, Installed, PushOutcome, Unchanged, Unreachable
from provision.push.waves import split_into_waves
from provision.trust.orders import ORDERS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from provision.push.events import PushEvent
    from provision.push.inventory import Target
    from provision.push.journal import PushJournal

OLDEST_ENDPOINT = "0.2.0"
"""The oldest provision that can install this version's bundles; `hermes_requires` in group_vars may require a newer one."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """Options of a deployment. With `max_failures` None it never stops early."""

    workspace: Path
    dist: Path
    sizes: tuple[str, ...] = ("100%",)
    forks: int = 10
    max_failures: int | None = None
    check: bool = False
    ssh: Ssh = field(default_factory=Ssh)
    variables: Mapping[str, object] = field(default_factory=dict)
    without_bundle: Mapping[str, str] = field(default_factory=dict)
    """What to do first for users whom `render` would refuse."""
    unproved: Callable[[Deployed | Halted, str], str] | None = None
    """Why a machine's word that it has the bundle with this digest, or is halted, is not proved; empty if its signed receipt says
    so. None leaves that to the caller."""


@dataclass(slots=True)
class PushResult:
    """The result of a deployment: an outcome per user, and the users who were skipped because it stopped early."""

    outcomes: dict[str, PushOutcome] = field(default_factory=dict)
    not_asked: tuple[str, ...] = ()
    waves: int = 0

    @property
    def failures(self) -> int:
        """The number of users whose machine failed or was unreachable."""
        return sum(isinstance(o, Failed | Unreachable) for o in self.outcomes.values())


def digests_of(dist: Path, machines: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of the manifest for each machine (`ada`, `ada/laptop`); those without a bundle are skipped."""
    found = {}
    for label in machines:
        try:
            manifest = dist / label.partition("/")[0] / "manifest.json"
            found[label] = hashlib.sha256(manifest.read_bytes()).hexdigest()
        except OSError:
            continue
    return found


def deploy(
    options: PushOptions,
    targets: Sequence[Target],
    journal: PushJournal | None,
    environ: Mapping[str, str],
    observe: Callable[[Started | PushOutcome], None],
) -> PushResult:
    """Deploy to the targets. Raises NoAnsibleError, and AnsibleError when ansible-playbook itself fails.

    A wave ends before the next begins. After more than `max_failures` failures in total no further machine is started, not even
    in the same wave; machines that are already running finish.
    """
    program = find_playbook_command(environ)
    digests = digests_of(options.dist, (t.label for t in targets))
    result, limit = PushResult(), math.inf if options.max_failures is None else options.max_failures
    with_bundle = [t for t in targets if t.label in digests]
    with prepared_folder(options.workspace, options.ssh, options.forks) as folder:
        stop = folder / "stop"

        def settle(outcome: PushOutcome) -> None:
            if (
                isinstance(outcome, Installed | Unchanged | Halted)
                and options.unproved is not None
                and not options.check
            ):
                why = options.unproved(outcome, digests.get(outcome.user, ""))
                outcome = _unproved(outcome, why) if why else outcome
            result.outcomes[outcome.user] = outcome
            if journal is not None:
                journal.note(outcome, digests.get(outcome.user, ""))
            observe(outcome)
            if isinstance(outcome, Failed | Unreachable) and result.failures > limit:
                stop.touch()

        for target in targets:
            if target.label not in digests:
                fix = options.without_bundle.get(target.user, f"run `provision render --limit {target.user}`")
                settle(Failed(target.label, target.address, "no-bundle", "no bundle for this user", fix))
        more, defaults = {**_variables(options), "hermes_stop": str(stop)}, {"hermes_requires": OLDEST_ENDPOINT}
        for wave in split_into_waves(with_bundle, options.sizes):
            if result.failures > limit:
                break
            result.waves += 1
            line = playbook_command(program, folder, wave, options.ssh, more, defaults=defaults, check=options.check)
            with contextlib.closing(_events(line, folder, {t.host_name: t for t in wave}, environ)) as events:
                silent = _follow(events, observe, settle)
            if result.failures <= limit:  # else machines that were not started are skipped
                silent = {t.label for t in wave if t.label not in result.outcomes}
            _settle_silent(wave, silent, settle, folder)
    result.not_asked = tuple(t.label for t in with_bundle if t.label not in result.outcomes)
    return result


def _unproved(outcome: Deployed | Halted, why: str) -> Failed:
    """The outcome of a machine that says it has the bundle, or is halted, without a proof."""
    cure = ENROLL_AGAIN.format(user=outcome.user.partition("/")[0])
    what = "it is halted" if isinstance(outcome, Halted) else "the bundle is installed"
    message = f"the machine says that {what}, but {why}"
    return Failed(outcome.user, outcome.host, "unproved", message, cure)


def _variables(options: PushOptions) -> dict[str, object]:
    found: dict[str, object] = {
        "hermes_dist": str(options.dist),
        "hermes_orders": str(options.workspace / ORDERS_FOLDER),
    }
    found |= options.variables
    if options.ssh.account:
        found["hermes_account"] = options.ssh.account_variable
    if not options.ssh.become:
        found["hermes_become"] = False
    return found


def _events(
    line: Sequence[str], folder: Path, targets: Mapping[str, Target], environ: Mapping[str, str]
) -> Generator[PushEvent]:
    """Yield events as they arrive; a user's last outcome counts."""
    with running_playbook(line, folder, environ) as process:
        assert process.stdout is not None  # noqa: S101  asked for as a pipe
        whole = True
        while text := process.stdout.readline(MAX_LINE_BYTES):
            first, whole = whole, text.endswith(b"\n")
            event = read_event(text, targets) if first and whole else None  # parts of a very long line are not events
            if event is not None:
                yield event


def _follow(
    events: Iterable[PushEvent], observe: Callable[[Started], None], settle: Callable[[PushOutcome], None]
) -> set[str]:
    """Process events to the end, or once machines are skipped until the running ones are done; return users without answer."""
    working: set[str] = set()
    skipping = False
    for event in events:
        match event:
            case Started():
                if not skipping:  # machines that start from now on are skipped too
                    working.add(event.user)
                observe(event)
            case Skipped():
                skipping = True
                working.discard(event.user)
            case _:
                working.discard(event.user)
                settle(event)
        if skipping and not working:
            break
    return working


def _settle_silent(
    wave: Sequence[Target], silent: set[str], settle: Callable[[PushOutcome], None], folder: Path
) -> None:
    """Handle users without an event. If that is all users of the wave, Ansible failed; its own error is reported."""
    if silent and len(silent) == len(wave):
        lines = (folder / "errors").read_text("utf-8", "replace").strip().splitlines()
        reason = next((x for x in lines if "ERROR" in x or "rror:" in x), lines[-1] if lines else "no reason reported")
        raise AnsibleError(
            f"ansible-playbook failed: {reason[:400]}",
            hint="check that `ansible-playbook --version` works on this machine",
        )
    for target in (t for t in wave if t.label in silent):
        message = "ansible-playbook ended before this machine answered"
        settle(Unreachable(target.label, target.address, "no-answer", message, "run `provision deploy --resume`"))
