"""`provision keys whose`: which user a key belongs to, without showing it."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.options import Output, TableOrJson
from provision.errors import NothingMatchedError
from provision.report.formats import Format


@keys_app.command("whose")
def whose(
    ctx: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="FINGERPRINT|-...", help="Fingerprints, or - for keys on standard input.")
    ],
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show whose key this is, and in which stage. Needs no identity.

    A key itself is read from standard input only, so that it is in no list of processes and no shell history.
    """
    from provision.cli.keys.key_file import read_pasted_keys
    from provision.detect.fingerprint import fingerprint
    from provision.keys.vault.file import read_vault
    from provision.report.document import document
    from provision.report.terminal import table
    from provision.rotate.store import RotationStore

    run: Run = ctx.obj
    workspace = run.open_workspace()
    sealed = read_vault(workspace.vault)
    wanted = [name for name in names if name != "-"]
    if "-" in names:
        wanted += [fingerprint(key.reveal(), sealed.salt) for key in read_pasted_keys()]
    rotations = list(RotationStore(workspace.root).unfinished())
    rows = []
    for known in (known for name in wanted for known in sealed.find(name)):
        state = next(
            (
                f"{rotation.id} ({person.state})"
                for rotation in rotations
                if (person := rotation.people.get(known.user))
                and known.fingerprint in {person.target, *person.others}
                and not person.over
            ),
            "",
        )
        rows.append((known.user, known.version, known.stage.value, known.fingerprint, known.label, state))
    if not rows:
        hint = "list the keys: provision keys list --all"
        raise NothingMatchedError(f"no key of this vault: {', '.join(wanted)}", hint=hint)
    names_of = ("user", "version", "stage", "fingerprint", "label", "rotation")
    if format_ is Format.JSON:
        found = [dict(zip(names_of, row, strict=True)) for row in rows]
        run.result(document("keys-whose/v1", keys=found), output)
    else:
        run.result(table(tuple(name.upper() for name in names_of), rows), output)
