"""Are the new keys good? Asked before anything is built with them; whoever is refused drops out with a reason and a cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.aisa.answers import Probe
from provision.aisa.verdicts import INCONCLUSIVE, Diagnosis, Verdict, combine_diagnoses
from provision.rotate.model import Blocker, Grade, stamp
from provision.rotate.probes import GatewayRoute, KeyLiveness, inconclusive, probe_all
from provision.rotate.rotation import event_entries
from provision.rotate.states import Course, RotationEvent
from provision.rotate.vault_steps import retire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.secret import Secret
    from provision.rotate.model import RotationUser
    from provision.rotate.probes import KeyProber
    from provision.rotate.recorder import Recorder

_MOST_CALLS = 3
_TWICE_AT_MOST = frozenset({502, 503, 504})
_ANOTHER_KEY = "make another key in the console, then: provision rotate start --from FILE"


def probe_new_keys(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Ask the gateway about the target of each person who is pending, and write down what it said."""
    refused: list[RotationUser] = []

    async def work(asker: KeyProber, person: RotationUser) -> Blocker | KeyLiveness | None:
        route, key = recorder.context.route(person.user), recorder.context.key(person.user, person.target)
        if isinstance(route, Blocker):
            return route
        if key is None:
            cure = "take the last good vault from git, or: provision rotate start, with the same keys"
            return Blocker("no-new-key", "the vault does not have the new key", cure, Grade.FAILED)
        found = await asker.accepted(route, key, recorder.rotation.terms.probes)
        if found[Probe.KEY].verdict is Verdict.KEY_INVALID:
            return await _refusal(asker, recorder, person, route, key)
        if Probe.CHAT in recorder.rotation.terms.probes and combine_diagnoses(found).verdict is Verdict.OK:
            call = await _paid(asker, recorder, route, key, person.target)
            if call is not None:
                found[Probe.CHAT] = call
        return _trouble(combine_diagnoses(found))

    def sink(person: RotationUser, result: Blocker | KeyLiveness | None) -> None:
        if result is None:
            recorder.event(RotationEvent.TAKEN, person)
        elif isinstance(result, KeyLiveness):
            refused.append(person)
        else:
            recorder.trouble(result, person)

    left = probe_all(people, work, sink, recorder.context.reach)
    recorder.flush()
    if left:
        message = f"the gateway does not answer; {len(left)} users were not asked"
        recorder.hold(
            Blocker("gateway-silent", message, "provision rotate resume, when it answers again", Grade.UNSURE), left
        )
    _turn_away(recorder, refused)


async def _refusal(
    asker: KeyProber, recorder: Recorder, person: RotationUser, route: GatewayRoute, key: Secret
) -> Blocker | KeyLiveness:
    """Whether a refused new key is dead for good: the old one must be taken at the same moment, where there is a live one."""
    beside = recorder.context.key(person.user, person.other) if person.course is Course.SCHEDULED else None
    life = await asker.life(route, key, beside)
    if life.dead:
        return life
    if life.trouble is not None and life.trouble.cause == "both-refused":
        message = "the gateway refuses the new key and the old one: does base_url lead to the right gateway?"
        cure = "see `provision validate`; if the old key was revoked: provision rotate leaked, with another new key"
        return Blocker("both-refused", message, cure, Grade.FAILED)
    fallback = Blocker(
        "gateway-wavers", "the gateway refused the new key, then took it", "provision rotate resume", Grade.UNSURE
    )
    return life.trouble or fallback


async def _paid(
    asker: KeyProber, recorder: Recorder, route: GatewayRoute, key: Secret, fingerprint: str
) -> Diagnosis | None:
    """The verdict of the one paid call; None when it was made and its answer is not known: it is never repeated."""
    question = route.question(fingerprint)
    calls = recorder.rotation.calls
    tries = 0
    if question in calls:
        answer = calls[question]
        if answer is None or answer["http"] is None:
            return None
        tries = int(answer["tries"])
        if answer["http"] not in _TWICE_AT_MOST or tries >= _MOST_CALLS:
            return Diagnosis(Verdict(answer["verdict"]), answer["advice"], answer["http"], answer["code"])
    recorder.write([{"at": stamp(recorder.now()), "call": question}])
    said = await asker.call(route, key)
    told = {"verdict": said.verdict.value, "http": said.http_status, "code": said.code, "advice": said.advice[:300]}
    recorder.write([{"at": stamp(recorder.now()), "call": question, "answer": {**told, "tries": tries + 1}}])
    return None if said.http_status is None else said


def _trouble(found: Diagnosis) -> Blocker | None:
    if found.verdict is Verdict.OK:
        return None
    if found.verdict in INCONCLUSIVE:
        return inconclusive(found, "whether the new key is good")
    cure = "mend that, then: provision rotate resume; or go back: provision rotate rollback"
    return Blocker(found.verdict.value.replace("_", "-"), found.advice, cure, Grade.FAILED)


def _turn_away(recorder: Recorder, refused: Sequence[RotationUser]) -> None:
    """Retire new keys that are dead. The vault comes first: a key that is retired there is asked again and refused again."""
    if not refused:
        return
    with (
        recorder.act("retire refused", refused),
        recorder.context.editing(f"rotate {recorder.rotation.id}: refused") as vault,
    ):
        retire(vault, [(person.user, person.target) for person in refused])
    message = "the gateway refuses the new key: it is dead, or was not copied whole"
    recorder.write(
        event_entries(
            RotationEvent.REFUSED,
            [p.user for p in refused],
            recorder.now(),
            cause="new-key-dead",
            message=message,
            cure=_ANOTHER_KEY,
        )
    )
