"""`provision keys import`: put a file of keys into the vault, atomically."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.keys.key_file import read_key_file
from provision.cli.options import Limit, Output, TableOrJson, parse_last_day
from provision.errors import InvalidFilesError, Problem, Severity
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.fleet.workspace import Workspace
    from provision.keys.import_file import NewKey
    from provision.keys.import_keys import ImportedKey


_MAX_REMARKS = 20


@keys_app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="CSV or JSON: user,key[,label]; - reads standard input.")
    ],
    limit: Limit = None,
    demo_until: Annotated[
        str | None, typer.Option("--demo-until", metavar="DATE", help="Last day of these keys (demo keys).")
    ] = None,
    allow_shared: Annotated[bool, typer.Option("--allow-shared", help="Allow the same key for several users.")] = False,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Allow users that are not in the inventory.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and show the result; change nothing.")
    ] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Import keys as their users' current keys. A key that is replaced becomes `previous`."""
    from datetime import UTC, datetime

    from provision.keys.age import load_identities
    from provision.keys.import_file import check_file_mode, read_keys
    from provision.keys.import_keys import import_keys
    from provision.keys.vault.file import editing, open_vault

    run: Run = ctx.obj
    workspace = run.open_workspace()
    now = datetime.now(UTC)
    until = parse_last_day(demo_until, "--demo-until", now.date()) if demo_until else None
    intake = read_keys(read_key_file(file), "standard input" if file == "-" else file, allow_shared=allow_shared)
    keys, unknown = _chosen_keys(run, workspace, intake.keys, limit, allow_unknown=allow_unknown)
    readable = () if file == "-" else tuple(check_file_mode(file))
    problems = (*intake.problems, *unknown, *_in_rotation(workspace, keys), *readable)
    _say_remarks(run, [problem for problem in problems if problem.severity is not Severity.ERROR])
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidFilesError(problem for problem in problems if problem.severity is Severity.ERROR)
    identities = load_identities(workspace.identity)
    if dry_run:
        vault = open_vault(workspace.vault, identities)
        done = import_keys(vault, keys, now=now, allow_shared=allow_shared, demo_until=until)
    else:
        with editing(workspace.vault, identities, "keys import") as vault:
            done = import_keys(vault, keys, now=now, allow_shared=allow_shared, demo_until=until)
    run.result(_text(done, format_, dry_run=dry_run), output)
    _say_summary(run, done, dry_run=dry_run)
    if file != "-" and not dry_run:
        run.say(f"{file} holds these keys in clear text: delete it")


def _chosen_keys(
    run: Run, workspace: Workspace, keys: Sequence[NewKey], limit: list[str] | None, *, allow_unknown: bool
) -> tuple[list[NewKey], list[Problem]]:
    """The keys of the chosen users, and a problem for each user that is not in the inventory."""
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.fleet.nearest import nearest_words
    from provision.report.terminal import plural

    if allow_unknown and not limit:
        return list(keys), []
    fleet = load_fleet(workspace)
    known = {state.user for state in fleet.states} | set(
        fleet.refused
    )  # a user whose entry has an error is in the inventory
    problems: list[Problem] = []
    for new in keys:
        if new.user in known or allow_unknown:
            continue
        close = nearest_words(new.user, known) if len(problems) < _MAX_REMARKS and len(known) <= 20_000 else []
        hint = f"did you mean {close[0]}?" if close else "add the user to the inventory, or use --allow-unknown"
        problems.append(Problem("unknown-user", f"{new.user} is not in the inventory", new.place, hint))
    if not limit:
        return list(keys), problems
    chosen = {state.user for state in select_users(fleet.states, limit)}
    kept = [new for new in keys if new.user in chosen]
    if skipped := len(keys) - len(kept):
        run.say(f"skipped {plural(skipped, 'key')} of other users (--limit)")
    return kept, problems


def _in_rotation(workspace: Workspace, keys: Sequence[NewKey]) -> list[Problem]:
    """A problem for each user whose key is being rotated: an import would interfere."""
    from provision.rotate.store import RotationStore, busy_entries

    busy = busy_entries(list(RotationStore(workspace.root).unfinished()))
    return [
        Problem("in-rotation", f"{new.user} is in rotation {rotation.id} ({person.state})", new.place, hint)
        for new in keys
        if new.user in busy
        for person, rotation in (busy[new.user],)
        for hint in (f"provision rotate resume {rotation.id}" + (" --from FILE" if person.wants_key else ""),)
    ]


def _say_remarks(run: Run, problems: Sequence[Problem]) -> None:
    for problem in problems[:_MAX_REMARKS]:
        run.say(str(problem))
    if len(problems) > _MAX_REMARKS:
        run.say(f"and {len(problems) - _MAX_REMARKS:,} more remarks like these")


def _text(done: Sequence[ImportedKey], format_: Format, *, dry_run: bool) -> str:
    from provision.report.document import document
    from provision.report.terminal import table

    if format_ is Format.JSON:
        rows = [
            {
                "user": each.key.user,
                "version": each.key.version,
                "fingerprint": each.key.fingerprint,
                "label": each.key.label,
                "result": each.outcome.value,
                "previous": each.before.fingerprint if each.before else None,
            }
            for each in done
        ]
        return document("keys-import/v1", dry_run=dry_run, keys=rows)
    return table(
        ("USER", "VERSION", "FINGERPRINT", "RESULT", "NOW PREVIOUS"),
        (
            (e.key.user, e.key.version, e.key.fingerprint, e.outcome.value, e.before.fingerprint if e.before else "")
            for e in done
        ),
    )


def _say_summary(run: Run, done: Sequence[ImportedKey], *, dry_run: bool) -> None:
    from provision.keys.import_keys import ImportOutcome

    counts = {outcome: sum(each.outcome is outcome for each in done) for outcome in ImportOutcome}
    counted = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    run.say(f"{'would be: ' if dry_run else ''}{counted}")
    if counts[ImportOutcome.REPLACED] and not dry_run:
        run.say(
            "the replaced keys still work: render and deliver first, then revoke them in the console when every endpoint"
            " has its new key; or use `provision rotate`, which does and verifies each step"
        )
