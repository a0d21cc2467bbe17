"""From a probed key to one that an endpoint certifies: the bundle, its way there, and the signed receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.bundle.build import Order as BuildOrder
from provision.bundle.build import Status, build, opened_dist
from provision.bundle.operator import common_of
from provision.bundle.receipts import Endpoints, ReceiptStore, import_receipt, key_blob, receipts_in
from provision.bundle.receipts import Result as Imported
from provision.bundle.sshsig import load_signing_key
from provision.deploy.ansible import AnsibleError, NoAnsibleError
from provision.deploy.engine import Order as DeployOrder
from provision.deploy.engine import deploy, received
from provision.deploy.inventory import reach
from provision.deploy.outcomes import Failed, Unreachable
from provision.errors import ProvisionError
from provision.rotate.journal import StoppedError
from provision.rotate.people import Grade, Trouble
from provision.rotate.rotation import happened
from provision.rotate.site import stopping
from provision.rotate.states import Event
from provision.rotate.store import ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.bundle.receipt import Receipt
    from provision.rotate.people import Person
    from provision.rotate.recorder import Recorder
    from provision.rotate.site import Site

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
    site, by_user = book.site, {person.user: person for person in people}
    order = DeployOrder(workspace=site.workspace.root, dist=site.workspace.dist)
    with book.act("deliver", [by_user[name] for name in names]):
        try:
            result = deploy(order, pushed, None, site.environ, lambda _: None)
        except (AnsibleError, NoAnsibleError) as e:
            raise StoppedError(e.message, hint=f"{e.hint}; then: {_RESUME}") from e
    take_in(site, ((f"{user}'s machine", text.encode()) for user, text in received(result)))
    done = []
    for user, outcome in result.outcomes.items():
        if isinstance(outcome, Failed | Unreachable):
            grade = Grade.FAILED if isinstance(outcome, Failed) else Grade.UNSURE
            cure = f"{outcome.cure}; then: {_RESUME}"
            book.trouble(Trouble(f"deploy-{outcome.cause}", outcome.message, cure, grade), by_user[user])
        else:
            done.append(user)
    book.flush()
    book.write(happened(Event.HANDED, done, book.now()))


def take_in(site: Site, texts: Iterable[tuple[str, bytes]]) -> int:
    """Keep receipts that are to be believed, as `receipts import` does; returns how many were refused, each said by name."""
    endpoints, store, refused = endpoints_of(site), store_of(site), 0
    for name, data in texts:
        with stopping("receipts/"):
            done = import_receipt(name, data, store, endpoints, site.clock())
        if done.result is Imported.REFUSED:
            refused += 1
            site.say(f"{done.source}: receipt refused: {done.message}" + (f" ({done.hint})" if done.hint else ""))
    return refused


def collect(site: Site, sources: Sequence[str]) -> int:
    """Take in receipts from files and drop folders. Raises NoReceiptsError for a source that is not there."""
    return sum(take_in(site, receipts_in(source)) for source in sources)


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
