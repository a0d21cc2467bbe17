"""One pass over a rotation: everybody goes as far as they can now. `start`, `resume` and cron jobs all do the same.

What is under way is always finished; what would begin something new (probe, release, deliver) waits for its wave, and stops
when the failure budget is spent: then only those who failed are tried again. A pass can be killed anywhere: the next one
finds what was done and goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.rotate import vault_steps as filing
from provision.rotate.delivery import confirm, hand_over, release
from provision.rotate.journal import StoppedError
from provision.rotate.model import Grade, Trouble, stamp
from provision.rotate.new_keys import probe
from provision.rotate.revocation import file, watch
from provision.rotate.rotation import happened
from provision.rotate.states import Event, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provision.keys.intake import NewKey
    from provision.rotate.model import Person
    from provision.rotate.recorder import Recorder


def check_vault(book: Recorder) -> None:
    """A journal belongs to one vault, and to no older state of it. Raises StoppedError."""
    vault, rotation = book.site.vault, book.rotation
    if vault.vault_id != rotation.terms.vault:
        raise StoppedError(
            f"rotation {rotation.id} belongs to another vault",
            hint="take the vault and rotations/ from the same commit",
        )
    if vault.generation < rotation.generation:
        raise StoppedError(
            f"the vault is in generation {vault.generation}, and rotation {rotation.id} has seen {rotation.generation}:"
            " an older vault was put back",
            hint="take the newest keys.vault from git (or from a colleague), then: provision rotate resume",
        )


def seal(book: Recorder, keys: Mapping[str, NewKey]) -> None:
    """Put the new keys into the vault, all in one change. Raises StoppedError when they are at hand nowhere."""
    people = book.rotation.in_state(State.PLANNED)
    absent = [person for person in people if not filing.sealed(book.site.vault, [person])]
    if any(person.user not in keys for person in absent):
        raise StoppedError(
            f"the new keys of rotation {book.rotation.id} never reached the vault; nothing was changed",
            hint="provision rotate start --from FILE, with the same file",
        )
    if absent:
        with book.act("seal", absent), book.site.editing(f"rotate {book.rotation.id}: new keys") as vault:
            filing.seal(vault, absent, keys, book.now())
    book.write(happened(Event.SEALED, [person.user for person in people], book.now()))


def run_pass(book: Recorder) -> None:
    """Take everybody as far as possible now. Raises StoppedError when the disk, the vault or Ansible does not let it."""
    check_vault(book)
    _waves(book)
    watched = [p for p in book.rotation.in_state(State.CURRENT, State.LISTED, State.EXPOSED) if _free(book, p)]
    if watched:
        watch(book, watched)
    if dead := book.rotation.in_state(State.DEAD):
        file(book, dead)
    if supply(book):
        _waves(book)
    _halt(book)


def supply(book: Recorder) -> bool:
    """Let those go on whose leaked key is dead and who have a new one in the vault."""
    vault = book.site.vault
    ready = {p.user: p.target for p in book.rotation.in_state(State.BARE) if p.target and filing.sealed(vault, [p])}
    book.write(happened(Event.SUPPLIED, ready, book.now()))
    return bool(ready)


def _waves(book: Recorder) -> None:
    """Work on every open wave, on the next as soon as that opens, and on everybody again when a failure was mended."""
    before = None
    while (now := (book.rotation.open_wave(), book.rotation.blocked)) != before:
        before, (wave, _) = now, now
        _step(book, wave, State.PENDING, probe, begins=True)
        _step(book, wave, State.PROBED, release, begins=True)
        _step(book, wave, State.RELEASED, hand_over, begins=True)
        _step(book, wave, State.DELIVERED, confirm)
        _step(book, wave, State.CONFIRMED, _promote)


def _step(
    book: Recorder, wave: int, state: State, act: Callable[[Recorder, Sequence[Person]], None], *, begins: bool = False
) -> None:
    people, blocked = [], begins and book.rotation.blocked
    for person in book.rotation.in_state(state):
        if not _free(book, person):
            continue
        if not person.back and (person.wave > wave or (blocked and not person.failed)):
            continue
        if person.user not in book.site.states:
            cure = f"provision rotate finish --except '{person.user}=left the inventory'"
            message = f"{person.user} is not in the inventory any more, or has errors there"
            book.trouble(Trouble("left-inventory", message, cure, Grade.FAILED), person)
        else:
            people.append(person)
    book.flush()
    if people:
        act(book, people)


def _free(book: Recorder, person: Person) -> bool:
    return person.user not in book.held


def _promote(book: Recorder, people: Sequence[Person]) -> None:
    """Make confirmed keys current, all of them in one change of the vault."""
    ready = []
    for person in people:
        if filing.overtaken(book.site.vault, person):
            message = "another key became current meanwhile"
            cure = f"provision rotate finish --except '{person.user}=WHY', then rotate again"
            book.trouble(Trouble("overtaken", message, cure, Grade.FAILED), person)
        else:
            ready.append(person)
    book.flush()
    if not ready:
        return
    with book.act("promote", ready), book.site.editing(f"rotate {book.rotation.id}: promote") as vault:
        filing.promote(vault, ready)
    book.write(happened(Event.PROMOTED, [person.user for person in ready], book.now()))


def _halt(book: Recorder) -> None:
    """Say once that the budget is spent."""
    rotation = book.rotation
    waiting = [p for p in rotation.people.values() if p.state in {State.PENDING, State.PROBED, State.RELEASED}]
    why = f"{rotation.failures} failed, {rotation.budget} allowed"
    if rotation.failures <= rotation.budget or not waiting or rotation.halted == why or rotation.paused:
        return
    book.write([{"at": stamp(book.now()), "halt": why}])
    book.site.record([("rotation halted", "", "", {"rotation": rotation.id, "why": why})])
