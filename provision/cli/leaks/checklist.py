"""`provision checklist`: the security checklist of the setup guide, as a gate before something is published."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output
from provision.errors import Exit, NothingMatchedError, ProvisionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.detect.detector import Detector
    from provision.detect.known import KnownKeys
    from provision.fleet.workspace import Workspace
    from provision.redact.checklist import ExposedSecret, NotExamined, Records


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    HTML = "html"


@app.command("checklist")
def checklist(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", readable=False, help="What is to be published: files, folders, repositories."),
    ],
    user: Annotated[
        list[str] | None,
        typer.Option("--user", help="Who made it: is their current key a demo key? May be repeated."),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option("--known", help="Keys to look for, as fingerprints; default: those of the workspace's vault."),
    ] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Further rules, in the format of gitleaks.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="What cannot be told counts as a failure.")] = False,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")] = Format.TABLE,
    output: Output = None,
) -> None:
    """Judge what is about to be published.

    The setup guide's five points: is the key hidden, the .env, the configuration?
    Is every key that was exposed rotated? Was it a demo key in date?

    Ends with 10 when a point fails, with 4 when something could not be read.
    """
    import secrets
    from datetime import UTC, datetime

    from provision.cli.leaks.audit.setup import load_all_rules
    from provision.detect.detector import Detector
    from provision.redact.checklist import ChecklistAnswer, answer_checklist
    from provision.redact.command_line_rules import COMMAND_LINE_RULES
    from provision.report import checklist as report

    run: Run = ctx.obj
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise ProvisionError(f"there is no {missing[0]}", hint="name what is to be published")
    workspace = _workspace(run)
    keys = _known(run, workspace, known)
    seen, unseen, files = _look(
        paths, Detector((*load_all_rules(rules, run.say), *COMMAND_LINE_RULES), keys), secrets.token_bytes(32)
    )
    if not files and not unseen:
        raise NothingMatchedError(f"there is no file in {paths[0]}", hint="name what is to be published")
    now = datetime.now(UTC)
    items = answer_checklist(seen, unseen, _records(workspace, user or ()), now.date())
    result = report.ChecklistResult(items, tuple(str(path) for path in paths), files, now)
    _print(run, result, format_, output)
    verdicts = {item.verdict for item in items}
    if ChecklistAnswer.FAIL in verdicts or (strict and ChecklistAnswer.CANNOT_TELL in verdicts):
        raise typer.Exit(Exit.FINDINGS)
    if unseen:
        raise typer.Exit(Exit.PARTIAL)


def _print(run: Run, result: object, format_: Format, output: Path | None) -> None:
    from typing import cast

    from provision.report import checklist as report
    from provision.report.output import write_output

    found = cast("report.ChecklistResult", result)
    if format_ is Format.HTML:
        write_output(report.as_html(found), output)
        return
    run.result(report.as_json(found) if format_ is Format.JSON else report.as_table(found), output)


def _workspace(run: Run) -> Workspace | None:
    from provision.fleet.workspace import NoWorkspaceError

    try:
        return run.open_workspace()
    except NoWorkspaceError:
        if run.workspace is not None:
            raise
        return None


def _known(run: Run, workspace: Workspace | None, file: Path | None) -> KnownKeys | None:
    """The fleet's keys by fingerprint: of the file, of the opened vault, or of a sealed one for keys of the usual shape."""
    from provision.detect.known import KnownKeys
    from provision.detect.known_file import parse_known_keys
    from provision.detect.known_key import KnownKey
    from provision.files import read_bounded
    from provision.keys.identities import load_identities
    from provision.keys.known_keys import known_keys
    from provision.keys.vault.file import open_vault, read_vault

    if file is not None:
        try:
            return parse_known_keys(read_bounded(file, 256 << 20))
        except FileNotFoundError:
            raise ProvisionError(
                f"there is no file {file}", hint="`provision audit --write-known FILE` makes one"
            ) from None
    if workspace is None or not workspace.vault.exists():
        return None
    try:
        return known_keys(open_vault(workspace.vault, load_identities(workspace.identity)))
    except ProvisionError as e:
        run.detail(f"the vault stays shut, so keys are recognised by their usual shape only: {e}")
    sealed = read_vault(workspace.vault)
    by_fingerprint = {k.fingerprint: KnownKey(k.user, k.fingerprint, k.stage.value, k.created, k.label) for k in sealed}
    return KnownKeys(sealed.salt, frozenset({("sk-aisa-", 51)}), by_fingerprint)


def _look(
    paths: Sequence[Path], detector: Detector, run_key: bytes
) -> tuple[list[ExposedSecret], list[NotExamined], int]:
    """Every file below the paths as redaction reads it, every repository's history as an audit does."""
    from provision.audit.scan import list_tasks
    from provision.audit.sources.walk import FoundFile
    from provision.audit.tasks import scan_task
    from provision.containers.blob import ReadLimits, Unreadable
    from provision.redact.checklist import NotExamined
    from provision.redact.preview import exposed_secret, preview_file

    seen: list[ExposedSecret] = []
    unseen: list[NotExamined] = []
    files = 0
    for met in list_tasks(paths, companions=False):
        if isinstance(met, Unreadable):
            unseen += [NotExamined(met.path, met.where or "", met.reason)] if met.failed else []
            continue
        files += 1
        if isinstance(met, FoundFile):
            found, doubts = preview_file(Path(met.path), detector, run_key)
            seen += found
            unseen += doubts
            continue
        for each in scan_task(met, detector, ReadLimits()):
            if isinstance(each, Unreadable):
                unseen += [NotExamined(each.path, each.where or "", each.reason)] if each.failed else []
            else:
                place = each.place
                where = place.where or (f"line {place.line}" if place.line else "")
                seen.append(exposed_secret(place.path, where, each.match, detector, run_key))
    return seen, unseen, files


def _records(workspace: Workspace | None, users: Sequence[str]) -> Records | None:
    """What vault and event log say of every key; None without a vault."""
    from provision.keys.events.log import log_path, read_events, verify_log
    from provision.keys.vault.file import read_vault
    from provision.keys.vault.ledger import Stage
    from provision.redact.checklist import KeyHistory, Records

    if workspace is None or not workspace.vault.exists():
        return None
    ledger, path = read_vault(workspace.vault), log_path(workspace.vault)
    faults = verify_log(path, ledger.generation).faults
    doubt = f"the event log does not hold: {faults[0].what}" if faults else ""
    days: dict[tuple[str, str], datetime] = {}
    for each in read_events(path):
        days[each.event.what, each.event.fingerprint] = each.event.at
    keys: dict[str, KeyHistory] = {}
    weight = {Stage.RETIRED: 0, Stage.PREVIOUS: 1, Stage.PENDING: 2, Stage.CURRENT: 3}
    for key in sorted(ledger, key=lambda each: weight[each.stage]):  # of a shared key, the use that is most alive
        replaced = days.get(("key became previous", key.fingerprint))
        retired = days.get(("key became retired", key.fingerprint))
        keys[key.fingerprint] = KeyHistory(
            key.user,
            key.stage.value,
            key.demo_until,
            replaced.date() if replaced else None,
            retired.date() if retired else None,
        )
    current = {user: (known.fingerprint if (known := ledger.current(user)) else None) for user in users}
    return Records(keys, doubt, current)
