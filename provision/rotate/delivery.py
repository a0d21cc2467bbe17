"""From a probed key to one that an endpoint certifies: the bundle, its way there, and the signed receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.bundle.prepare import common_of
from provision.bundle.render import Order as BuildOrder
from provision.bundle.render import Status, build, opened_dist
from provision.errors import ProvisionError
from provision.push.ansible import AnsibleError, NoAnsibleError
from provision.push.engine import Order as DeployOrder
from provision.push.engine import deploy
from provision.push.inventory import reach
from provision.push.outcomes import Failed, Installed, Unchanged, Unreachable
from provision.receipts.store import Endpoints, ReceiptStore, import_receipt, key_blob, receipts_in
from provision.receipts.store import Result as Imported
from provision.rotate.context import stopping
from provision.rotate.journal import StoppedError
from provision.rotate.model import Grade, Trouble
from provision.rotate.rotation import happened
from provision.rotate.states import Event
from provision.rotate.store import ahead
from provision.signing.sshsig import load_signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from provision.push.events import Started
    from provision.push.outcomes import Outcome
    from provision.receipts.receipt import Receipt
    from provision.rotate.context import Site
    from provision.rotate.model import Person
    from provision.rotate.recorder import Recorder
    from provision.rotate.rotation import Rotation

RECEIPTS = "receipts"
_RESUME = "provision rotate resume"


def endpoints_of(site: Site) -> Endpoints:
    """The endpoint keys that the inventory knows."""
    return Endpoints({user: key_blob(state.endpoint_key) for user, state in site.states.items()})


def store_of(site: Site) -> ReceiptStore:
    """The workspace's receipts."""
    return ReceiptStore(site.workspace.root / RECEIPTS)


def release(book: Recorder, people: Sequence[Person]) -> None:
    """Build a bundle with each person's target. One that is in dist/ already, whole and signed by us, keeps its bytes."""
    site, now = book.site, book.now()
    everybody = frozenset(site.states)
    by_user = {person.user: person for person in people}
    targets = {person.user: person.target for person in people}
    common = common_of(site.workspace, site.vault, now, ahead(site.workspace.root) | targets)
    states = [site.states[user] for user in by_user]
    built: dict[str, int] = {}
    changed: list[tuple[str, str, str, dict[str, str | int | None]]] = []
    with book.act("release", people), stopping("dist/"), opened_dist(site.workspace.dist) as dist:
        key = load_signing_key(site.workspace.signing_key)
        for outcome in build(BuildOrder(states, everybody, common), dist, key, lambda *_: None):
            person = by_user.get(outcome.user)
            if person is None:
                continue
            if outcome.status is Status.FAILED:
                cure = f"{outcome.hint}; then: {_RESUME}" if outcome.hint else _RESUME
                book.trouble(Trouble("no-bundle", outcome.message, cure, Grade.FAILED), person)
            elif outcome.key_fingerprint != person.target:
                cure = f"provision rotate finish --except '{person.user}=WHY', then rotate again with another key"
                book.trouble(Trouble("no-new-key", "the vault calls the new key retired", cure, Grade.FAILED), person)
            else:
                built[outcome.user] = outcome.generation
                if outcome.key_before != outcome.key_fingerprint and outcome.status is not Status.UNCHANGED:
                    detail: dict[str, str | int | None] = {"bundle": outcome.generation, "rotation": book.rotation.id}
                    changed.append(("key rendered", outcome.user, outcome.key_fingerprint, detail))
    book.flush()
    site.record(changed)
    book.write(happened(Event.BUILT, built, book.now()))


def hand_over(book: Recorder, people: Sequence[Person]) -> None:
    """Push bundles where the rotation pushes and SSH reaches the machine; for all others dist/ is where they are fetched."""
    pushed = reach([book.site.states[person.user] for person in people]).targets if book.rotation.terms.deploy else ()
    names = {target.user for target in pushed}
    book.write(happened(Event.HANDED, [p.user for p in people if p.user not in names], book.now()))
    if not pushed:
        return
    site, by_user = book.site, {person.user: person for person in people if person.user in names}
    keep = keeper(site)
    most = _allowed(book.rotation, names)
    order = DeployOrder(site.workspace.root, site.workspace.dist, forks=site.forks, max_failures=most)

    def settle(event: Started | Outcome) -> None:
        observe(event)
        match event:
            case Failed() | Unreachable():
                grade = Grade.FAILED if isinstance(event, Failed) else Grade.UNREACHABLE
                trouble = Trouble(f"deploy-{event.cause}", event.message, f"{event.cure}; then: {_RESUME}", grade)
                book.trouble(trouble, by_user[event.user])
            case Installed() | Unchanged():
                if event.receipt is not None:
                    keep(f"{event.user}'s machine", event.receipt.encode())
                book.event(Event.HANDED, by_user[event.user])

    with book.act("deliver", by_user.values()), site.watching(len(pushed)) as observe:
        try:
            deploy(order, pushed, None, site.environ, settle)
        except (AnsibleError, NoAnsibleError) as e:
            raise StoppedError(e.message, hint=f"{e.hint}; then: {_RESUME}") from e
        finally:
            book.flush()


def _allowed(rotation: Rotation, pushed: Collection[str]) -> int | None:
    """How many may fail before nobody else is asked; any number when all who are asked failed before, or go back."""
    if rotation.blocked:
        return None
    return rotation.budget - sum(person.failed for person in rotation.people.values() if person.user not in pushed)


def collect(site: Site, sources: Sequence[str]) -> int:
    """Take in receipts from files and drop folders; how many were refused. Raises NoReceiptsError for what is not there."""
    keep = keeper(site)
    return sum(not keep(name, data) for source in sources for name, data in receipts_in(source))


def keeper(site: Site) -> Callable[[str, bytes], bool]:
    """Keeps a receipt that is to be believed, as `receipts import` does, and says by name why another one is refused."""
    endpoints, store = endpoints_of(site), store_of(site)

    def keep(name: str, data: bytes) -> bool:
        with stopping("receipts/"):
            done = import_receipt(name, data, store, endpoints, site.clock())
        if done.result is Imported.REFUSED:
            site.say(f"{done.source}: receipt refused: {done.message}" + (f" ({done.hint})" if done.hint else ""))
        return done.result is not Imported.REFUSED

    return keep


def confirm(book: Recorder, people: Sequence[Person]) -> None:
    """See who certified the target: installed, and what Hermes would really use."""
    endpoints, store = endpoints_of(book.site), store_of(book.site)
    for person in people:
        try:
            receipt = store.receipt_of(person.user, endpoints)
        except ProvisionError as e:
            cure = f"{e.hint or 'import a fresh receipt'}; then: {_RESUME}"
            book.trouble(Trouble("receipt-not-believed", e.message, cure, Grade.WAITING), person)
            continue
        if receipt is None or receipt.generation < person.generation:
            _overdue(book, person)
            continue
        trouble = certified(receipt, person)
        if trouble is None:
            book.event(Event.CONFIRMED, person)
        else:
            book.trouble(trouble, person)
    book.flush()


def certified(receipt: Receipt, person: Person) -> Trouble | None:
    """What is wrong with the receipt of the generation that was released, or a later one; None when nothing is. Pure."""
    if receipt.key_fingerprint != person.target:
        message = f"its machine certified another key ({receipt.key_fingerprint}) in generation {receipt.generation}"
        cure = f"is there a second workspace? provision render -l {person.user}, deliver, then: {_RESUME}"
        return Trouble("other-bundle", message, cure, Grade.FAILED)
    if receipt.route.as_expected == "yes":
        return None
    if receipt.route.as_expected == "no":
        cure = f"`provision status` there names the cure; install again, then: {_RESUME}"
        return Trouble("misrouted", "the new key is installed there, but Hermes would not use it", cure, Grade.FAILED)
    cure = f"`provision status --hermes` there; then: {_RESUME}"
    return Trouble("route-unknown", "whether Hermes uses the new key cannot be told there", cure, Grade.UNSURE)


def _overdue(book: Recorder, person: Person) -> None:
    """An endpoint that is silent for too long counts as a failure, and may still confirm later."""
    days = book.rotation.terms.confirm_within_s / 86400
    if (book.now() - person.since).total_seconds() < book.rotation.terms.confirm_within_s:
        book.fine(person)
        return
    message = f"the endpoint has not confirmed the new key within {days:g} days"
    cure = "is the machine in use, does its timer run? `provision rotate finish --except USER=WHY` leaves it out"
    book.trouble(Trouble("unconfirmed", message, cure, Grade.FAILED), person)
