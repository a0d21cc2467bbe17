"""From a probed key to a confirmed one: build the bundle, deliver it, and read the endpoint's signed receipt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.bundle.prepare import bundle_signer, place_chain, render_inputs
from provision.bundle.render import RenderOptions as BuildOrder
from provision.bundle.render import RenderStatus, opened_dist, render_bundles
from provision.errors import ProvisionError
from provision.fleet.desired import machine_label
from provision.push.ansible import AnsibleError, NoAnsibleError
from provision.push.engine import PushOptions, deploy
from provision.push.inventory import split_by_reachability
from provision.push.outcomes import Failed, Halted, Installed, Unchanged, Unreachable
from provision.receipts.store import ImportResult as Imported
from provision.receipts.store import KnownEndpoints, ReceiptStore, fleet_endpoints, import_receipt, receipts_in
from provision.rotate.context import stopping
from provision.rotate.journal import StoppedError
from provision.rotate.model import Blocker, Grade
from provision.rotate.rotation import event_entries
from provision.rotate.states import RotationEvent
from provision.rotate.store import keys_ahead_of_vault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from provision.fleet.desired import DesiredState
    from provision.push.events import Started
    from provision.push.outcomes import PushOutcome
    from provision.receipts.receipt import Receipt
    from provision.rotate.context import RotationContext
    from provision.rotate.model import RotationUser
    from provision.rotate.recorder import Recorder
    from provision.rotate.rotation import Rotation

RECEIPTS = "receipts"
_RESUME = "provision rotate resume"


def endpoints_of(context: RotationContext) -> KnownEndpoints:
    """The endpoint keys in the inventory."""
    return fleet_endpoints(context.states.values(), context.vault.workspace_id)


def store_of(context: RotationContext) -> ReceiptStore:
    """The workspace's receipts."""
    return ReceiptStore(context.workspace.root / RECEIPTS)


def release(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Build a bundle with each user's target. An unchanged bundle in dist/, signed by us, keeps its bytes."""
    context, now = recorder.context, recorder.now()
    all_users = frozenset(context.states)
    by_user = {person.user: person for person in people}
    targets = {person.user: person.target for person in people}
    key, trusted = bundle_signer(context.workspace, now)
    ahead = keys_ahead_of_vault(context.workspace.root) | targets
    common = render_inputs(context.workspace, context.vault, now, ahead, trusted=trusted)
    states = [context.states[user] for user in by_user]
    built: dict[str, int] = {}
    changed: list[tuple[str, str, str, dict[str, str | int | None]]] = []
    with recorder.act("release", people), stopping("dist/"), opened_dist(context.workspace.dist) as dist:
        place_chain(context.workspace.dist, trusted)
        for outcome in render_bundles(BuildOrder(states, all_users, common), dist, key, lambda *_: None):
            person = by_user.get(outcome.user)
            if person is None:
                continue
            if outcome.status is RenderStatus.FAILED:
                cure = f"{outcome.hint}; then: {_RESUME}" if outcome.hint else _RESUME
                recorder.trouble(Blocker("no-bundle", outcome.message, cure, Grade.FAILED), person)
            elif outcome.key_fingerprint != person.target:
                exclude = f"provision rotate finish {recorder.rotation.id} --except 'USER=WHY'"
                cure = f"run `{exclude}`, then rotate again with another key"
                recorder.trouble(
                    Blocker("no-new-key", "the new key is retired in the vault", cure, Grade.FAILED), person
                )
            else:
                built[outcome.user] = outcome.generation
                if outcome.key_before != outcome.key_fingerprint and outcome.status is not RenderStatus.UNCHANGED:
                    detail: dict[str, str | int | None] = {
                        "bundle": outcome.generation,
                        "rotation": recorder.rotation.id,
                    }
                    changed.append(("key rendered", outcome.user, outcome.key_fingerprint, detail))
    recorder.flush()
    context.record(changed)
    recorder.write(event_entries(RotationEvent.BUILT, built, recorder.now()))


def deliver(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Push bundles to the machines that SSH can reach, if the rotation deploys. Other users fetch them from dist/."""
    pushed = (
        split_by_reachability([recorder.context.states[person.user] for person in people]).targets
        if recorder.rotation.terms.deploy
        else ()
    )
    names = {target.user for target in pushed}
    recorder.write(event_entries(RotationEvent.HANDED, [p.user for p in people if p.user not in names], recorder.now()))
    if not pushed:
        return
    context, by_user = recorder.context, {person.user: person for person in people if person.user in names}
    keep = receipt_importer(context)
    waiting, failed = Counter(target.user for target in pushed), set[str]()
    most = _allowed(recorder.rotation, names)
    order = PushOptions(context.workspace.root, context.workspace.dist, forks=context.forks, max_failures=most)

    def settle(event: Started | PushOutcome) -> None:
        observe(event)
        person = by_user[event.user.partition("/")[0]]
        match event:
            case Failed() | Unreachable():
                grade = Grade.FAILED if isinstance(event, Failed) else Grade.UNREACHABLE
                trouble = Blocker(f"deploy-{event.cause}", event.message, f"{event.cure}; then: {_RESUME}", grade)
                failed.add(person.user)
                recorder.trouble(trouble, person)
            case Halted():
                message = f"IT has halted the machine until {event.until}: {event.reason}"
                cure = f"after the halt, or after `provision resume {person.user} --reason TEXT`: {_RESUME}"
                failed.add(person.user)
                recorder.trouble(Blocker("deploy-halted", message, cure, Grade.WAITING), person)
            case Installed() | Unchanged():
                if event.receipt is not None:
                    keep(f"{event.user}'s machine", event.receipt.encode())
                waiting[person.user] -= 1
                if not waiting[person.user] and person.user not in failed:
                    recorder.event(RotationEvent.HANDED, person)

    with recorder.act("deliver", by_user.values()), context.watching(len(pushed)) as observe:
        try:
            deploy(order, pushed, None, context.environ, settle)
        except (AnsibleError, NoAnsibleError) as e:
            raise StoppedError(e.message, hint=f"{e.hint}; then: {_RESUME}") from e
        finally:
            recorder.flush()


def _allowed(rotation: Rotation, pushed: Collection[str]) -> int | None:
    """How many pushes may fail before the rest is skipped. None (no limit) if all users are retries or rollbacks."""
    if rotation.blocked:
        return None
    return rotation.budget - sum(person.failed for person in rotation.people.values() if person.user not in pushed)


def import_receipts(context: RotationContext, sources: Sequence[str]) -> int:
    """Import receipts from files and drop folders. Returns how many were refused. Raises NoReceiptsError for missing ones."""
    keep = receipt_importer(context)
    return sum(not keep(name, data) for source in sources for name, data in receipts_in(source))


def receipt_importer(context: RotationContext) -> Callable[[str, bytes | ProvisionError], bool]:
    """Return a function that imports one valid receipt, as `receipts import` does, and reports an invalid one."""
    endpoints, store = endpoints_of(context), store_of(context)

    def keep(name: str, data: bytes | ProvisionError) -> bool:
        with stopping("receipts/"):
            done = import_receipt(name, data, store, endpoints, context.clock())
        if done.result is Imported.REFUSED:
            context.say(f"{done.source}: receipt refused: {done.message}" + (f" ({done.hint})" if done.hint else ""))
        return done.result is not Imported.REFUSED

    return keep


def confirm(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Check which users' machines all confirmed the target: installed, and used by Hermes."""
    endpoints, store = endpoints_of(recorder.context), store_of(recorder.context)
    for person in people:
        labels = _sealed_to(recorder.context.states.get(person.user)) or (person.user,)
        answers = {label: _answer(label, person, store, endpoints) for label in labels}
        troubles = [each for each in answers.values() if each is not None and each is not _SILENT]
        if troubles:
            recorder.trouble(troubles[0], person)
        elif silent := [label for label, each in answers.items() if each is _SILENT]:
            _overdue(recorder, person, silent)
        else:
            recorder.event(RotationEvent.CONFIRMED, person)
    recorder.flush()


_SILENT = Blocker("unconfirmed", "", "", Grade.WAITING)


def _sealed_to(state: DesiredState | None) -> tuple[str, ...]:
    """The machines of a user that can open the bundle, and so have to confirm the new key."""
    machines = state.machines if state is not None else ()
    return tuple(machine_label(state.user, each.name) for each in machines if each.recipients and state is not None)


def _answer(label: str, person: RotationUser, store: ReceiptStore, endpoints: KnownEndpoints) -> Blocker | None:
    """What one machine's receipt says: None for confirmed, `_SILENT` for no receipt of this generation yet."""
    try:
        receipt = store.receipt_of(label, endpoints)
    except ProvisionError as e:
        cure = f"{e.hint or 'import a fresh receipt'}; then: {_RESUME}"
        return Blocker("receipt-not-believed", e.message, cure, Grade.WAITING)
    if receipt is None or receipt.generation < person.generation:
        return _SILENT
    trouble = check_receipt(receipt, person)
    return replace(trouble, message=f"{label}: {trouble.message}") if trouble and label != person.user else trouble


def check_receipt(receipt: Receipt, person: RotationUser) -> Blocker | None:
    """Check a receipt of the released or a later generation. None if it confirms the target. Pure."""
    if receipt.key_fingerprint != person.target:
        message = f"the endpoint has another key ({receipt.key_fingerprint}) in generation {receipt.generation}"
        cure = f"check for a second workspace; run `provision render -l USER`, deliver, then: {_RESUME}"
        return Blocker("other-bundle", message, cure, Grade.FAILED)
    if receipt.route.as_expected == "yes":
        return None
    if receipt.route.as_expected == "no":
        cure = f"run `provision status` there and apply its hint; install again, then: {_RESUME}"
        return Blocker("misrouted", "the new key is installed, but Hermes would not use it", cure, Grade.FAILED)
    cure = f"run `provision status --hermes` there, then: {_RESUME}"
    return Blocker("route-unknown", "unknown whether Hermes uses the new key", cure, Grade.UNSURE)


def _overdue(recorder: Recorder, person: RotationUser, silent: Sequence[str]) -> None:
    """An endpoint without a receipt for too long counts as a failure. It may still confirm later."""
    days = recorder.rotation.terms.confirm_within_s / 86400
    if (recorder.now() - person.since).total_seconds() < recorder.rotation.terms.confirm_within_s:
        recorder.fine(person)
        return
    who = "the endpoint has" if silent == [person.user] else f"{', '.join(silent)}: the endpoint has"
    message = f"{who} not confirmed the new key within {days:g} days"
    exclude = f"provision rotate finish {recorder.rotation.id} --except 'USER=WHY'"
    again = "`provision enroll --batch FILE --replace`"
    cure = (
        f"check that the machine is in use and its timer runs; if it was set up again: {again}; exclude it: {exclude}"
    )
    recorder.trouble(Blocker("unconfirmed", message, cure, Grade.FAILED), person)
