"""The steps of `reconcile`. Each is safe to repeat and does only what is left; a failure of one user does not end the run."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from provision.bundle.prepare import place_chain, prepare_render
from provision.bundle.render import RenderOutcome, RenderStatus, opened_dist, render_bundles
from provision.cli.approvals import review_recipients
from provision.cli.delivery.publish import feed_options, upload_changes
from provision.cli.delivery.receipts import fleet_states, receipt_store, valid_fleet
from provision.cli.delivery.render import record_new_keys
from provision.cli.workspace.checks import require_valid_profiles
from provision.cli.workspace.validate import journal_folder, run_batch
from provision.errors import InvalidFilesError, ProvisionError
from provision.feed.index import Index
from provision.feed.publish import KEPT_GENERATIONS, RENEW_BELOW, FeedTree, PublishStatus, lock_path
from provision.feed.published_parts import published_parts
from provision.files import locked
from provision.keys.vault.file import read_newest_vault, read_vault, read_workspace_id
from provision.receipts.store import (
    DryReceiptStore,
    ImportResult,
    NoReceiptsError,
    fleet_endpoints,
    import_receipt,
    receipts_in,
)
from provision.reconcile.loop import LoopReport, StepDone
from provision.reconcile.record import FeedRecord, LoopRecord, digest_of, index_digest, read_record, write_record
from provision.report.terminal import plural
from provision.rotate.key_advice import key_findings
from provision.rotate.store import RotationStore, keys_ahead_of_vault
from provision.signing.sshsig import load_signing_key, public_blob

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.bundle.prepare import PreparedRender
    from provision.cli.context import Run
    from provision.fleet.desired import DesiredState
    from provision.fleet.load import Fleet
    from provision.fleet.workspace import Workspace
    from provision.push.inventory import Target

_RECORD = "reconciled.json"
_LIFE = timedelta(days=7)
_WHAT = {
    RenderStatus.NEW: "added",
    RenderStatus.CHANGED: "changed",
    RenderStatus.RENEWED: "changed",
    RenderStatus.PRUNED: "removed",
    RenderStatus.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """What a run of the loop is to do."""

    workspace: Workspace
    receipts: tuple[str, ...]
    feed: Path | None
    upload: Sequence[str] | None
    deploy: bool
    forks: int
    dry_run: bool
    page: Path | None = None
    """Where the page of `report` is written."""


def run_loop(run: Run, options: LoopOptions) -> LoopReport:
    """All steps, in order. Raises ProvisionError if the workspace has errors: then nothing was built."""
    workspace, now = options.workspace, datetime.now(UTC)
    report = LoopReport(dry_run=options.dry_run)
    if options.receipts:
        report.steps.append(_receipts(options, valid_fleet(workspace), now))
    with _failing("rotations", report):
        _rotations(run, options, report)
    ready = _prepared(run, workspace, now, dry_run=options.dry_run)
    path = journal_folder(workspace) / _RECORD
    record = read_record(path)
    if options.dry_run:
        report.steps.append(_would_render(ready))
    else:
        step, outcomes = _render(workspace, ready)
        report.steps.append(step)
        if options.feed is not None:
            with _failing(f"feed {options.feed.absolute()}", report):
                report.steps.append(_publish(options, options.feed, ready, outcomes, record))
            write_record(path, record)
        if options.deploy:
            with _failing("machines", report):
                report.steps.append(_deploy(run, options, ready.everyone))
        with _failing("gateway", report):
            report.steps.append(_validate(workspace, ready, outcomes, record))
        write_record(path, record)
        with _failing("report", report):
            _report(run, options)
    findings = key_findings(workspace.root, read_vault(workspace.vault), ready.everyone, now, complete=True)
    report.due += [f"{finding.message} ({finding.cure})" for finding in findings]
    return report


@contextmanager
def _failing(name: str, report: LoopReport) -> Iterator[None]:
    """A step whose failure does not keep the next ones from running."""
    step = StepDone(name)
    try:
        yield
    except InvalidFilesError:
        raise
    except ProvisionError as e:
        step.note("failed", f"{e.message} ({e.hint})" if e.hint else e.message)
    except OSError as e:
        if e.filename is None:
            raise
        step.note("failed", f"{os.fsdecode(e.filename)}: {e.strerror}")
    if step.items:
        report.steps.append(step)


def _report(run: Run, options: LoopOptions) -> None:
    """The page on the fleet and the notifications."""
    if options.page is None and not options.workspace.settings.notify:
        return
    from provision.cli.workspace.report import report_and_notify

    report_and_notify(run, options.workspace, options.page)


def _prepared(run: Run, workspace: Workspace, now: datetime, *, dry_run: bool) -> PreparedRender:
    """Check what `render` checks, and load what it needs."""
    for remark in read_newest_vault(workspace.vault)[1]:
        run.say(remark)
    ready = prepare_render(workspace, None, now, prune=True, ahead=keys_ahead_of_vault(workspace.root))
    require_valid_profiles(workspace, ready.options.states)
    return (
        ready if dry_run else ready.with_approved(review_recipients(run.say, workspace, ready.everyone, ready.approved))
    )


def _receipts(options: LoopOptions, fleet: Fleet, now: datetime) -> StepDone:
    """Import receipts. Older ones and those of users who left may stay in the folder: they are no failures."""
    step, root = StepDone("receipts"), receipt_store(options.workspace).root
    store = DryReceiptStore(root) if options.dry_run else receipt_store(options.workspace)
    endpoints = fleet_endpoints(fleet.states, read_workspace_id(options.workspace.vault), fleet.left)
    for source in options.receipts:
        try:
            for name, data in receipts_in(source, sys.stdin.buffer):
                done = import_receipt(name, data, store, endpoints, now)
                if done.result is ImportResult.IMPORTED:
                    step.note("changed", done.endpoint)
                elif done.result is ImportResult.REFUSED and not done.older:
                    step.note("failed", f"{done.source}: {done.message}")
                else:
                    step.unchanged += 1
        except NoReceiptsError as e:
            if not Path(source).is_dir():
                step.note("failed", e.message)
    return step


def _rotations(run: Run, options: LoopOptions, report: LoopReport) -> None:
    """Continue rotations that an operator began; none is begun here."""
    names = [rotation.id for rotation in RotationStore(options.workspace.root).unfinished()]
    if not names:
        return
    require_valid_profiles(options.workspace, fleet_states(options.workspace))
    step = StepDone("rotations")
    report.steps.append(step)
    if options.dry_run:
        step.items["waiting"] = [
            f"{name} would be continued: provision rotate resume {name} --dry-run" for name in names
        ]
        return
    from provision.cli.rotate.session import locked_rotations
    from provision.rotate.revoke_list import to_revoke
    from provision.rotate.runner import run_pass, seal_new_keys
    from provision.rotate.start import open_rotation

    with locked_rotations(run, "reconcile", forks=options.forks) as context:
        for rotation in list(context.store.unfinished()):
            before = context.store.path(rotation.id).read_bytes()
            with open_rotation(context, rotation) as recorder:
                seal_new_keys(recorder, {})
                run_pass(recorder)
                doubts = tuple(recorder.unsure)
            moved = context.store.path(rotation.id).read_bytes() != before
            step.note("changed" if moved else "waiting", f"{rotation.id}: provision rotate status {rotation.id}")
            for doubt in doubts:
                step.note("failed", f"{rotation.id}: {doubt.message}")
            if keys := list(to_revoke(rotation, context.vault)):
                report.due.append(
                    f"{plural(len(keys), 'key')} to revoke in AIsa's console (provision rotate status {rotation.id})"
                )


def _would_render(ready: PreparedRender) -> StepDone:
    from provision.bundle.diff import diff_bundles

    step = StepDone("bundles", counts_users=True)
    words = {"new": "added", "removed": "removed", "impossible": "failed"}
    for found in diff_bundles(ready.options, ready.dist, public_blob(ready.signing_key.public_key())):
        lines = "; ".join(str(each) for each in found.differences) or found.reason or found.status
        step.note(words.get(found.status, "changed"), f"{found.user}: {lines}")
    step.unchanged = len(ready.options.states) - sum(step.count(what) for what in ("added", "changed", "failed"))
    return step


def _render(workspace: Workspace, ready: PreparedRender) -> tuple[StepDone, list[RenderOutcome]]:
    step, outcomes, new_keys = StepDone("bundles", counts_users=True), [], []
    with opened_dist(ready.dist) as dist:
        place_chain(ready.dist, ready.trusted)
        for outcome in render_bundles(ready.options, dist, ready.signing_key, lambda *_: None):
            outcomes.append(outcome)
            what = _WHAT.get(outcome.status)
            if what is None:
                step.unchanged += 1
                continue
            step.note(what, f"{outcome.user}: {outcome.message or outcome.status}")
            if what in ("added", "changed") and outcome.key_fingerprint != outcome.key_before:
                new_keys.append(outcome)
    record_new_keys(workspace, new_keys, datetime.now(UTC))
    return step, outcomes


def _publish(
    options: LoopOptions,
    folder: Path,
    ready: PreparedRender,
    outcomes: Sequence[RenderOutcome],
    record: LoopRecord,
) -> StepDone:
    """Publish, unless the feed is as it was left and everything that goes in is the same: then only its index is read."""
    workspace, root = options.workspace, folder.absolute()
    step, key = StepDone(f"feed {root}"), load_signing_key(workspace.signing_key)
    now = ready.options.common.now
    settings = feed_options(workspace, key, now, _LIFE, KEPT_GENERATIONS, create=True, states=ready.everyone)
    bundles = sorted(f"{o.user} {o.generation}" for o in outcomes)  # workers finish in any order
    orders = (f"{user} {digest_of([data.hex()])}" for user, data in sorted(settings.orders.items()))
    inputs = digest_of([*bundles, f"list {ready.trusted.number}", *orders])
    known = record.feeds.get(digest_of([str(root)]))
    if known is not None and known.still_holds(inputs, index_digest(root), now):
        step.unchanged = len(outcomes)
        return step
    root.mkdir(parents=True, exist_ok=True)
    with locked(lock_path(root), "publish"):
        tree = FeedTree(root, settings, key)
        for done in tree.users():
            if done.status is PublishStatus.UNCHANGED:
                step.unchanged += 1
            elif done.status is PublishStatus.PUBLISHED:
                step.note("changed", f"{done.user}: generation {done.generation}")
            else:
                step.note(
                    "failed" if done.status is PublishStatus.FAILED else "waiting", f"{done.user}: {done.message}"
                )
        summary = tree.finish()
        problems = [*summary.problems, *upload_changes(root, summary, options.upload)[1]]
        if summary.parts_written and not step.changed_something:
            step.note("changed", f"{plural(summary.parts_written, 'part')} of the index signed again")
    for problem in problems:
        step.note("failed", problem)
    if not step.count("failed"):
        parts = published_parts(root, settings.workspace_id, settings.signers, now)
        expiries = [part.expires_at for _, part in parts if isinstance(part, Index)]
        renew_at = min(expiries, default=now + _LIFE) - _LIFE * RENEW_BELOW
        record.feeds[digest_of([str(root)])] = FeedRecord(inputs, index_digest(root), renew_at.isoformat())
    return step


def _deploy(run: Run, options: LoopOptions, states: Sequence[DesiredState]) -> StepDone:
    """Push to the machines whose newest receipt is not for the bundle in dist/, or does not say what IT ordered."""
    from provision.cli.delivery import deploy
    from provision.feed.give_orders import pushed_orders
    from provision.push.engine import PushOptions, digests_of
    from provision.push.engine import deploy as push
    from provision.push.inventory import split_by_reachability
    from provision.push.journal import PushJournal
    from provision.push.outcomes import Failed, Halted, Unreachable
    from provision.signing.fields import parse_moment

    workspace, step = options.workspace, StepDone("machines")
    reachable = split_by_reachability(states)
    digests = digests_of(workspace.dist, [t.label for t in reachable.targets])
    newest, orders = deploy.newest_receipts(workspace, states), pushed_orders(workspace, datetime.now(UTC))

    def is_done(target: Target) -> bool:
        receipt, order = newest(target.label), orders.get(target.user)
        if receipt is None:
            return False
        halted = deploy.says_halted(receipt)
        if order is not None and order.kind == "halt":
            return halted and receipt.made_at >= parse_moment(order.created)
        return not halted and receipt.bundle == digests[target.label]

    left = [t for t in reachable.targets if t.label in digests and not is_done(t)]
    step.unchanged = len(reachable.targets) - len(left)
    if not left:
        return step
    deploy.require_accepted_bundles(workspace, left, check=False)
    push_options = PushOptions(
        workspace=workspace.root,
        dist=workspace.dist,
        forks=options.forks,
        unproved=deploy.receipt_check(workspace, states),
    )
    with ExitStack() as stack:
        folder = journal_folder(workspace)
        stack.enter_context(locked(folder / "deploy.lock", "deploy", wait_s=0.2))
        started = datetime.now(UTC).isoformat()
        journal = stack.enter_context(PushJournal.begin(folder / "deploy.jsonl", [t.label for t in left], started))
        result = push(push_options, left, journal, os.environ, lambda _outcome: None)
    for user, outcome in result.outcomes.items():
        if isinstance(outcome, Failed | Unreachable):
            step.note("failed", f"{user}: {outcome.cause}")
        elif isinstance(outcome, Halted):
            step.note("changed", f"{user}: halted until {outcome.until}")
        else:
            step.note("changed", f"{user}: installed")
    for user in result.not_asked:
        step.note("failed", f"{user}: not reached, the deployment stopped early")
    return step


def _validate(
    workspace: Workspace, ready: PreparedRender, outcomes: Sequence[RenderOutcome], record: LoopRecord
) -> StepDone:
    """Validate the users whose bundle the gateway has not served yet. What was not answered is asked again at the next run."""
    from provision.aisa.answers import Probe
    from provision.aisa.batch import BatchPlan
    from provision.aisa.journal import ValidationJournal
    from provision.aisa.verdicts import INCONCLUSIVE, Verdict
    from provision.cli.workspace.gateway import build_subjects, open_catalogue

    step, settings = StepDone("gateway"), workspace.settings
    generations = {o.user: o.generation for o in outcomes if o.status not in {RenderStatus.FAILED, RenderStatus.PRUNED}}
    record.validated = {u: g for u, g in record.validated.items() if generations.get(u) == g}
    states = [s for s in ready.everyone if s.user in generations and s.user not in record.validated]
    step.unchanged = len(record.validated)
    if not states:
        return step
    common = ready.options.common
    subjects = build_subjects(states, common.keys, common.salt, settings.gateway_hosts)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    journal = ValidationJournal.create(
        journal_folder(workspace) / "reconcile.jsonl", (Probe.KEY, Probe.MODELS), started
    )
    try:
        plan = BatchPlan(journal.probes, settings.concurrency, settings.rate)
        outcome = run_batch(workspace, subjects, plan, journal, open_catalogue(workspace), lambda _: None)
        for result in journal.results():
            if result.verdict is Verdict.OK:
                record.validated[result.user] = generations[result.user]
                step.unchanged += 1
            else:
                word = (
                    "not answered, asked again at the next run"
                    if result.verdict in INCONCLUSIVE
                    else str(result.verdict)
                )
                step.note("failed", f"{result.user}: {word}: {result.advice}")
        if outcome.not_asked:
            step.note("failed", f"{plural(outcome.not_asked, 'user')} not asked: the gateway is out of reach")
    finally:
        journal.close(complete=True)
    return step
