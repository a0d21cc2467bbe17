"""How a rotation begins, is opened again, and gets further keys. All of it under the workspace's lock."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.errors import Place, Problem
from provision.keys.vault.ledger import Stage
from provision.rotate import vault_steps as filing
from provision.rotate.journal import Journal, StoppedError
from provision.rotate.model import Kind, Person, Terms, stamp
from provision.rotate.planning import known_already, refuse
from provision.rotate.recorder import Recorder
from provision.rotate.rotation import Rotation, fold, planned
from provision.rotate.states import Course, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from provision.keys.intake import NewKey
    from provision.keys.vault.ledger import KeyVersion
    from provision.rotate.context import Site


@contextlib.contextmanager
def opened(site: Site, rotation: Rotation) -> Iterator[Recorder]:
    """A rotation, open for work."""
    with Journal(site.store.path(rotation.id)) as journal:
        yield Recorder(site, rotation, journal)


def begin(site: Site, people: Sequence[Person], terms: Terms) -> Rotation:
    """Write a plan down. Nothing else was touched yet: a crash here leaves no rotation, or one whose keys are still outside."""
    path = site.store.path(terms.id)
    generation = site.vault.generation
    entries = [terms.entry(generation), *planned(people, terms)]
    try:
        with Journal(path) as journal:
            journal.append(entries)
    except StoppedError as e:
        path.unlink(missing_ok=True)
        raise StoppedError(
            e.message, hint="make room or mend its permissions, then try again; nothing was begun"
        ) from e
    rotation = fold(iter(entries), path)
    if rotation is None:
        raise RuntimeError("a plan without a first line")
    detail = {"rotation": terms.id, "kind": terms.kind.value, "users": len(people), "generation": generation}
    site.record([("rotation begun", "", "", detail)])
    return rotation


def taken_up(site: Site, rotations: Sequence[Rotation], keys: Sequence[NewKey]) -> Rotation | None:
    """A rotation that was begun with exactly these keys and whose keys never reached the vault; it goes on.

    One with other keys in that state is void: nothing was done for it.
    """
    wanted = {new.user: fingerprint(new.key.reveal(), site.vault.salt) for new in keys}
    for rotation in rotations:
        waiting = rotation.in_state(State.PLANNED)
        if not waiting or filing.sealed(site.vault, waiting):
            continue
        if {p.user: p.target for p in rotation.people.values()} == wanted:
            return rotation
        with opened(site, rotation) as book:
            book.write([{"at": stamp(book.now()), "end": "void: its keys never reached the vault"}])
        site.say(f"rotation {rotation.id} never began: its keys did not reach the vault; it is void")
    return None


def exposed(
    site: Site, named: Sequence[str], busy: Mapping[str, str], now: datetime
) -> tuple[list[Person], list[tuple[KeyVersion, str]]]:
    """Who is concerned when these users' keys, or keys of these fingerprints, have leaked, and what cannot be begun and why.

    A key that several share concerns all of them. Raises RefusedKeysError for a name that nobody has.
    """
    vault, problems = site.vault, []
    found: dict[tuple[str, int], KeyVersion] = {}
    for name in named:
        if name.startswith("fp_"):
            versions = vault.find(name)
        else:
            current = vault.current(name) or vault.in_stage(name, Stage.PREVIOUS)
            versions = vault.find(current.fingerprint) if current else ()
        if not versions:
            hint = "see: provision keys list --all"
            problems.append(Problem("unknown-key", f"{name} names no user or key of this vault", Place("leaked"), hint))
        found |= {(known.user, known.version): known for known in versions}
    refuse(problems)
    people: dict[str, Person] = {}
    aside: list[tuple[KeyVersion, str]] = []
    for known in found.values():
        state = site.states.get(known.user)
        if known.stage is Stage.RETIRED:
            aside.append((known, "it was proved dead already"))
        elif known.user in busy:
            aside.append(
                (known, f"rotation {busy[known.user]} is at it: revoke it now, then `provision rotate resume`")
            )
        elif known.user in people:
            aside.append((known, "another key of this user is in this rotation: run it again for this one afterwards"))
        else:
            course = Course.LEAK if known.stage is Stage.CURRENT and state is not None else Course.SPARE
            profile = state.profile.name if state else ""
            people[known.user] = Person(known.user, profile, 0, course, "", known.fingerprint, State.EXPOSED, now, now)
    return list(people.values()), aside


def provide(book: Recorder, keys: Sequence[NewKey]) -> None:
    """Put new keys for a leak into the vault. Raises RefusedKeysError for keys that cannot be used, having changed nothing."""
    site, rotation = book.site, book.rotation
    problems, targets = [], {}
    for new in keys:
        name = fingerprint(new.key.reveal(), site.vault.salt)
        person = rotation.people.get(new.user)
        if (
            person is None
            or person.course is not Course.LEAK
            or person.state not in {State.EXPOSED, State.DEAD, State.BARE}
        ):
            hint = f"see: provision rotate status {rotation.id}"
            problems.append(Problem("not-wanted", f"{new.user} needs no new key here", new.place, hint))
        elif person.target and person.target != name and filing.sealed(site.vault, [person]):
            problems.append(Problem("has-key", f"{new.user} has a new key already", new.place, "it is used first"))
        else:
            problems += known_already(new, name, site.vault)
            targets[new.user] = name
    refuse(problems)
    if not targets:
        return
    book.write([{"at": stamp(book.now()), "targets": targets}])
    people = [rotation.people[user] for user in targets]
    with book.act("seal", people), site.editing(f"rotate {rotation.id}: new keys") as vault:
        filing.seal(vault, people, {new.user: new for new in keys}, book.now())


def leak_terms(site: Site, now: datetime, probes: tuple[str, ...], *, deploy: bool) -> Terms:
    """The terms of a leak: everybody at once, and no failure of one keeps the others waiting."""
    return Terms(
        id=site.store.new_name(now),
        kind=Kind.LEAK,
        who=site.who,
        at=now,
        vault=site.vault.vault_id,
        probes=probes,
        deploy=deploy,
        max_failures=10**9,
    )
