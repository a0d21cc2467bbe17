"""Are the new keys good? Asked before anything is built with them; whoever is refused drops out with a reason and a cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.aisa.answers import Probe
from provision.aisa.verdicts import CANNOT_TELL, Judgement, Verdict, combine
from provision.rotate.model import Grade, Trouble, stamp
from provision.rotate.probes import Life, Route, ask_all, unsure
from provision.rotate.rotation import happened
from provision.rotate.states import Course, Event
from provision.rotate.vault_steps import retire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.secret import Secret
    from provision.rotate.model import Person
    from provision.rotate.probes import Asker
    from provision.rotate.recorder import Recorder

_MOST_CALLS = 3
_TWICE_AT_MOST = frozenset({502, 503, 504})
_ANOTHER_KEY = "make another key in the console, then: provision rotate start --from FILE"


def probe(book: Recorder, people: Sequence[Person]) -> None:
    """Ask the gateway about the target of each person who is pending, and write down what it said."""
    refused: list[Person] = []

    async def work(asker: Asker, person: Person) -> Trouble | Life | None:
        route, key = book.site.route(person.user), book.site.key(person.user, person.target)
        if isinstance(route, Trouble):
            return route
        if key is None:
            cure = "take the last good vault from git, or: provision rotate start, with the same keys"
            return Trouble("no-new-key", "the vault does not have the new key", cure, Grade.FAILED)
        found = await asker.accepted(route, key, book.rotation.terms.probes)
        if found[Probe.KEY].verdict is Verdict.KEY_INVALID:
            return await _refusal(asker, book, person, route, key)
        if Probe.CHAT in book.rotation.terms.probes and combine(found).verdict is Verdict.OK:
            call = await _paid(asker, book, route, key, person.target)
            if call is not None:
                found[Probe.CHAT] = call
        return _trouble(combine(found))

    def sink(person: Person, result: Trouble | Life | None) -> None:
        if result is None:
            book.event(Event.TAKEN, person)
        elif isinstance(result, Life):
            refused.append(person)
        else:
            book.trouble(result, person)

    left = ask_all(people, work, sink, book.site.reach)
    book.flush()
    if left:
        message = f"the gateway does not answer; {len(left)} users were not asked"
        book.hold(
            Trouble("gateway-silent", message, "provision rotate resume, when it answers again", Grade.UNSURE), left
        )
    _turn_away(book, refused)


async def _refusal(asker: Asker, book: Recorder, person: Person, route: Route, key: Secret) -> Trouble | Life:
    """Whether a refused new key is dead for good: the old one must be taken at the same moment, where there is a live one."""
    beside = book.site.key(person.user, person.other) if person.course is Course.SCHEDULED else None
    life = await asker.life(route, key, beside)
    if life.dead:
        return life
    if life.trouble is not None and life.trouble.cause == "both-refused":
        message = "the gateway refuses the new key and the old one: does base_url lead to the right gateway?"
        cure = "see `provision validate`; if the old key was revoked: provision rotate leaked, with another new key"
        return Trouble("both-refused", message, cure, Grade.FAILED)
    fallback = Trouble(
        "gateway-wavers", "the gateway refused the new key, then took it", "provision rotate resume", Grade.UNSURE
    )
    return life.trouble or fallback


async def _paid(asker: Asker, book: Recorder, route: Route, key: Secret, fingerprint: str) -> Judgement | None:
    """The verdict of the one paid call; None when it was made and its answer is not known: it is never repeated."""
    question = route.question(fingerprint)
    calls = book.rotation.calls
    tries = 0
    if question in calls:
        answer = calls[question]
        if answer is None or answer["http"] is None:
            return None
        tries = int(answer["tries"])
        if answer["http"] not in _TWICE_AT_MOST or tries >= _MOST_CALLS:
            return Judgement(Verdict(answer["verdict"]), answer["advice"], answer["http"], answer["code"])
    book.write([{"at": stamp(book.now()), "call": question}])
    said = await asker.call(route, key)
    told = {"verdict": said.verdict.value, "http": said.http_status, "code": said.code, "advice": said.advice[:300]}
    book.write([{"at": stamp(book.now()), "call": question, "answer": {**told, "tries": tries + 1}}])
    return None if said.http_status is None else said


def _trouble(found: Judgement) -> Trouble | None:
    if found.verdict is Verdict.OK:
        return None
    if found.verdict in CANNOT_TELL:
        return unsure(found, "whether the new key is good")
    cure = "mend that, then: provision rotate resume; or go back: provision rotate rollback"
    return Trouble(found.verdict.value.replace("_", "-"), found.advice, cure, Grade.FAILED)


def _turn_away(book: Recorder, refused: Sequence[Person]) -> None:
    """Retire new keys that are dead. The vault comes first: a key that is retired there is asked again and refused again."""
    if not refused:
        return
    with book.act("retire refused", refused), book.site.editing(f"rotate {book.rotation.id}: refused") as vault:
        retire(vault, [(person.user, person.target) for person in refused])
    message = "the gateway refuses the new key: it is dead, or was not copied whole"
    book.write(
        happened(
            Event.REFUSED,
            [p.user for p in refused],
            book.now(),
            cause="new-key-dead",
            message=message,
            cure=_ANOTHER_KEY,
        )
    )
