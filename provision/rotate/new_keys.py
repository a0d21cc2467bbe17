"""Probe the new keys before anything is built with them. Refused keys are rejected, with a reason and a fix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.aisa.answers import Probe
from provision.aisa.retry import MAX_ATTEMPTS, PAID_RETRIED_STATUSES
from provision.aisa.verdicts import INCONCLUSIVE, Diagnosis, Verdict, combine_diagnoses
from provision.rotate.model import Blocker, Grade, stamp
from provision.rotate.probes import GatewayRoute, KeyLiveness, inconclusive, probe_all
from provision.rotate.rotation import SURVEY, event_entries
from provision.rotate.states import Course, RotationEvent, State
from provision.rotate.vault_steps import retire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.secret import Secret
    from provision.rotate.model import RotationUser
    from provision.rotate.probes import KeyProber
    from provision.rotate.recorder import Recorder

_ANOTHER_KEY = "create another key in the console, then run `provision rotate start --from FILE`"


def survey_new_keys(recorder: Recorder) -> None:
    """Probe the new keys of all waves free of charge, so that a dead key of the last wave is known before the first.

    Once per rotation; later only the users of later waves with a blocker. Before a bundle is built, the key is probed again.
    """
    rotation = recorder.rotation
    known = recorder.context.states
    pending = [p for p in rotation.in_state(State.PENDING) if p.user not in recorder.held and p.user in known]
    later = [person for person in pending if person.wave > rotation.open_wave()]
    people = [person for person in later if person.trouble] if rotation.surveyed else pending if later else []
    if not people:
        return
    answered = probe_new_keys(recorder, people, surveying=True)
    if answered and not rotation.surveyed:
        recorder.write([{"at": stamp(recorder.now()), "did": SURVEY, "users": len(people)}])


def probe_new_keys(recorder: Recorder, people: Sequence[RotationUser], *, surveying: bool = False) -> bool:
    """Probe the target of each pending user at the gateway and record the result. Returns whether all were reached.

    A survey makes no paid call, and accepted users stay pending.
    """
    refused: list[RotationUser] = []

    async def work(prober: KeyProber, person: RotationUser) -> Blocker | KeyLiveness | None:
        route, key = recorder.context.route(person.user), recorder.context.key(person.user, person.target)
        if isinstance(route, Blocker):
            return route
        if key is None:
            cure = "restore the last good vault from git, or run `provision rotate start` with the same keys"
            return Blocker("no-new-key", "the vault does not have the new key", cure, Grade.FAILED)
        found = await prober.run_free_probes(route, key, recorder.rotation.terms.probes)
        if found[Probe.KEY].verdict is Verdict.KEY_INVALID:
            return await _refusal(prober, recorder, person, route, key)
        chat = Probe.CHAT in recorder.rotation.terms.probes and not surveying
        if chat and combine_diagnoses(found).verdict is Verdict.OK:
            call = await _paid(prober, recorder, route, key, person.target)
            if call is not None:
                found[Probe.CHAT] = call
        return _trouble(found, recorder.rotation.id)

    def sink(person: RotationUser, result: Blocker | KeyLiveness | None) -> None:
        if result is None and surveying:
            recorder.fine(person)
        elif result is None:
            recorder.event(RotationEvent.TAKEN, person)
        elif isinstance(result, KeyLiveness):
            refused.append(person)
        else:
            recorder.trouble(result, person)

    left = probe_all(people, work, sink, recorder.context.gateway)
    recorder.flush()
    if left:
        message = f"the gateway does not answer; users not checked: {len(left)}"
        recorder.hold(
            Blocker("gateway-silent", message, "run `provision rotate resume` when it answers again", Grade.UNSURE),
            left,
        )
    _reject(recorder, refused)
    return not left


async def _refusal(
    prober: KeyProber, recorder: Recorder, person: RotationUser, route: GatewayRoute, key: Secret
) -> Blocker | KeyLiveness:
    """Check whether a refused new key is permanently dead. The old key, if valid, must be accepted at the same time."""
    beside = recorder.context.key(person.user, person.other) if person.course is Course.SCHEDULED else None
    life = await prober.check_liveness(route, key, beside)
    if life.dead:
        return life
    if life.trouble is not None and life.trouble.cause == "both-refused":
        message = "the gateway refuses both the new and the old key: base_url may be wrong"
        cure = (
            "check base_url: provision validate -l USER; if both keys were revoked: provision rotate leaked USER --all"
        )
        return Blocker("both-refused", message, cure, Grade.FAILED)
    fallback = Blocker(
        "gateway-wavers", "the gateway refused the new key, then accepted it", "provision rotate resume", Grade.UNSURE
    )
    return life.trouble or fallback


async def _paid(
    prober: KeyProber, recorder: Recorder, route: GatewayRoute, key: Secret, fingerprint: str
) -> Diagnosis | None:
    """Make the paid call, or return its recorded verdict; a call without an answer is not repeated.

    None if a crash lost the answer.
    """
    question = route.question(fingerprint)
    calls = recorder.rotation.calls
    tries = 0
    if question in calls:
        answer = calls[question]
        if answer is None:
            return None
        tries = int(answer["tries"])
        if answer["http"] not in PAID_RETRIED_STATUSES or tries >= MAX_ATTEMPTS:
            return Diagnosis(Verdict(answer["verdict"]), answer["advice"], answer["http"], answer["code"])
    recorder.write([{"at": stamp(recorder.now()), "call": question}])
    verdict = await prober.run_paid_call(route, key)
    answered = {
        "verdict": verdict.verdict.value,
        "http": verdict.http_status,
        "code": verdict.code,
        "advice": verdict.advice[:300],
    }
    recorder.write([{"at": stamp(recorder.now()), "call": question, "answer": {**answered, "tries": tries + 1}}])
    return verdict


def _trouble(probed: dict[Probe, Diagnosis], rotation: str) -> Blocker | None:
    found = combine_diagnoses(probed)
    if found.verdict is Verdict.OK:
        return None
    resume = f"provision rotate resume {rotation}"
    if found.verdict in INCONCLUSIVE:
        doubt = inconclusive(found, "whether the new key is valid")
        proved = probed[Probe.KEY].verdict is Verdict.OK
        if Probe.CHAT in probed:  # its answer is recorded, and the call is not repeated
            return replace(doubt, cure=f"to go on without the paid call: {resume} --probe key,models")
        return replace(doubt, cure=f"{doubt.cure}; or go by the key alone: {resume} --probe key") if proved else doubt
    cure = f"fix that, then run `{resume}`; or roll back: provision rotate rollback {rotation}"
    return Blocker(found.verdict.value.replace("_", "-"), found.advice, cure, Grade.FAILED)


def _reject(recorder: Recorder, refused: Sequence[RotationUser]) -> None:
    """Retire new keys that are dead. The vault is changed first: after a crash the key is probed and refused again."""
    if not refused:
        return
    with (
        recorder.act("retire refused", refused),
        recorder.context.editing(f"rotate {recorder.rotation.id}: refused") as vault,
    ):
        retire(vault, [(person.user, person.target) for person in refused])
    message = "the gateway refuses the new key: it was revoked, or not copied completely"
    cures = {
        Course.SCHEDULED: _ANOTHER_KEY,
        Course.LEAK: f"create another key in the console, then run `provision rotate resume {recorder.rotation.id} --from FILE`",
    }
    for course, cure in cures.items():
        users = [p.user for p in refused if p.course is course]
        now = recorder.now()
        entries = event_entries(RotationEvent.REFUSED, users, now, cause="new-key-dead", message=message, cure=cure)
        recorder.write(entries)
