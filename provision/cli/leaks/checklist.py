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
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from provision.audit.finding import RawFinding
    from provision.audit.tasks import FoundTask
    from provision.containers.blob import Unreadable
    from provision.detect.detector import Detector
    from provision.fleet.workspace import Workspace
    from provision.redact.checklist import ExposedSecret, NotExamined, PrintedCommands, Records
    from provision.redact.file_name import ShownPaths
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
    from provision.detect.policy import Policy
    from provision.redact.checklist import ChecklistAnswer, answer_checklist
    from provision.redact.command_line_rules import COMMAND_LINE_RULES
    from provision.redact.file_name import ShownPaths
    from provision.redact.masks import Masker, MaskStyle
    from provision.redact.session import Session
    from provision.report.checklist import ChecklistResult

    run: Run = ctx.obj
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise ProvisionError(f"path not found: {missing[0]}", hint="name the files to be published")
    workspace = workspace_or_none(run)
    keys = load_known_fingerprints(run, workspace, known)
    detector = Detector((*load_all_rules(rules, run.say), *COMMAND_LINE_RULES), keys, policy=Policy.PUBLISHING)
    run_key = secrets.token_bytes(32)
    names = ShownPaths(Session(detector, Masker(MaskStyle.TAG, run_key)))
    exposed, not_examined, files = _examine(paths, detector, names, run_key)
    if not files and not not_examined:
        raise NothingMatchedError(f"no file found in {paths[0]}", hint="name the files to be published")
    now = datetime.now(UTC)
    records = _records(workspace, user or ())
    items = answer_checklist(exposed, not_examined, records, now.date(), _commands(run, known, rules))
    shown = tuple(names.shown(str(path)) for path in paths)
    _print(run, ChecklistResult(items, shown, files, now), format_, output)
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
    paths: Sequence[Path], detector: Detector, shown: ShownPaths, run_key: bytes
) -> tuple[list[ExposedSecret], list[NotExamined], int]:
    """Examine every file as `redact` reads it, its name, and every repository's history; returns also how many.

    What was not read is never passed over: a link that leads out of the folder may be followed when it is published.
    """
    from dataclasses import replace

    from provision.audit.scan import list_tasks
    from provision.audit.sources.filenames import NameScanner
    from provision.audit.sources.walk import FoundEntry, FoundFile
    from provision.containers.blob import Unreadable
    from provision.redact.checklist import NotExamined
    from provision.redact.preview import exposed_secret
    from provision.redact.previews import Previews

    exposed: list[ExposedSecret] = []
    not_examined: list[NotExamined] = []
    names = NameScanner(detector)
    tasks = list(list_tasks(paths, companions=False))
    with Previews((Path(item.path) for item in tasks if isinstance(item, FoundFile)), detector, run_key) as previews:
        for item in tasks:
            if isinstance(item, Unreadable):
                not_examined.append(NotExamined(item.path, item.where or "", item.reason))
                continue
            found: Iterable[RawFinding | Unreadable]
            if isinstance(item, FoundFile):
                seen, unread = previews.of(Path(item.path))
                exposed += [replace(secret, path=item.path) for secret in seen]
                not_examined += unread
                found = names.scan([item.path])
            else:
                found = _found_in(item, detector, run_key)
            for each in found:
                if isinstance(each, Unreadable):
                    not_examined.append(NotExamined(each.path, each.where or "", each.reason))
                else:
                    where = each.place.where or (f"line {each.place.line}" if each.place.line else "")
                    secret = exposed_secret(each.place.path, where, each.match, detector, run_key)
                    exposed.append(replace(secret, path=each.place.path))
    files = sum(not isinstance(item, Unreadable | FoundEntry) for item in tasks)
    exposed = [
        replace(each, file=shown.shown(each.file), path_is_secret=shown.shown(each.path) != each.path)
        for each in exposed
    ]
    return exposed, [replace(each, file=shown.shown(each.file)) for each in not_examined], files


def _commands(run: Run, known: Path | None, rules: Path | None) -> PrintedCommands:
    """Printed commands know what this run knew: the workspace, fingerprints, additional rules."""
    from provision.redact.checklist import PrintedCommands
    from provision.shell import shell_path

    program = f"provision -w {shell_path(run.workspace)}" if run.workspace else "provision"
    given = ((f" {name} {shell_path(file)}" if file else "") for name, file in (("--known", known), ("--rules", rules)))
    return PrintedCommands(f"{program} redact --in-place{''.join(given)}", f"{program} rotate leaked")


def _found_in(task: FoundTask, detector: Detector, run_key: bytes) -> Iterator[RawFinding | Unreadable]:
    """Yield what is found in a repository or in a name: as an audit finds it, and as `redact` reads a text by its form."""
    from provision.audit.finding import Location, RawFinding
    from provision.audit.match_blob import match_blob
    from provision.audit.tasks import read_task, task_path
    from provision.containers.blob import ReadLimits, Unreadable
    from provision.redact.preview import structured_matches

    try:
        for blob in read_task(task, ReadLimits()):
            if isinstance(blob, Unreadable):
                yield blob
                continue
            yield from match_blob(blob, detector)
            if not isinstance(blob.data, bytes) or blob.locate is None:
                continue
            for match in structured_matches(blob.data, blob.where or "", detector, run_key):
                if (spot := blob.locate(match)) is not None:
                    where = ": ".join(part for part in (blob.where, spot.where) if part)
                    yield RawFinding(Location(blob.path, spot.line, spot.column, where or None), match, blob.kind)
    except Exception as e:  # as in `scan_task`: hostile content stops neither the gate nor the other files
        yield Unreadable(task_path(task), f"not read to its end ({type(e).__name__})")


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
