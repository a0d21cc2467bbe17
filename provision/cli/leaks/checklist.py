"""`provision checklist`: check files against the setup guide's security checklist before they are published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.leaks.detection import load_all_rules, load_known_fingerprints, workspace_or_none
from provision.cli.options import Output, format_option
from provision.errors import Exit, NothingMatchedError, ProvisionError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.detect.detector import Detector
    from provision.fleet.workspace import Workspace
    from provision.redact.checklist import ExposedSecret, NotExamined, Records
    from provision.report.checklist import ChecklistResult


@app.command("checklist")
def checklist(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", readable=False, help="Files, folders and repositories to be published."),
    ],
    user: Annotated[
        list[str] | None,
        typer.Option("--user", help="User who recorded it: check that their current key is a demo key. Repeatable."),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option("--known", metavar="FILE", help="Fingerprints of the fleet's keys. Default: the vault's."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="Additional rules, in gitleaks' TOML format.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Count a point without an answer as a failure.")] = False,
    format_: Annotated[Format, format_option(Format.TABLE, Format.JSON, Format.HTML)] = Format.TABLE,
    output: Output = None,
) -> None:
    """Check files for secrets before they are published.

    The setup guide's five points: is the API key hidden, the .env file, the configuration? Is every exposed key rotated?
    Is it a demo key that is still valid?

    Exits with 10 if a point fails, 4 if something could not be read.
    """
    import secrets
    from datetime import UTC, datetime

    from provision.detect.detector import Detector
    from provision.redact.checklist import ChecklistAnswer, answer_checklist
    from provision.redact.command_line_rules import COMMAND_LINE_RULES
    from provision.report.checklist import ChecklistResult

    run: Run = ctx.obj
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise ProvisionError(f"path not found: {missing[0]}", hint="name the files to be published")
    workspace = workspace_or_none(run)
    keys = load_known_fingerprints(run, workspace, known)
    detector = Detector((*load_all_rules(rules, run.say), *COMMAND_LINE_RULES), keys)
    exposed, not_examined, files = _examine(paths, detector, secrets.token_bytes(32))
    if not files and not not_examined:
        raise NothingMatchedError(f"no file found in {paths[0]}", hint="name the files to be published")
    now = datetime.now(UTC)
    items = answer_checklist(exposed, not_examined, _records(workspace, user or ()), now.date())
    _print(run, ChecklistResult(items, tuple(str(path) for path in paths), files, now), format_, output)
    verdicts = {item.verdict for item in items}
    if ChecklistAnswer.FAIL in verdicts or (strict and ChecklistAnswer.CANNOT_TELL in verdicts):
        raise typer.Exit(Exit.FINDINGS)
    if not_examined:
        raise typer.Exit(Exit.PARTIAL)


def _print(run: Run, result: ChecklistResult, format_: Format, output: Path | None) -> None:
    from provision.report import checklist as report
    from provision.report.output import write_output

    if format_ is Format.HTML:
        write_output(report.as_html(result), output)
        return
    run.result(report.as_json(result) if format_ is Format.JSON else report.as_table(result), output)


def _examine(
    paths: Sequence[Path], detector: Detector, run_key: bytes
) -> tuple[list[ExposedSecret], list[NotExamined], int]:
    """Examine every file as `redact` reads it, and every repository's history as `audit` does; returns also how many."""
    from provision.audit.scan import list_tasks
    from provision.audit.sources.walk import FoundFile
    from provision.audit.tasks import scan_task
    from provision.containers.blob import ReadLimits, Unreadable
    from provision.redact.checklist import NotExamined
    from provision.redact.preview import exposed_secret, preview_file

    exposed: list[ExposedSecret] = []
    not_examined: list[NotExamined] = []
    files = 0
    for item in list_tasks(paths, companions=False):
        if isinstance(item, Unreadable):
            not_examined += [NotExamined(item.path, item.where or "", item.reason)] if item.failed else []
            continue
        files += 1
        if isinstance(item, FoundFile):
            found, unread = preview_file(Path(item.path), detector, run_key)
            exposed += found
            not_examined += unread
            continue
        for each in scan_task(item, detector, ReadLimits()):
            if isinstance(each, Unreadable):
                not_examined += [NotExamined(each.path, each.where or "", each.reason)] if each.failed else []
            else:
                place = each.place
                where = place.where or (f"line {place.line}" if place.line else "")
                exposed.append(exposed_secret(place.path, where, each.match, detector, run_key))
    return exposed, not_examined, files


def _records(workspace: Workspace | None, users: Sequence[str]) -> Records | None:
    """What the vault and the event log record about every key; None without a vault."""
    from provision.keys.events.log import log_path, read_events, verify_log
    from provision.keys.vault.file import read_vault
    from provision.keys.vault.ledger import Stage
    from provision.redact.checklist import KeyHistory, Records

    if workspace is None or not workspace.vault.exists():
        return None
    ledger, path = read_vault(workspace.vault), log_path(workspace.vault)
    faults = verify_log(path, ledger.generation).faults
    doubt = f"the event log fails verification: {faults[0].what}" if faults else ""
    days: dict[tuple[str, str], datetime] = {}
    for each in read_events(path):
        days[each.event.what, each.event.fingerprint] = each.event.at
    keys: dict[str, KeyHistory] = {}
    rank = {Stage.RETIRED: 0, Stage.PREVIOUS: 1, Stage.PENDING: 2, Stage.CURRENT: 3}
    for key in sorted(ledger, key=lambda each: rank[each.stage]):  # of a shared key, the most active use wins
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
