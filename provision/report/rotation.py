"""Rotations: the plan, the state of every user, the keys to revoke, and what blocks progress. Table, JSON and HTML."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.report.document import document
from provision.report.html.charts import Share, StackedBar
from provision.report.html.grid import Column, Grid
from provision.report.html.page import Group, Page, Tile, page
from provision.report.terminal import plural, printable, table
from provision.rotate.model import Grade, stamp
from provision.rotate.states import INSTALLED, OVER, WAITS_FOR, State

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from datetime import datetime, timedelta

    from provision.rotate.model import Blocker, RotationUser
    from provision.rotate.planning import RotationPlan
    from provision.rotate.revoke_list import Revocation
    from provision.rotate.rotation import Rotation

USER_ROWS = 50
_TO_BEGIN = frozenset({State.PENDING, State.PROBED, State.RELEASED})
_BAD = frozenset({State.REJECTED, State.EXPOSED, State.BARE})


@dataclass(frozen=True, slots=True)
class RotationView:
    """One rotation at one moment: keys to revoke, and problems of the latest pass that concern no single user."""

    rotation: Rotation
    now: datetime
    revocations: tuple[Revocation, ...] = ()
    doubts: tuple[Blocker, ...] = field(default=())


def plan_lines(plan: RotationPlan, terms_waves: Sequence[str]) -> Iterator[str]:
    """What a rotation is about to do, for the operator to confirm."""
    waves = plan.waves()
    for number, wave in enumerate(waves, 1):
        profiles = Counter(person.profile for person in wave)
        names = ", ".join(person.user for person in wave[:5]) + (", …" if len(wave) > 5 else "")
        by_profile = ", ".join(f"{count} {name}" for name, count in sorted(profiles.items()))
        yield f"wave {number} of {len(waves)}: {plural(len(wave), 'user')} ({by_profile}): {names}"
    if len(waves) == 1 and len(plan.people) > 1 and "%" not in terms_waves[0]:
        yield "all users are in one wave: --waves 1,10%,100% starts with a few"
    for remark in plan.remarks[:20]:
        yield str(remark)
    if len(plan.remarks) > 20:
        yield f"and {len(plan.remarks) - 20:,} more remarks like these"


def plan_json(plan: RotationPlan) -> str:
    """The document `provision/rotate-plan/v1`."""
    users = [
        {"user": p.user, "profile": p.profile, "wave": p.wave + 1, "old": p.other, "new": p.target} for p in plan.people
    ]
    remarks = [{"rule": r.rule, "message": r.message, "hint": r.hint} for r in plan.remarks]
    return document("rotate-plan/v1", waves=len(plan.waves()), users=users, remarks=remarks)


def plan_table(plan: RotationPlan) -> str:
    """The plan as a table, one user per row."""
    rows = [(p.wave + 1, p.user, p.profile, p.other, p.target) for p in plan.people]
    return table(("WAVE", "USER", "PROFILE", "OLD KEY", "NEW KEY"), rows)


def status_text(status: RotationView, *, all_users: bool = False) -> str:
    """One rotation: a line per wave, what each user waits for, what blocks progress, and the keys to revoke."""
    rotation = status.rotation
    parts = [_head(status) + "\n", _waves(rotation), "\n"]
    parts += _troubles(status)
    parts += _waiting(status, all_users=all_users)
    parts += _revocations(status)
    parts.append(_next(status) + "\n")
    return "".join(parts)


def _head(status: RotationView) -> str:
    rotation, terms = status.rotation, status.rotation.terms
    words = [f"rotation {rotation.id} ({terms.kind}), started {age_text(status.now - terms.at)} ago by {terms.who}"]
    if rotation.ended is not None:
        words.append(rotation.ended_as)
    elif rotation.paused:
        words.append(f"PAUSED: {rotation.paused}")
    elif rotation.failures > rotation.budget:
        words.append(f"HALTED: {rotation.failures} failed, {rotation.budget} allowed")
    return printable("; ".join(words))


def _waves(rotation: Rotation) -> str:
    states = [state for state in State if rotation.counts()[state]]
    rows = []
    for number, wave in enumerate(rotation.waves(), 1):
        counts = Counter(person.state for person in wave)
        rows.append((number, len(wave), *(counts[state] or "-" for state in states)))
    return table(("WAVE", "USERS", *(state.upper() for state in states)), rows)


def _troubles(status: RotationView) -> Iterator[str]:
    for doubt in status.doubts:
        yield (
            printable(f"{doubt.grade}: {doubt.message} [{doubt.cause}]") + "\n" + printable(f"  -> {doubt.cure}") + "\n"
        )
    for trouble, people in _by_trouble(status.rotation).items():
        names = ", ".join(p.user for p in people[:10]) + (f" and {len(people) - 10:,} more" if len(people) > 10 else "")
        yield printable(f"{names}: {trouble.message} [{trouble.grade}: {trouble.cause}]") + "\n"
        cure = cure_for(people[0]) if len(people) == 1 else trouble.cure
        yield printable(f"  -> {cure}") + "\n" if cure else ""
    for person in status.rotation.in_state(State.EXCEPTED):
        yield printable(f"{person.user}: left out: {person.reason}") + "\n"


def _by_trouble(rotation: Rotation) -> dict[Blocker, list[RotationUser]]:
    """Users by what blocks them."""
    groups: dict[Blocker, list[RotationUser]] = {}
    for person in rotation.people.values():
        if person.trouble is not None and person.state is not State.EXCEPTED:
            groups.setdefault(person.trouble, []).append(person)
    return groups


def _waiting(status: RotationView, *, all_users: bool) -> Iterator[str]:
    waits_for = waits_for_text(status.rotation)
    people = [p for p in status.rotation.people.values() if all_users or p.state not in OVER]
    rows = [
        (
            p.user,
            p.profile,
            p.wave + 1,
            f"{p.state} (back)" if p.back else p.state.value,
            age_text(status.now - p.since),
            waits_for(p),
            p.target or "-",
        )
        for p in (people if all_users else people[:USER_ROWS])
    ]
    if rows:
        yield table(("USER", "PROFILE", "WAVE", "STATE", "SINCE", "WAITS FOR", "KEY TO USE"), rows)
    if len(rows) < len(people):
        yield f"… and {len(people) - len(rows):,} more: --all or --format json shows them\n"


def _revocations(status: RotationView) -> Iterator[str]:
    if not status.revocations:
        return
    leaked = any(r.leaked for r in status.revocations)
    yield "\nREVOKE NOW in the console:\n" if leaked else "\nrevoke in the console:\n"
    rows = [(r.user, r.label or "-", _ends_in(r), r.fingerprint, _idle(r)) for r in status.revocations]
    yield table(("USER", "LABEL", "ENDS IN", "KEY", "IDLE"), rows)


def _ends_in(revocation: Revocation) -> str:
    return f"…{revocation.last_four}" if revocation.last_four else "not shown here"


def _idle(revocation: Revocation) -> str:
    if revocation.leaked:
        return "leaked: do not wait"
    return "yes" if revocation.idle == "yes" else "unknown: the gateway does not report it"


def _next(status: RotationView) -> str:
    """The next step, in one line."""
    rotation = status.rotation
    if rotation.ended is not None:
        return "nothing left to do"
    counts = rotation.counts()
    if rotation.over:
        left = counts[State.REJECTED]
        if left:
            return f"now ({left} rejected): provision rotate finish {rotation.id} --except 'USER=WHY'"
        return f"now: provision rotate finish {rotation.id}"
    if rotation.paused:
        forward = f"provision rotate resume {rotation.id} --go-on"
        return f"now: provision rotate resume, until all users are rolled back; or forward again: {forward}"
    if rotation.failures > rotation.budget:
        more = f"provision rotate resume {rotation.id} --max-failures N"
        return f"now: fix what is listed above, then provision rotate resume; or allow more: {more}"
    if status.revocations:
        return "now: revoke these, then provision rotate resume"
    if counts[State.BARE]:
        return f"now: make new keys, then provision rotate resume {rotation.id} --from FILE"
    if counts[State.DELIVERED]:
        return "now: deliver dist/ (deploy, publish), import receipts, then provision rotate resume"
    return "now: run provision rotate resume from time to time"


def waits_for_text(rotation: Rotation) -> Callable[[RotationUser], str]:
    """Returns a function that says what a user waits for."""
    wave, blocked = rotation.open_wave(), rotation.blocked

    def waits_for(person: RotationUser) -> str:
        if person.state is State.BARE and person.target:
            return "provision rotate resume"
        waiting = person.state in _TO_BEGIN and not person.back and not person.failed
        if waiting and blocked:
            return "the end of the halt"
        if waiting and person.wave > wave:
            return "its wave"
        return WAITS_FOR.get(person.state, "-")

    return waits_for


def age_text(span: timedelta) -> str:
    """A time span in the largest fitting unit, such as `3 h`."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def cure_for(person: RotationUser) -> str:
    """How to fix what blocks a user, with the user's name: the journal has `USER`, so that equal blockers are one entry."""
    cure = person.trouble.cure if person.trouble else ""
    return re.sub(r"\bUSER\b", person.user, cure)


def status_json(statuses: Sequence[RotationView]) -> str:
    """The document `provision/rotate-status/v1`."""
    return document("rotate-status/v1", rotations=[_rotation(status) for status in statuses])


def _rotation(status: RotationView) -> dict[str, Any]:
    rotation, terms, waits_for = status.rotation, status.rotation.terms, waits_for_text(status.rotation)
    waves = []
    for number, wave in enumerate(rotation.waves(), 1):
        counts = Counter(p.state.value for p in wave)
        waves.append({"wave": number, "users": len(wave), "states": dict(sorted(counts.items()))})
    revoke = [
        {
            "user": r.user,
            "label": r.label,
            "last_four": r.last_four or None,
            "key": r.fingerprint,
            "idle": r.idle or None,
        }
        for r in status.revocations
    ]
    return {
        "id": rotation.id,
        "kind": terms.kind.value,
        "who": terms.who,
        "begun": stamp(terms.at),
        "ended": stamp(rotation.ended) if rotation.ended else None,
        "ended_as": rotation.ended_as or None,
        "halted": rotation.failures > rotation.budget,
        "paused": rotation.paused or None,
        "failures": rotation.failures,
        "max_failures": rotation.budget,
        "waves": waves,
        "revoke": revoke,
        "doubts": [{"cause": d.cause, "message": d.message, "cure": d.cure} for d in status.doubts],
        "users": [_person(p, waits_for) for p in rotation.people.values()],
    }


def _person(p: RotationUser, waits_for: Callable[[RotationUser], str]) -> dict[str, Any]:
    trouble = p.trouble
    problem = (
        {"cause": trouble.cause, "grade": trouble.grade, "message": trouble.message, "cure": cure_for(p)}
        if trouble
        else None
    )
    return {
        "user": p.user,
        "profile": p.profile,
        "wave": p.wave + 1,
        "state": p.state.value,
        "since": stamp(p.since),
        "waits_for": waits_for(p) if p.state not in OVER else None,
        "back": p.back,
        "target": p.target or None,
        "other": p.other,
        "generation": p.generation or None,
        "idle": p.idle or None,
        "dead": stamp(p.dead_at) if p.dead_at else None,
        "seconds_to_dead": int((p.dead_at - p.began).total_seconds()) if p.dead_at else None,
        "reason": p.reason or None,
        "trouble": problem,
    }


def state_tone(state: State) -> str:
    """The tone of a state in HTML: good once the new key is installed."""
    return "good" if state in INSTALLED else "bad" if state in _BAD else "unsure"


def wave_bars(rotation: Rotation, users: Container[str] | None = None) -> Iterator[StackedBar]:
    """One bar per wave, of all users or of these."""
    waves, opened = rotation.waves(), rotation.open_wave()
    for number, wave in enumerate(waves):
        counts = Counter(p.state for p in wave if users is None or p.user in users)
        note = (
            "waits for the wave before it"
            if number > opened
            else f"{'halted: ' if rotation.blocked else ''}provision rotate status {rotation.id}"
        )
        shares = [Share(state.value, counts[state], state_tone(state)) for state in State]
        if counts:
            yield StackedBar(f"{rotation.id}, wave {number + 1} of {len(waves)}", note, shares)


def status_html(statuses: Sequence[RotationView]) -> Iterator[str]:
    """An HTML page: users by state, all keys to revoke, what blocks progress, the waves, all users."""
    rotations = [status.rotation for status in statuses]
    counts = sum((rotation.counts() for rotation in rotations), Counter[State]())
    groups = [group for status in statuses for group in _groups(status)]
    subtitle = f"{plural(counts.total(), 'user')} in {plural(len(rotations), 'rotation')}"
    halted = any(rotation.blocked for rotation in rotations)
    unfinished = any(rotation.ended is None for rotation in rotations)
    return page(
        Page(
            "Key rotation",
            f"{subtitle}; {_next(statuses[0])}" if len(statuses) == 1 else subtitle,
            [(f"rotation {s.rotation.id}", _head(s)) for s in statuses],
            (),
            verdict_tone="bad" if halted else "unsure" if groups or unfinished else "good",
            tiles=[Tile(f"{counts[s]:,}", s, "", state_tone(s), "grid-title", s) for s in State if counts[s]],
            groups=groups,
            progress=[bar for rotation in rotations for bar in wave_bars(rotation)],
            grid=_user_grid(statuses),
        )
    )


def _groups(status: RotationView) -> Iterator[Group]:
    """What an operator has to do: keys to revoke, then problems, the same problem of several users together."""
    rotation = status.rotation
    if revoke := status.revocations:
        leaked = any(r.leaked for r in revoke)
        lines = [
            f"{r.user}: {r.label or '-'}, ends in {_ends_in(r)}, {r.fingerprint}, idle: {_idle(r)}" for r in revoke
        ]
        mark = ("now", "bad") if leaked else ("soon", "unsure")
        yield Group(f"revoke-{rotation.id}", len(lines), "Keys to revoke in the console", *mark, "", lines)
    for number, doubt in enumerate(status.doubts):
        yield _group(f"doubt-{rotation.id}-{number}", doubt.message, (doubt.grade, "unsure"), doubt.cure, [doubt.cause])
    for number, (trouble, people) in enumerate(_by_trouble(rotation).items()):
        cure = cure_for(people[0]) if len(people) == 1 else trouble.cure
        users = [f"{p.user}: {p.state}" for p in people]
        tone = "bad" if trouble.grade is Grade.FAILED else "unsure"
        yield _group(f"problem-{rotation.id}-{number}", trouble.message, (trouble.grade, tone), cure, users)


def _group(anchor: str, title: str, mark: tuple[str, str], command: str, lines: Sequence[str]) -> Group:
    return Group(anchor, len(lines), title, *mark, command, lines[:USER_ROWS], max(len(lines) - USER_ROWS, 0))


def _user_grid(statuses: Sequence[RotationView]) -> Grid | None:
    people = [(s, p) for s in statuses for p in s.rotation.people.values()]
    if not people:
        return None
    order = [
        *sorted(_BAD),
        *(state for state in State if state not in _BAD and state not in INSTALLED),
        *sorted(INSTALLED),
    ]
    people.sort(key=lambda found: order.index(found[1].state))
    waits = {s.rotation.id: waits_for_text(s.rotation) for s in statuses}
    tones = {state.value: state_tone(state) for state in State}
    columns = [
        Column("user", [p.user for _, p in people]),
        Column("state", [p.state.value for _, p in people], "pill", words=[s.value for s in order], tones=tones),
        Column("rotation", [s.rotation.id for s, _ in people], shown=len(statuses) > 1),
        Column("wave", [p.wave + 1 for _, p in people], "number"),
        Column("profile", [p.profile for _, p in people]),
        Column("since", [int(p.since.timestamp()) for _, p in people], "time", now=statuses[0].now),
        Column("waits for", [waits[s.rotation.id](p) for s, p in people]),
        Column("cause", [p.trouble.cause if p.trouble else None for _, p in people]),
    ]
    return Grid("Users", "user", columns, "state", "a name, profile:engineering, state:delivered, wave:2")
