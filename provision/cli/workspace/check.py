"""`provision check`: check all workspace files, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output, TableOrJson
from provision.errors import Exit, Problem, Severity
from provision.report.formats import Format
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from provision.cli.workspace.checks import WorkspaceCheck

_SHOWN_PER_RULE = 10


@app.command("check")
def check(
    ctx: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="List every problem, not only the first 10 per rule.")
    ] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Check all workspace files (offline).

    Checks profiles, inventory, base URLs, API modes, models, recipients, ages of keys, and what Hermes would reject.

    Exits with 0 without errors (warnings and notes allowed), with 10 when there are errors.
    """
    from datetime import UTC, datetime

    from provision.cli.workspace.checks import check_workspace

    run: Run = ctx.obj
    workspace, found = run.read_workspace()
    result = check_workspace(workspace, found, now=datetime.now(UTC))
    if format_ is Format.JSON:
        run.result(_json(result, str(workspace.root)), output)
    else:
        run.result(_table(result, run.path_prefix(workspace.root), everything=everything), output)
    failures = result.count(Severity.ERROR) + (result.count(Severity.WARNING) if strict else 0)
    raise typer.Exit(Exit.FINDINGS if failures else Exit.OK)


def _json(result: WorkspaceCheck, workspace: str) -> str:
    from provision.report.document import document

    return document(
        "check/v1",
        workspace=workspace,
        users=len(result.fleet.states),
        refused=list(result.fleet.refused),
        profiles=sorted(result.fleet.profiles),
        configurations=len({id(state.profile) for state in result.fleet.states}),
        counts={f"{severity}s": result.count(severity) for severity in Severity},
        problems=[
            {
                "rule": p.rule,
                "severity": str(p.severity),
                "message": p.message,
                "hint": p.hint,
                "file": p.place.file if p.place else None,
                "line": p.place.line if p.place and p.place.line else None,
                "column": p.place.column if p.place and p.place.column else None,
            }
            for p in result.problems
        ],
    )


def _table(result: WorkspaceCheck, prefix: str, *, everything: bool) -> str:
    lines: list[str] = []
    counted: dict[tuple[str, Severity], int] = {}
    last = None
    for problem in result.problems:
        kind = (problem.rule, problem.severity)
        counted[kind] = counted.get(kind, 0) + 1
        if counted[kind] > _SHOWN_PER_RULE and not everything:
            continue
        file = problem.place.file if problem.place else ""
        if lines and file != last:
            lines.append("")
        last = file
        lines += _lines(problem, prefix)
    for (rule, severity), count in counted.items():
        if count > _SHOWN_PER_RULE and not everything:
            lines += ["", f"… and {count - _SHOWN_PER_RULE:,} more {severity}s [{rule}]: --all shows them"]
    if lines:
        lines.append("")
    lines.append(_summary(result))
    return "".join(printable(line) + "\n" for line in lines)


def _lines(problem: Problem, prefix: str) -> list[str]:
    where = f"{prefix}{problem.place}" if problem.place else "(workspace)"
    first = f"{where}: {problem.severity}: {problem.message} [{problem.rule}]"
    return [first, f"    hint: {problem.hint}"] if problem.hint else [first]


def _summary(result: WorkspaceCheck) -> str:
    states = result.fleet.states
    counts = [(result.count(severity), str(severity)) for severity in Severity]
    counted = ", ".join(plural(n, word) for n, word in counts if n) or "no problems"
    users = plural(len(states), "user")
    if result.fleet.refused:
        users = f"{users} of {len(states) + len(result.fleet.refused):,} usable"
    distinct = plural(len({id(state.profile) for state in states}), "distinct configuration")
    return f"{users}, {distinct}: {counted}"
