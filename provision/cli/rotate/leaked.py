"""`rotate leaked`, `rollback`, `finish`: an emergency, the way back, and the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Limit, Output
from provision.cli.rotate.common import (
    Deploy,
    Format,
    Formatted,
    From,
    Name,
    Probes,
    Receipts,
    TakeOver,
    at_work,
    end,
    new_keys,
    probes_of,
    rotate_app,
    show,
    status_of,
)
from provision.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.rotate.context import RotationContext
    from provision.rotate.recorder import Recorder
    from provision.rotate.rotation import Rotation

_LOOK_EVERY_S = 5.0


@rotate_app.command("leaked")
def leaked(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="USER|FINGERPRINT...", help="Whose keys, or which.")],
    from_: From = None,
    probe: Probes = "key,models",
    deploy: Deploy = False,
    wait: Annotated[
        str | None, typer.Option("--wait", metavar="10m", help="Look again and again whether the keys are dead.")
    ] = None,
    receipts: Receipts = None,
    forks: Forks = 10,
    take_over: TakeOver = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Keys have leaked: revoke first, then replace.

    Says at once which keys to revoke, waits for proof that they are dead, then replaces them. New keys may come
    now or later, with `rotate resume --from`. Exit 10 until every leaked key is dead.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.runner import run_pass
    from provision.rotate.start import add_new_keys, create_rotation, leak_terms, leaked_users, open_rotation
    from provision.rotate.store import busy_with

    run: Run = ctx.obj
    with at_work(run, "rotate leaked", take_over=take_over, forks=forks) as site:
        now = site.clock()
        people, aside = leaked_users(site, names, busy_with(list(site.store.unfinished())), now)
        _say_now(run, site, [(person.user, person.other) for person in people])
        for known, why in aside:
            if "revoke" in why:
                _say_now(run, site, [(known.user, known.fingerprint)])
            run.say(f"{known.user} version {known.version} ({known.fingerprint}): {why}")
        if not people:
            raise typer.Exit(Exit.FINDINGS if any("revoke" in why for _, why in aside) else Exit.OK)
        rotation = create_rotation(site, people, leak_terms(site, now, probes_of(probe), deploy=deploy))
        site.record([("key leaked: to be revoked", p.user, p.other, {"rotation": rotation.id}) for p in people])
        refused = import_receipts(site, receipts or ())
        with open_rotation(site, rotation) as book:
            if from_:
                add_new_keys(book, new_keys(run, site, from_, None, None))
            run_pass(book)
            if wait:
                _wait(book, wait)
            doubts = tuple(book.unsure)
        _say_dead(run, rotation)
        show([status_of(site, rotation, doubts)], format_, output)
        raise typer.Exit(_code(rotation, refused=bool(refused or doubts)))


def _say_now(run: Run, site: RotationContext, keys: Sequence[tuple[str, str]]) -> None:
    """What to revoke, before anything else is done: users and fingerprints."""

    for user, fingerprint in keys:
        known = site.vault.version_of(user, fingerprint)
        if known is not None:
            four = site.vault.value(user, known.version).last_four
            run.say(f"REVOKE AT ONCE in the console: {user}, label {known.label or '-'}, ends in …{four}")


def _wait(book: Recorder, wait: str) -> None:
    """Look again until every leaked key is dead, or the time is over."""
    from provision.cli.options import parse_duration
    from provision.rotate.runner import run_pass
    from provision.rotate.states import State

    until = time.monotonic() + parse_duration(wait, "--wait").total_seconds()
    while book.rotation.in_state(State.EXPOSED) and time.monotonic() < until:
        time.sleep(min(_LOOK_EVERY_S, max(0.0, until - time.monotonic())))
        book.held.clear()
        book.unsure.clear()
        run_pass(book)


def _say_dead(run: Run, rotation: Rotation) -> None:

    for person in rotation.people.values():
        if person.dead_at is not None:
            run.say(f"{person.user}: dead {age_text(person.dead_at - person.began)} after the start ({person.other})")


def _code(rotation: Rotation, *, refused: bool) -> Exit:
    from provision.rotate.revoke_list import exit_of
    from provision.rotate.states import State

    if rotation.in_state(State.EXPOSED, State.BARE):
        return Exit.FINDINGS
    code = exit_of([rotation], ())
    return Exit.PARTIAL if refused and code is Exit.OK else code


@rotate_app.command("rollback")
def rollback(
    ctx: typer.Context,
    name: Name = None,
    limit: Limit = None,
    forks: Forks = 10,
    take_over: TakeOver = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Go back to the old keys while they live.

    Each is asked about first; bundles get a new generation. Without --limit, nobody else gets a new key until
    `rotate resume --go-on`. Exit 4 when somebody cannot go back.
    """
    from provision.fleet.limit import select_users
    from provision.rotate.finish import roll_back
    from provision.rotate.model import stamp
    from provision.rotate.runner import check_vault, run_pass, seal_new_keys
    from provision.rotate.start import open_rotation

    run: Run = ctx.obj
    with at_work(run, "rotate rollback", take_over=take_over, forks=forks) as site:
        rotation = site.store.the_one(name)
        states = [site.states[user] for user in rotation.people if user in site.states]
        chosen = {state.user for state in select_users(states, limit)} if limit else set(rotation.people)
        people = [person for person in rotation.people.values() if person.user in chosen]
        if not limit:
            people = [person for person in people if not person.over]
        with open_rotation(site, rotation) as book:
            check_vault(book)
            seal_new_keys(book, {})
            if not limit and not rotation.paused:
                book.write([{"at": stamp(book.now()), "pause": f"rolled back by {site.who}"}])
            refused = roll_back(book, people)
            turned = [("rotation turned back", p.user, p.target, {"rotation": rotation.id}) for p in people if p.back]
            site.record(turned)
            for each in refused:
                run.say(f"{each.user} cannot go back: {each.why}" + (f" ({each.cure})" if each.cure else ""))
            run_pass(book)
            doubts = tuple(book.unsure)
        end(run, site, [(rotation, doubts)], format_, output, refused=len(refused))


@rotate_app.command("finish")
def finish_command(
    ctx: typer.Context,
    name: Name = None,
    except_: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="USER=WHY", help="Leave this user out, for a reason that is kept; globs too."),
    ] = None,
    take_over: TakeOver = False,
    output: Output = None,
) -> None:
    """End a rotation when every old key is proved dead.

    Or named as an exception, with a reason that is kept. Exit 10, with the names, when that is not so.
    """
    from provision.report.terminal import table
    from provision.rotate.finish import finish, split_exceptions
    from provision.rotate.runner import check_vault, seal_new_keys
    from provision.rotate.start import open_rotation

    run: Run = ctx.obj
    exceptions = [_exception(text) for text in except_ or ()]
    with at_work(run, "rotate finish", take_over=take_over) as site:
        rotation = site.store.the_one(name)
        reasons, blocking = split_exceptions(list(rotation.people.values()), exceptions)
        if blocking:
            from provision.report.rotation import waits_for_text

            waits_for = waits_for_text(rotation)
            rows = [(p.user, p.state.value, waits_for(p)) for p in blocking[:50]]
            run.result(table(("USER", "STATE", "WAITS FOR"), rows), output)
            run.say(
                f"{len(blocking):,} of {len(rotation.people):,} old keys are not proved dead: not finished"
                " (go on with `rotate resume`, or name each: --except 'USER=WHY')"
            )
            raise typer.Exit(Exit.FINDINGS)
        with open_rotation(site, rotation) as book:
            check_vault(book)
            seal_new_keys(book, {})
            finish(book, reasons)
        show([status_of(site, rotation, ())], Format.TABLE, output)


def _exception(text: str) -> tuple[str, str]:
    pattern, equals, why = text.partition("=")
    if not equals or not why.strip() or not pattern.strip():
        raise UsageError(f"--except {text!r} gives no reason", hint="--except 'ada=laptop lost, key revoked by hand'")
    return pattern.strip(), why.strip()
